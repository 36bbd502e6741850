"""How the gradient of a loss at the last step fades, or grows, on its way back through time.

After Hochreiter 1991, Bengio et al. 1994 and Pascanu et al. 2013: dL_T/ds_t is dL_T/ds_T times
the Jacobians of all steps between; its norm falls (vanishing) or grows (exploding)
exponentially with T - t, unless the cell keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F

from seq2seq.analysis.recall import SHORTEST, Course, RecallModel, accuracy, sentences, train
from seq2seq.nn.cells import Cell
from seq2seq.recipe.file import read_cell

DEFAULT_CELLS = (
    "rnn",
    "{kind: rnn, activation: relu, recurrent_initializer: identity}",
    "lstm",
    "gru",
    "mingru",
    "minlstm",
)
DISTANCES = (4, 8, 16, 32, 64)
"""Words between noun and blank, for which each cell is trained and tested."""
RADII = (0.5, 0.9, 1.0, 1.1, 1.5)
"""Spectral radii of a simple RNN's recurrent weights."""


@dataclass(frozen=True)
class Settings:
    """Sizes of the study; the defaults take about two minutes for six cells."""

    hidden_size: int = 64
    steps: int = 400
    """Updates of each training."""
    length: int = 64
    """Steps over which gradients are followed: the T - t of the plots goes to here."""
    seed: int = 1


@dataclass(frozen=True)
class CellStudy:
    """What was measured of one cell."""

    cell: str
    at_first: list[float]
    """Norm of dL_T/ds_t by T - t from 0, mean over 64 sentences, before training; s_t is the whole state (h_t, c_t)."""
    at_first_h: list[float]
    """The same of h_t alone, with what it passes on through c_t left out."""
    trained: list[float]
    """As `at_first`, after training at distances up to 32."""
    accuracy: dict[int, float]
    """Share of nouns recalled at each distance, each after a training at distances up to it."""
    seconds: float
    """Of all trainings."""


@dataclass(frozen=True)
class Clipping:
    """One training of an exploding network."""

    clip_norm: float | None
    losses: list[float]
    """Of each step; fewer than were asked for where the training failed: the next loss was not finite."""
    gradient_norms: list[float]
    failed: bool


def study_cell(text: str, settings: Settings) -> CellStudy:
    """Measure one cell: gradients before and after training, recall at each distance."""
    model = _new_model(text, settings)
    whole, h_alone = gradient_norms(model, settings.length, settings.seed)
    scores, trained, seconds = {}, whole, 0.0
    for distance in DISTANCES:
        model = _new_model(text, settings)
        seconds += train(model, distance, settings.steps, settings.seed).seconds
        scores[distance] = accuracy(model, distance, settings.seed)
        if distance == 32:
            trained, _ = gradient_norms(model, settings.length, settings.seed)
    return CellStudy(text, whole, h_alone, trained, scores, round(seconds, 1))


def gradient_norms(model: RecallModel, length: int, seed: int, count: int = 64) -> tuple[list[float], list[float]]:
    """Norms of dL_T/ds_t by T - t, of the whole state and of h_t alone, each the mean over `count` sentences.

    The loss is that of nouns drawn at random: of the right ones a trained model's loss, and its
    gradient, is nothing. The steps run one by one, so that each state is a node of its own: what h_t passes on
    through c_t of the same step counts for neither.
    """
    generator = torch.Generator().manual_seed(seed + 7)
    words, _ = sentences(count, length, generator)
    targets = torch.randint(model.choice.out_features, (count,), generator=generator)
    cell = model.layer.cell
    model.eval()
    projected = cell.project(model.embedding(words))
    state = cell.zero_state(projected, count)
    states = []
    for x in projected:
        state = tuple(part.clone().requires_grad_() for part in cell.step(x, state))
        states.append(state)
    loss = F.cross_entropy(model.choice(state[0]), targets, reduction="sum")
    flat = [part for parts in states[-length - 1 :] for part in parts]
    gradients = torch.autograd.grad(loss, flat, allow_unused=True, materialize_grads=True)
    by_step = [gradients[i : i + cell.states] for i in range(0, len(gradients), cell.states)][::-1]
    whole = [torch.cat(parts, -1).norm(dim=-1).mean().item() for parts in by_step]
    return whole, [parts[0].norm(dim=-1).mean().item() for parts in by_step]


def spectral_radius(radius: float, settings: Settings) -> list[float]:
    """Gradient norms of an untrained simple RNN whose recurrent weights are a random rotation, scaled.

    With the identity as its activation every step back multiplies the gradient by exactly
    `radius`; tanh, whose slope is at most 1, can only make it smaller.
    """
    model = _new_model("{kind: rnn, activation: identity, recurrent_initializer: orthogonal}", settings)
    scale_recurrence(model.layer.cell, radius)
    return gradient_norms(model, settings.length, settings.seed)[0]


@torch.no_grad()
def scale_recurrence(cell: Cell, radius: float) -> None:
    """Give the recurrent weights this spectral radius: the largest modulus of an eigenvalue."""
    now = torch.linalg.eigvals(cell.recurrent_kernel.double()).abs().max().item()
    cell.recurrent_kernel.mul_(radius / now)


def clipping(clip_norm: float | None, settings: Settings) -> Clipping:
    """Train a simple RNN (relu, spectral radius 1.2) whose gradients explode by SGD, with clipping or without."""
    model = _new_model("{kind: rnn, activation: relu, recurrent_initializer: identity}", settings)
    scale_recurrence(model.layer.cell, 1.2)
    course: Course = train(model, 32, settings.steps, settings.seed, clip_norm, 0.1, torch.optim.SGD)
    return Clipping(clip_norm, course.losses, course.gradient_norms, len(course.losses) < settings.steps)


def study(cells: Sequence[str], settings: Settings, report: Callable[[CellStudy], None]) -> dict[str, Any]:
    """The whole study as plain data for JSON; `report` is told of each part that is done."""
    studies = []
    for text in cells:
        studies.append(study_cell(text, settings))
        report(studies[-1])
    return {
        "task": f"recall one of 10 nouns over N other words, {SHORTEST} at least; chance 0.1",
        "settings": asdict(settings),
        "cells": [asdict(one) for one in studies],
        "spectral_radius": {str(radius): spectral_radius(radius, settings) for radius in RADII},
        "clipping": [asdict(clipping(norm, settings)) for norm in (None, 1.0)],
    }


def summary(one: CellStudy) -> str:
    """A line for the terminal."""
    recalled = ", ".join(f"{distance} words {share:.0%}" for distance, share in one.accuracy.items())
    before, after = half_life(one.at_first), half_life(one.trained)
    return f"{one.cell}: the gradient {_fall(before)} before training, {_fall(after)} after it; recall over {recalled}"


def _fall(steps: float) -> str:
    if steps == 0:
        return "vanishes at once"
    return f"halves in {steps:.1f} steps" if 0 < steps < 1000 else "does not fall"


def half_life(norms: Sequence[float]) -> float:
    """Steps back over which the gradient halves, from a straight line through its logarithm; infinite or
    negative: it does not fall; 0: there is next to nothing from the first step back."""
    points = [(float(i), math.log2(norm)) for i, norm in enumerate(norms) if norm > 1e-30]
    if len(points) < 2:
        return 0.0
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return -1 / slope if slope else math.inf


def _new_model(text: str, settings: Settings) -> RecallModel:
    torch.manual_seed(settings.seed)
    return RecallModel(read_cell(text, f"--cell {text}"), settings.hidden_size)
