"""One model of several checkpoints: the mean of their weights (Junczys-Dowmunt et al. 2016, section 2)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from seq2seq.bundle import load_config, save_bundle
from seq2seq.errors import UserError
from seq2seq.run_folder import RunFolder
from seq2seq.training import checkpoint


def save_average(run: Path, output: Path, last: int | None, best: int | None) -> list[int]:
    """Write a bundle with the mean weights of a run's newest or best checkpoints; returns their steps.

    Raises:
        UserError: the run has too few checkpoints, or one is damaged, or `output` exists.
    """
    folder = RunFolder(run)
    if output.exists():
        raise UserError(f"--output {output}: exists already; name a new folder")
    config = load_config(folder.model)
    try:
        chosen = _choose(run, folder.checkpoints, last, best)
        weights = mean_weights(folder.checkpoints, chosen)
    except ValueError as error:
        raise UserError(f"{error}; take fewer checkpoints, or train again with --force") from None
    save_bundle(output, config, weights, folder.data)
    return chosen


def mean_weights(folder: Path, steps: list[int]) -> dict[str, Tensor]:
    """The mean of the weights that the checkpoints of these steps would make a model of."""
    total = {name: tensor.double() for name, tensor in checkpoint.weights(folder, steps[0]).items()}
    for step in steps[1:]:
        for name, tensor in checkpoint.weights(folder, step).items():
            total[name] += tensor
    return {name: (tensor / len(steps)).float() for name, tensor in total.items()}


def _choose(run: Path, folder: Path, last: int | None, best: int | None) -> list[int]:
    there = checkpoint.steps(folder)
    if not there:
        raise UserError(f"{folder}: no checkpoints; train the recipe first")
    if last is not None:
        chosen, key = there[-last:], "keep_last"
    else:
        chosen, key = [int(step) for _, step in checkpoint.load(folder, there[-1]).state["ranking"]][:best], "keep_best"
    wanted = last or best or 1
    if len(chosen) < wanted:
        which = "newest" if last is not None else "best"
        command = f"seq2seq train {run} training.checkpoints.{key}={wanted} --force"
        raise UserError(
            f"{folder}: only the {len(chosen)} {which} can be averaged, not {wanted}: the others are gone, or were "
            f"never made; take {len(chosen)}, or train again and keep more: {command}"
        )
    return chosen
