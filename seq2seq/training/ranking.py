"""Which validations were the best, by the recipe's metric."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seq2seq.evaluation.metrics import METRICS

Validation = tuple[float, int]
"""A score, and the step that has it."""
LOWER = {"loss", "perplexity", *(name for name, metric in METRICS.items() if metric.lower_is_better)}
"""Scores of which the lower is the better."""


@dataclass(frozen=True)
class Ranking:
    """The best validations of a training.

    Args:
        metric: that they are compared by.
        keep: how many are remembered.
    """

    metric: str
    keep: int

    def add(self, best: list[Validation], score: float, step: int) -> list[Validation]:
        """The best validations with one more, best first: of equal ones the earlier, NaN last."""
        return sorted([*best, (score, step)], key=self._key)[: self.keep]

    def _key(self, validation: Validation) -> tuple[bool, float, int]:
        score, step = validation
        return math.isnan(score), score if self.metric in LOWER else -score, step
