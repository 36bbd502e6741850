"""Gradients of a trained model: right, and reaching where they can reach and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from seq2seq.analysis.reach import loss_gradients, reach
from seq2seq.bundle import Bundle, load_bundle, make_model
from seq2seq.data.batching import pad, shifted
from seq2seq.data.tokenization import EOS, PAD
from seq2seq.recipe import ModelConfig
from seq2seq.training.gradients import gradient_norms
from tests.command_line import refused, seq2seq
from tests.toy import ENGLISH, GERMAN

SOURCES = [" ".join(ENGLISH[(i + k) % 10] for k in range(3 + i % 4)) for i in range(8)]
TARGETS = [" ".join(GERMAN[(i + k) % 10] for k in range(2 + i % 5)) for i in range(8)]


@pytest.fixture(scope="module")
def loaded(new_run: Path) -> Bundle:
    return load_bundle(new_run, torch.device("cpu"))


def with_model(loaded: Bundle, encoder: dict[str, object], decoder: dict[str, object]) -> Bundle:
    torch.manual_seed(1)
    config = {
        "embedding": {"size": 8},
        "encoder": {"hidden_size": 8, **encoder},
        "decoder": {"hidden_size": 8, **decoder},
    }
    model = make_model(ModelConfig.model_validate(config), (loaded.src_tokenizer, loaded.tgt_tokenizer)).eval()
    return Bundle(loaded.config, model, loaded.src_tokenizer, loaded.tgt_tokenizer)


def test_layers_have_the_gradient_of_the_mean_loss(loaded: Bundle) -> None:
    loss_gradients(loaded, SOURCES, TARGETS)
    found, model = gradient_norms(loaded.model), loaded.model
    src, lengths = pad([[*ids, EOS] for ids in loaded.src_tokenizer.encode_batch(SOURCES)])
    tgt, _ = pad([[*ids, EOS] for ids in loaded.tgt_tokenizer.encode_batch(TARGETS)])
    model.zero_grad()
    logits = model.logits(model(src, lengths, shifted(tgt)).states)
    F.cross_entropy(logits.flatten(0, 1), tgt.flatten(), ignore_index=PAD).backward()
    assert found == pytest.approx(gradient_norms(model), rel=1e-3, abs=1e-7)
    model.zero_grad()


def test_an_encoder_that_reads_forward_sees_nothing_behind(loaded: Bundle) -> None:
    forward = reach(with_model(loaded, {"direction": "forward"}, {}), SOURCES, TARGETS)
    assert forward.behind[0] == forward.before[0] == 1 and max(forward.behind[1:]) == 0 < min(forward.before[1:])
    both = reach(with_model(loaded, {"direction": "bidirectional"}, {}), SOURCES, TARGETS)
    assert min(both.behind[1:]) > 0 and min(both.before[1:]) > 0


@pytest.mark.parametrize("kept", [False, True], ids=["forgets", "keeps"])
def test_a_decoder_reaches_as_far_as_it_keeps(loaded: Bundle, kept: bool) -> None:
    bundle = with_model(loaded, {}, {"cell": "mingru", "attention": "none"})
    with torch.no_grad():
        bias = bundle.model.decoder.stack.layers[0].cell.bias
        assert bias is not None
        bias[:8] += 8 if kept else -20
    found = reach(bundle, SOURCES, TARGETS).decoder
    assert min(found[1:4]) > 0.5 if kept else max(found[1:]) < 1e-6


def test_the_command_tells_a_run_from_a_recipe(new_run: Path) -> None:
    done = seq2seq("analyze", "gradients", str(new_run))
    assert done.code == 0 and "trained, 20 validation pairs" in done.out and "decoder.layers.0" in done.out, done.err
    found = json.loads(seq2seq("analyze", "gradients", str(new_run), "--json").out)
    assert found == json.loads((new_run / "analysis" / "gradients.json").read_text())
    assert found["reach"]["target tokens before"][0] == 1 and len(found["layers"]) >= 5
    at_first = seq2seq("analyze", "gradients", str(new_run / "recipe.yaml"))
    assert at_first.code == 0 and "first step" in at_first.out
    refused(seq2seq("analyze", "gradients", str(new_run), "--cell", "gru"), "--cell")


def test_several_runs_in_a_folder_are_told(new_run: Path, tmp_path: Path) -> None:
    (tmp_path / "seed-1" / "model").mkdir(parents=True)
    (tmp_path / "seed-1" / "model" / "config.json").write_text("{}")
    refused(seq2seq("analyze", "gradients", str(tmp_path)), "holds several runs", "seed-1")
