"""How sure a model is of a word or a sentence, as the share of such words that are right.

A token's probability says how likely the model finds it, not how often it is right. What is right is measured on the
validation data: a word that the reference has too (each of its words counts once). Isotonic regression (Zadrozny &
Elkan 2002) then turns probabilities into shares.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2seq.errors import UserError
from seq2seq.files import read_bounded, write_json

FILE = "confidence.json"
POINTS, FILE_BYTES, BINS = 100, 1 << 16, 10


@dataclass(frozen=True)
class Curve:
    """From a probability to a share, rising, straight between its points."""

    probabilities: list[float]
    shares: list[float]

    def __call__(self, probability: float) -> float:
        return float(np.interp(probability, self.probabilities, self.shares))


@dataclass(frozen=True)
class Calibration:
    """Of words and of sentences."""

    word: Curve
    sentence: Curve

    def save(self, folder: Path) -> None:
        """Write it beside the model."""
        curves = {"word": self.word, "sentence": self.sentence}
        write_json(folder / FILE, {name: vars(curve) for name, curve in curves.items()})

    @classmethod
    def load(cls, folder: Path) -> Calibration | None:
        """What stands beside a model; None: nothing does.

        Raises:
            UserError: it is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            content = json.loads(read_bounded(path, FILE_BYTES))
            return cls(*(_checked(content[name]) for name in ("word", "sentence")))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = str(error)[:100]
            raise UserError(f"{path}: damaged: {reason}; remove it (nothing but confidences needs it)") from None


def _checked(content: dict[str, list[float]]) -> Curve:
    probabilities, shares = content["probabilities"], content["shares"]
    for values in (probabilities, shares):
        if not all(isinstance(v, float | int) and 0 <= v <= 1 for v in values) or values != sorted(values):
            raise ValueError("not a rising curve from 0 to 1")
    if not 1 <= len(probabilities) == len(shares) <= POINTS:
        raise ValueError(f"not a curve of 1 to {POINTS} points")
    return Curve(probabilities, shares)


def isotonic(probabilities: Sequence[float], right: Sequence[float]) -> Curve:
    """The rising curve nearest to what was seen, by pooling adjacent violators.

    Args:
        right: of each the share that was right, 0 to 1.
    """
    order = np.argsort(probabilities, kind="stable")
    pools: list[tuple[float, float, float]] = []  # sum of the probabilities, of what was right, and how many
    for i in order.tolist():
        pools.append((probabilities[i], right[i], 1.0))
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            last, before = pools.pop(), pools.pop()
            pools.append((last[0] + before[0], last[1] + before[1], last[2] + before[2]))
    if not pools:
        return Curve([0.0, 1.0], [0.0, 1.0])
    chosen = pools if len(pools) <= POINTS else [pools[i] for i in np.linspace(0, len(pools) - 1, POINTS).astype(int)]
    return Curve([min(1.0, x / n) for x, _, n in chosen], [min(1.0, y / n) for _, y, n in chosen])


def right_words(hypothesis: str, reference: str) -> list[float]:
    """Of each word of a translation whether the reference has it: 1 or 0."""
    left = Counter(reference.split())
    found = []
    for word in hypothesis.split():
        found.append(1.0 if left[word] > 0 else 0.0)
        left[word] -= 1
    return found


def sentence_probability(token_log_probabilities: Sequence[float]) -> float:
    """The geometric mean of the tokens' probabilities."""
    if not token_log_probabilities:
        return 0.0
    return math.exp(min(0.0, math.fsum(token_log_probabilities) / len(token_log_probabilities)))


def calibration_error(confidences: Sequence[float], right: Sequence[float]) -> float:
    """Expected calibration error: the mean distance, over ten ranges of confidence, between it and the share that is
    right (Guo et al. 2017, equation 5)."""
    sure, hits = np.asarray(confidences), np.asarray(right)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = (abs(sure[bins == b].sum() - hits[bins == b].sum()) for b in range(BINS))
    return float(sum(gaps) / max(1, len(sure)))
