"""The training data in the order that a seed gives: epoch after epoch, batch after batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np

from seq2seq import recipe
from seq2seq.data.batching import Batch, Plan, collate, plan_epoch
from seq2seq.data.bpe_dropout import BpeDropout
from seq2seq.data.preparation import PreparedPairs
from seq2seq.distributed import Processes


class BatchLoader:
    """Batches by their place, so that a training can resume from any of them.

    Args:
        config: the recipe's `training.batch`.
        weights: how often each pair is seen an epoch, on average [pairs]; None: once.
        dropouts: cut the words of sources and targets again each time; None: they stay as they were prepared, as
            they do for the size of a batch.
        aligned: whether the batches carry the pairs' alignments.
    """

    def __init__(
        self,
        config: recipe.BatchConfig,
        pairs: PreparedPairs,
        weights: np.ndarray | None,
        seed: int,
        dropouts: tuple[BpeDropout, BpeDropout] | None = None,
        aligned: bool = False,
    ) -> None:
        self.config, self.pairs, self.weights, self.seed = config, pairs, weights, seed
        self.dropouts, self.aligned = dropouts, aligned
        self._plans: dict[int, Plan] = {}

    def batches(self, epoch: int) -> int:
        """Batches of an epoch."""
        return len(self._plan(epoch))

    def steps(self, epoch: int) -> int:
        """Optimizer steps of an epoch."""
        return -(-self.batches(epoch) // self.config.accumulate)

    def take(self, epoch: int, first: int, processes: Processes) -> list[Batch]:
        """The batches of the step that begins with the epoch's batch `first`: of each this process's share."""
        plan = self._plan(epoch)
        last = min(first + self.config.accumulate, len(plan))
        return [self._share(epoch, i, processes) for i in range(first, last)]

    def _share(self, epoch: int, place: int, processes: Processes) -> Batch:
        own = processes.share(range(len(self._plan(epoch)[place])))
        if own:
            return self._collate(epoch, place, own)
        # Fewer sentences than processes: one that another process counts, to be computed with and not counted.
        batch = self._collate(epoch, place, range(1))
        alignment = None if batch.alignment is None else batch.alignment.zero_()
        return replace(batch, tgt_output=batch.tgt_output.zero_(), tgt_tokens=0, alignment=alignment)

    def _collate(self, epoch: int, place: int, rows: Sequence[int]) -> Batch:
        """Some rows of the batch at a place."""
        indices = self._plan(epoch)[place][np.asarray(rows)]
        src, tgt = self.pairs.take(indices)
        if self.dropouts is not None:
            # Random numbers of each row's own: whatever came before, and whichever process has the row.
            randoms = [Random(f"{self.seed} {epoch} {place} {row}") for row in rows]
            src, tgt = (
                [np.array(cut(ids.tolist(), random)) for ids, random in zip(side, randoms, strict=True)]
                for cut, side in zip(self.dropouts, (src, tgt), strict=True)
            )
        return collate(src, tgt, self.pairs.links(indices) if self.aligned else None)

    def _plan(self, epoch: int) -> Plan:
        if epoch not in self._plans:
            ascending = epoch < self.config.curriculum_epochs
            lengths = self.pairs.lengths
            plan = plan_epoch(*lengths, self.config.tokens, self.seed, epoch, self.weights, ascending)
            self._plans = {epoch: plan}
        return self._plans[epoch]
