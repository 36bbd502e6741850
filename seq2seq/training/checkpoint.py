"""Checkpoints: folders that appear at once, with a checksum for each file, and are read without pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seq2seq import recipe
from seq2seq.bundle import load_weights, weights_of
from seq2seq.console import say
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.errors import UserError
from seq2seq.files import file_hash, new_folder, remove_folder, write_json
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.optimization import load_optimizer_tensors, optimizer_tensors
from seq2seq.training.running_mean import RunningMean

TENSORS, STATE, CHECKSUMS = "tensors.safetensors", "state.json", "checksums.json"


@dataclass(frozen=True)
class Checkpoint:
    """The exact state of a training after a step."""

    identity: str
    """Of all that the training depends on: a training resumes from checkpoints of its own identity alone."""
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


class Checkpoints:
    """The checkpoints of a training.

    Args:
        identity: of all that the training depends on; only checkpoints of the same one are taken up.
        processes: those that train together; the first one writes.
    """

    def __init__(
        self, folder: Path, identity: str, config: recipe.CheckpointsConfig, processes: Processes = SINGLE_PROCESS
    ) -> None:
        self.folder, self.identity, self.config, self.processes = folder, identity, config, processes

    def save(self, step: int, state: dict[str, Any], tensors: dict[str, Tensor], best: Collection[int]) -> None:
        """Write the checkpoint of a step; remove those that are neither among the newest nor the best."""
        if self.processes.first:
            save(self.folder, step, Checkpoint(self.identity, state, tensors))
            prune(self.folder, self.config.keep_last, best)

    def newest(self) -> Checkpoint | None:
        """The newest whole one, the same in all processes; where there is none, what others left is cleared away."""
        found = None
        if self.processes.first:
            found = load_newest(self.folder, self.identity, say)
            if found is None:
                remove_folder(self.folder)
        step = self.processes.broadcast(None if found is None else int(found.state["step"]))
        return found if step is None or found is not None else load(self.folder, step)

    def best_weights(self, step: int) -> dict[str, Tensor]:
        """The weights of the step that scored best in validation.

        Raises:
            UserError: its checkpoint is damaged.
        """
        try:
            return weights(self.folder, step)
        except ValueError as error:
            raise UserError(f"{error}; it held the best model: add --force to train from scratch") from None


def load_newest(folder: Path, identity: str, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint of this training; damaged ones are named and removed, those of others left alone."""
    sweep(folder)
    there = steps(folder)
    for step in reversed(there):
        try:
            checkpoint = load(folder, step)
        except ValueError as error:
            rest = "there is none before it: training begins from scratch"
            warn(f"{error}; {rest if step == there[0] else 'resuming from the one before'}")
            remove_folder(folder / f"step-{step:06d}")
            continue
        if checkpoint.identity == identity:
            return checkpoint
    return None


def sweep(folder: Path) -> None:
    """Remove what a killed process left: half-written or half-removed checkpoints, or a whole folder of them."""
    for leftover in [*folder.glob(".step-*"), folder.with_name(f".{folder.name}.old")]:
        shutil.rmtree(leftover, ignore_errors=True)


def prune(folder: Path, keep_last: int, best: Collection[int]) -> None:
    """Remove all but the newest checkpoints and the best ones."""
    for step in steps(folder)[:-keep_last]:
        if step not in best:
            remove_folder(folder / f"step-{step:06d}")


def weights(folder: Path, step: int) -> dict[str, Tensor]:
    """The model's weights in the checkpoint of a step: their running mean, where there is one.

    Raises:
        ValueError: it is damaged.
    """
    tensors = load(folder, step).tensors
    return _part(tensors, "mean.") or _part(tensors, "model.")


def pack(model: Seq2Seq, optimizer: torch.optim.Optimizer, mean: RunningMean | None) -> dict[str, Tensor]:
    """All tensors of a training, by name."""
    tensors = {f"model.{name}": weight for name, weight in weights_of(model).items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in optimizer_tensors(optimizer)}
    if mean is not None:
        tensors |= {f"mean.{name}": weight for name, weight in mean.weights.items()}
    return tensors


def unpack(
    tensors: dict[str, Tensor], model: Seq2Seq, optimizer: torch.optim.Optimizer, mean: RunningMean | None
) -> None:
    """Give a training the tensors of `pack`."""
    load_weights(model, _part(tensors, "model."))
    load_optimizer_tensors(optimizer, _part(tensors, "optimizer."))
    if mean is not None:
        kept = _part(tensors, "mean.")
        mean.weights = {name: kept[name].to(weight.device) for name, weight in mean.weights.items()}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
