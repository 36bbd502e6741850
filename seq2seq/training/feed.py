"""The training data in the order that a seed gives: epoch after epoch, batch after batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seq2seq import recipe
from seq2seq.data.batching import Batch, Plan, collate, plan_epoch
from seq2seq.data.preparation import PreparedPairs
from seq2seq.training.distributed import Processes


class Feed:
    """Batches by their place, so that a training can go on from any of them.

    Args:
        section: the recipe's `training.batch`.
        weights: how often each pair is seen an epoch, on average [pairs]; None: once.
    """

    def __init__(self, section: recipe.Batch, pairs: PreparedPairs, weights: np.ndarray | None, seed: int) -> None:
        self.section, self.pairs, self.weights, self.seed = section, pairs, weights, seed
        self._plans: dict[int, Plan] = {}

    def batches(self, epoch: int) -> int:
        """Batches of an epoch."""
        return len(self._plan(epoch))

    def updates(self, epoch: int) -> int:
        """Updates of an epoch."""
        return -(-self.batches(epoch) // self.section.accumulate)

    def take(self, epoch: int, first: int, processes: Processes) -> list[Batch]:
        """The batches of the update that begins with the epoch's batch `first`: of each this process's share."""
        plan = self._plan(epoch)
        last = min(first + self.section.accumulate, len(plan))
        return [self._collate(plan[i], processes) for i in range(first, last)]

    def _collate(self, rows: np.ndarray, processes: Processes) -> Batch:
        own = rows[processes.rank :: processes.count]
        if len(own):
            return collate(*self.pairs.take(own))
        # Fewer sentences than processes: one that another process counts, to be computed with and not counted.
        batch = collate(*self.pairs.take(rows[:1]))
        return replace(batch, tgt_output=batch.tgt_output.zero_(), tgt_tokens=0)

    def _plan(self, epoch: int) -> Plan:
        if epoch not in self._plans:
            ascending = epoch < self.section.curriculum_epochs
            lengths = self.pairs.lengths
            plan = plan_epoch(*lengths, self.section.tokens, self.seed, epoch, self.weights, ascending)
            self._plans = {epoch: plan}
        return self._plans[epoch]
