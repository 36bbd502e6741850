"""Checkpoints: folders that appear at once, with a checksum for each file, and are read without pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seq2seq.files import file_hash, new_folder, write_json

TENSORS, STATE, CHECKSUMS = "tensors.safetensors", "state.json", "checksums.json"


@dataclass(frozen=True)
class Checkpoint:
    """The exact state of a training after an update."""

    identity: str
    """Of all that the training depends on: a training goes on from checkpoints of its own identity alone."""
    state: dict[str, Any]
    """Position, best scores, patience, log."""
    tensors: dict[str, Tensor]
    """Weights, optimizer, running mean, random states."""


def save(folder: Path, step: int, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of a step."""
    with new_folder(folder / f"step-{step:06d}") as partial:
        tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
        save_file(tensors, partial / TENSORS)
        write_json(partial / STATE, {"identity": checkpoint.identity, "state": checkpoint.state})
        write_json(partial / CHECKSUMS, {name: file_hash(partial / name) for name in (TENSORS, STATE)})


def steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint, oldest first."""
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


def load(folder: Path, step: int) -> Checkpoint:
    """Read the checkpoint of a step.

    Raises:
        ValueError: it is damaged; says which file.
    """
    path = folder / f"step-{step:06d}"
    try:
        checksums = json.loads((path / CHECKSUMS).read_text(encoding="utf-8"))
        for name in (TENSORS, STATE):
            if checksums[name] != file_hash(path / name):
                raise ValueError(f"{path / name} is damaged (its checksum differs)")
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        return Checkpoint(state["identity"], state["state"], load_file(path / TENSORS))
    except (OSError, KeyError, TypeError, SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None


def load_newest(folder: Path, identity: str, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint of this training; damaged ones are named and removed, those of others left alone."""
    for leftover in folder.glob(".step-*"):  # of a process that was killed in the midst of writing
        shutil.rmtree(leftover, ignore_errors=True)
    there = steps(folder)
    for step in reversed(there):
        try:
            checkpoint = load(folder, step)
        except ValueError as error:
            rest = "there is none before it: training begins anew"
            warn(f"{error}; {rest if step == there[0] else 'going on from the one before'}")
            shutil.rmtree(folder / f"step-{step:06d}", ignore_errors=True)
            continue
        if checkpoint.identity == identity:
            return checkpoint
    return None


def prune(folder: Path, keep_last: int, best: Collection[int]) -> None:
    """Remove all but the newest checkpoints and the best ones."""
    for step in steps(folder)[:-keep_last]:
        if step not in best:
            shutil.rmtree(folder / f"step-{step:06d}", ignore_errors=True)


def weights(folder: Path, step: int) -> dict[str, Tensor]:
    """The model's weights in the checkpoint of a step: their running mean, where there is one.

    Raises:
        ValueError: it is damaged.
    """
    tensors = load(folder, step).tensors
    part = "mean." if any(name.startswith("mean.") for name in tensors) else "model."
    return {name.removeprefix(part): tensor for name, tensor in tensors.items() if name.startswith(part)}


def remove_all(folder: Path) -> None:
    """Remove every checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
