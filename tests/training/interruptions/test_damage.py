"""Damaged checkpoints or a damaged log: told of, and the same command resumes and ends in the same bits."""

import itertools
from pathlib import Path

import pytest

from seq2seq.training import checkpoint
from tests.training.interruptions.processes import assert_same_bits, copy, finish


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x81  # no longer ASCII either
    path.write_bytes(content)


@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, checkpoint.CHECKSUMS])
def test_a_flipped_byte_in_the_newest_checkpoint(name: str, killed: Path, straight: Path, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    *_, before, last = checkpoint.steps(run / "checkpoints")
    damaged = run / "checkpoints" / f"step-{last:06d}"
    flip_a_byte(damaged / name)
    said = finish(run)
    assert f"{damaged if name == checkpoint.CHECKSUMS else damaged / name} is damaged" in said
    assert "; resuming from the one before\n" in said and said.count("is damaged") == 1
    assert f"resuming from step {before} of 120" in said
    assert_same_bits(straight, run)


def test_all_checkpoints_damaged(killed: Path, straight: Path, tmp_path: Path) -> None:
    """Each is named; training begins from scratch, and says so."""
    run = copy(killed, tmp_path)
    there = checkpoint.steps(run / "checkpoints")
    for step, name in zip(there, itertools.cycle([checkpoint.TENSORS, checkpoint.STATE]), strict=False):
        flip_a_byte(run / "checkpoints" / f"step-{step:06d}" / name)
    said = finish(run)
    for step in there:
        assert f"step-{step:06d}" in said
    assert said.count("resuming from the one before") == len(there) - 1
    assert said.count("there is none before it: training begins from scratch") == 1 and "resuming from step" not in said
    assert_same_bits(straight, run)


@pytest.mark.parametrize("damage", ["half a line more", "cut in a line", "gone"])
def test_a_damaged_log(damage: str, killed: Path, straight: Path, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    log = run / "train.jsonl"
    content = log.read_bytes()
    if damage == "half a line more":
        log.write_bytes(content + content[:100])
    elif damage == "cut in a line":
        log.write_bytes(content[: content.index(b"\n", len(content) // 2) - 50])
    else:
        log.unlink()
    finish(run)
    assert_same_bits(straight, run)
