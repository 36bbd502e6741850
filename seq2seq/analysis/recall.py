"""A task of long memory: recall a word after N others.

    when she tried to print her TICKETS <filler words> she finally printed her ___

The blank is to be filled with the word that was printed; N counts the words between it and the
blank. All words between are drawn at random, so nothing but memory helps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.layer import Layer
from seq2seq.nn.regularization import Activity, constrain, weight_penalty

OPENING = "when she tried to print her".split()
CLOSING = "she finally printed her".split()
NOUNS = "tickets letters photos invoices poems maps recipes essays badges posters".split()
FILLERS = (
    "the ink had run out so walked back to shop where a clerk sold old paper and then rain began again while neighbour "
    "called about broken heater lights flickered twice cat slept on warm box of books nobody read"
).split()
WORDS = sorted({*OPENING, *CLOSING, *NOUNS, *FILLERS})
NUMBER = {word: i for i, word in enumerate(WORDS)}
SHORTEST = len(CLOSING)
"""Least number of words between the noun and the blank."""


def sentences(
    count: int, distance: int, generator: torch.Generator
) -> tuple[Int[Tensor, "time batch"], Int[Tensor, " batch"]]:
    """Sentences up to the blank, and for each the number of the noun that belongs there.

    Args:
        distance: words between the noun and the blank, at least those of the closing.
    """
    nouns = torch.randint(len(NOUNS), (count,), generator=generator)
    fillers = torch.randint(len(FILLERS), (distance - len(CLOSING), count), generator=generator)
    columns = [
        _repeated(OPENING, count),
        torch.tensor([NUMBER[word] for word in NOUNS])[nouns].unsqueeze(0),
        torch.tensor([NUMBER[word] for word in FILLERS])[fillers],
        _repeated(CLOSING, count),
    ]
    return torch.cat(columns), nouns


def _repeated(words: list[str], count: int) -> Int[Tensor, "time batch"]:
    return torch.tensor([NUMBER[word] for word in words]).unsqueeze(1).expand(-1, count)


class RecallModel(nn.Module):
    """Embeddings, one recurrent layer, and a choice among the nouns from its last output."""

    def __init__(self, cell: recipe.AnyCell, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), hidden_size)
        self.layer = Layer(recipe.StackConfig(cell=cell, hidden_size=hidden_size), hidden_size)
        self.choice = nn.Linear(hidden_size, len(NOUNS))

    def forward(self, words: Int[Tensor, "time batch"]) -> Float[Tensor, "batch nouns"]:
        outputs, _ = self.layer(self.embedding(words))
        chosen: Tensor = self.choice(outputs[-1])
        return chosen


@dataclass(frozen=True)
class Course:
    """How a training went; it ends early where the loss or its gradient is not finite."""

    losses: list[float]
    """Of each step, in nats."""
    gradient_norms: list[float]
    """Of each step, before clipping."""
    seconds: float


def train(
    model: RecallModel,
    longest: int,
    steps: int,
    seed: int,
    clip_norm: float | None = 1.0,
    rate: float = 0.002,
    optimizer_class: type[torch.optim.Adam | torch.optim.SGD] = torch.optim.Adam,
) -> Course:
    """Train, 32 sentences a step, at distances from the shortest to `longest`.

    Adam divides each step by the gradient's usual size, so that a gradient that explodes does it no harm that clipping
    could heal; plain SGD does not.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = optimizer_class(model.parameters(), rate, fused=True)
    losses, norms, started = [], [], time.perf_counter()
    model.train()
    for _ in range(steps):
        distance = int(torch.randint(SHORTEST, longest + 1, (), generator=generator))
        words, nouns = sentences(32, distance, generator)
        with Activity(model) as heard:
            loss = F.cross_entropy(model(words), nouns)
        weights, activity = weight_penalty(model), heard.penalty()
        loss = loss if weights is None else loss + weights
        (loss if activity is None else loss + activity / len(words)).backward()
        limit = float("inf") if clip_norm is None else clip_norm
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        optimizer.zero_grad()
        constrain(model)
        if not (loss.isfinite() and norm.isfinite()):
            break
        losses.append(loss.item())
        norms.append(norm.item())
    return Course(losses, norms, time.perf_counter() - started)


@torch.inference_mode()
def accuracy(model: RecallModel, distance: int, seed: int, count: int = 500) -> float:
    """Share of new sentences whose noun is recalled; chance is 1 in 10."""
    words, nouns = sentences(count, distance, torch.Generator().manual_seed(seed + 1_000_003))
    return float((model.eval()(words).argmax(-1) == nouns).float().mean())
