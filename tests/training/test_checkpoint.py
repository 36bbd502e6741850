"""Checkpoints are whole or absent; a damaged one is named and passed over."""

from pathlib import Path

import pytest
import torch

from seq2seq.training import checkpoint
from seq2seq.training.checkpoint import Checkpoint


def some(identity: str = "a", value: float = 1.0) -> Checkpoint:
    return Checkpoint(identity, {"step": int(value), "best": 0.1 + value}, {"weight": torch.full((3, 2), value)})


def test_round_trip_to_the_bit(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 7, some())
    loaded = checkpoint.load(tmp_path, 7)
    assert loaded.state == some().state
    assert torch.equal(loaded.tensors["weight"], some().tensors["weight"])
    assert [path.name for path in tmp_path.iterdir()] == ["step-000007"]


@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, checkpoint.CHECKSUMS])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_the_one_before_a_damaged_one_is_used(tmp_path: Path, name: str, damage: str) -> None:
    checkpoint.save(tmp_path, 1, some(value=1))
    checkpoint.save(tmp_path, 2, some(value=2))
    file = tmp_path / "step-000002" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    said: list[str] = []
    found = checkpoint.load_newest(tmp_path, "a", said.append)
    assert found is not None and found.state["step"] == 1
    assert len(said) == 1 and "step-000002" in said[0] and "damaged" in said[0]


def test_what_a_killed_process_left_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, some())
    (tmp_path / ".step-000002.partial").mkdir()
    (tmp_path / ".step-000002.partial" / checkpoint.TENSORS).write_bytes(b"half")
    assert checkpoint.steps(tmp_path) == [1]
    checkpoint.save(tmp_path, 2, some(value=2))
    assert checkpoint.load(tmp_path, 2).state["step"] == 2


def test_checkpoints_of_another_training_are_not_taken_up(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, some("a"))
    assert checkpoint.load_newest(tmp_path, "b", pytest.fail) is None


def test_prune_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4, 5):
        checkpoint.save(tmp_path, step, some(value=step))
    checkpoint.prune(tmp_path, keep_last=2, best=[1])
    assert checkpoint.steps(tmp_path) == [1, 4, 5]
