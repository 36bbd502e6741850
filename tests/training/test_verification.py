"""`verify-resume` tells the same from the different."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from seq2seq.pipeline import Runner
from seq2seq.training.verification import compare
from tests.command_line import seq2seq
from tests.toy import toy_recipe, write_toy


def test_killed_trainings_end_in_the_same_bits(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    done = seq2seq("verify-resume", str(recipe), "training.max_steps=30", "--kills", "2")
    assert done.code == 0, done.err
    assert "the same bits" in done.out and "2 interruptions" in done.out
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_splitting_words_again_does_not_change_that(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    settings = ["tokenizer={kind: bpe, vocab_size: 300}", "training.bpe_dropout=0.2", "training.max_steps=20"]
    done = seq2seq("verify-resume", str(recipe), *settings, "--kills", "1", "--device", "cpu", "--threads", "1")
    assert done.code == 0, done.err


def test_a_recipe_that_cannot_train_is_told_so(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    (tmp_path / "train.en").unlink()
    done = seq2seq("verify-resume", str(recipe))
    assert done.code == 2 and "train.en" in done.err and "Traceback" not in done.err


def test_a_single_bit_is_seen(tmp_path: Path) -> None:
    Runner(toy_recipe(tmp_path, "training.max_steps=10")).run("train")
    one, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(one, other)
    assert compare(one, other).differences == []
    weights = load_file(other / "model" / "model.safetensors")
    bias = next(name for name in weights if name.endswith("bias"))
    weights[bias].view(torch.int32)[0] ^= 1
    save_file(weights, other / "model" / "model.safetensors")
    lines = (other / "train.jsonl").read_text().splitlines()
    record = json.loads(lines[0]) | {"loss": 0.5, "seconds": 99.0}
    (other / "train.jsonl").write_text("\n".join([json.dumps(record), *lines[1:-1]]) + "\n")
    differences = compare(one, other).differences
    assert differences == [
        f"weight {bias}",
        f"the log has {len(lines)} and {len(lines) - 1} records",
        "record 1 of the log: loss",
    ]
