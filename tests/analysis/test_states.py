"""States that are those of the model, memories and neighbours that are known."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.analysis import states as subject
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.tokenization import EOS
from tests.command_line import refused, seq2seq
from tests.toy import ENGLISH, GERMAN

CPU = ("--device", "cpu", "--threads", "1")
SOURCES = [" ".join(ENGLISH[(i + k) % 10] for k in range(6)) for i in range(8)]
TARGETS = [" ".join(GERMAN[(i + k) % 10] for k in range(6)) for i in range(8)]


@pytest.fixture
def bundle(new_run: Path) -> Bundle:
    return load_bundle(new_run, torch.device("cpu"))


def test_units_over_a_sentence_are_those_of_the_model(bundle: Bundle) -> None:
    found = {one.name: one for one in subject.study(bundle, SOURCES, TARGETS).layers}
    assert list(found) == ["encoder 1 forward", "encoder 1 backward", "decoder 1"]
    (ids,) = bundle.src_tokenizer.encode_batch(SOURCES[:1])
    with torch.no_grad():
        embedded = bundle.model._embed(bundle.model.src_embedding, torch.tensor([[*ids, EOS]]))
        outputs = bundle.model.encoder.stack(embedded)[0][0].numpy()
    for name, part in (("encoder 1 forward", outputs[:, :8]), ("encoder 1 backward", outputs[:, 8:])):
        assert found[name].units == 8 and found[name].shown_units == list(range(8))
        np.testing.assert_allclose(np.array(found[name].heat).T, part, atol=1e-3)
    assert [gate.name for gate in found["decoder 1"].gates] == ["reset", "update"]


def test_a_gate_that_keeps_a_known_share_has_a_known_memory(bundle: Bundle) -> None:
    cell = bundle.model.encoder.stack.layers[0][0].cell
    with torch.no_grad():
        for weight in (cell.kernel, cell.recurrent_kernel, cell.bias):
            weight.zero_()
        cell.bias[8:16] = math.log(0.8 / 0.2)  # forget: 0.8
        cell.bias[24:] = 30  # output: 1
    forward = subject.study(bundle, SOURCES, TARGETS).layers[0]
    assert forward.memory == pytest.approx([-1 / math.log(0.8)] * 5, abs=1e-3)
    gates = {gate.name: gate for gate in forward.gates}
    assert gates["forget"].mean == pytest.approx(0.8) and (gates["forget"].low, gates["forget"].high) == (0, 0)
    assert (gates["output"].low, gates["output"].high) == (0, 1)
    assert forward.idle == 1 and forward.saturated == 0  # nothing comes in


def test_the_nearest_states_are_of_other_sentences(bundle: Bundle) -> None:
    found = subject.study(bundle, [*SOURCES, SOURCES[0]], [*TARGETS, TARGETS[0]])
    for layer in found.layers:
        tokens = found.tgt_tokens if layer.name.startswith("decoder") else found.src_tokens
        assert len(layer.nearest) == len(tokens) == len(layer.heat[0])
        for first, *_ in layer.nearest:
            assert first.similarity == pytest.approx(1, abs=1e-3)
        assert [of[0].token for of in layer.nearest[2:5]] == tokens[2:5]
    for layer in subject.study(bundle, SOURCES, TARGETS).layers:
        assert all(near.similarity < 1 for near in layer.nearest[3])  # no other sentence is the same so far
    (alone,) = {len(of) for layer in subject.study(bundle, SOURCES[:1], TARGETS[:1]).layers for of in layer.nearest}
    assert alone == 0  # one sentence has no others


def test_the_command_tells_and_writes_the_same(new_run: Path) -> None:
    done = seq2seq("analyze", "states", str(new_run), "--limit", "5", *CPU)
    assert done.code == 0 and "encoder 1 backward" in done.out and "update" in done.out, done.err
    found = json.loads(seq2seq("analyze", "states", str(new_run), "--limit", "5", "--json", *CPU).out)
    assert found == json.loads((new_run / "analysis" / "states.json").read_text()) and found["sentences"] == 5
    svg = (new_run / "analysis" / "states.svg").read_text()
    assert svg.count("<rect") == 1 + sum(len(row) for layer in found["layers"] for row in layer["heat"])
    refused(seq2seq("analyze", "states", str(new_run / "model"), *CPU), "no validation data")
