"""The count of useful operations behind the benchmark's GFLOP/s, and its switches."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq import recipe
from seq2seq.data.batching import collate
from seq2seq.nn.layer import Layer
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.pipeline import Runner
from seq2seq.training.objective import Objective, StepTotals
from tests.toy import toy_recipe
from tools.benchmark_training import SWITCHES, useful_flops

VOCAB, SENTENCES, SRC, TGT, ENCODER = 50, 3, 7, 5, 6


def addmm_flops(_: list[int], a: list[int], b: list[int], **__: object) -> int:
    """Of the product within sum += a @ b, which torch leaves out."""
    return 2 * a[0] * a[1] * b[1]


@pytest.mark.parametrize("tie", ["all", "none"])
@pytest.mark.parametrize("feeding", [False, True])
def test_useful_flops_are_those_that_torch_counts_where_there_is_no_padding(tie: str, feeding: bool) -> None:
    config = recipe.ModelConfig.model_validate(
        {
            "embedding": {"size": 4, "tie": tie},
            "encoder": {"cell": "lstm", "hidden_size": ENCODER},
            "decoder": {"cell": "lstm", "hidden_size": 10, "input_feeding": feeding, "attention": "luong_general"},
        }
    )
    model = Seq2Seq(config, VOCAB, VOCAB, 0).double()
    for layer in model.modules():
        if isinstance(layer, Layer):
            layer.cell.fused = False  # torch does not look into the fused kernel
    source, target = torch.randint(4, VOCAB, (SENTENCES, SRC)), torch.randint(4, VOCAB, (SENTENCES, TGT))
    batch = collate([row.numpy() for row in source], [row.numpy() for row in target])
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: addmm_flops}) as counter:
        Objective(recipe.TrainingConfig(), model, "fp32")(batch, StepTotals(1, batch.tgt_tokens, SENTENCES, 1))[
            0
        ].backward()
    first = (
        2 * 2 * SENTENCES * ENCODER * 4 * ENCODER
    )  # of the encoder's zero state, both directions, no gradient is due
    lengths = torch.full((SENTENCES,), SRC).numpy(), torch.full((SENTENCES,), TGT).numpy()
    assert counter.get_total_flops() == useful_flops(config, VOCAB, *lengths) - first


@pytest.mark.parametrize("name", SWITCHES)
def test_without_a_factor_of_the_speed_training_is_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [
        "model.encoder.cell=lstm",
        "model.decoder.cell=lstm",
        "model.decoder.dropout=0",
        "training.max_epochs=1",
    ]
    if name != "buckets of like length":  # without them the batches are others
        Runner(toy_recipe(tmp_path, *settings, f"output_dir={tmp_path}/with")).run("train")
    monkeypatch.setattr(*SWITCHES[name])
    Runner(toy_recipe(tmp_path, *settings, f"output_dir={tmp_path}/without")).run("train")
    logs = [
        (path / "train.jsonl").read_text().splitlines()
        for path in (tmp_path / "with", tmp_path / "without")
        if path.exists()
    ]
    losses = [[json.loads(line)["loss"] for line in log] for log in logs]
    assert len(losses[0]) > 1
    assert losses[-1] == pytest.approx(losses[0], rel=1e-4)
