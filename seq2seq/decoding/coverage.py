"""The coverage penalty (Wu et al. 2016, equation 14): translations that leave parts of the source unattended lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.data.tokenization import EOS
from seq2seq.decoding.processors import Prefixes
from seq2seq.decoding.scorer import Logits, Scorer, State
from seq2seq.decoding.search import normalize
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.recipe import AnyPenalty
else:  # an exported model translates where no pydantic is installed
    AnyPenalty = Any

LEAST = 1e-6
"""Of the attention that counts: a word that got none at all costs as much as one that got this."""


@dataclass(frozen=True)
class CoveredState:
    """A scorer's state, and the attention of all steps so far."""

    inner: State
    coverage: np.ndarray
    """[sentences, beam, src_len]."""

    @property
    def attention(self) -> np.ndarray | None:
        """Where the last step looked."""
        look: np.ndarray | None = getattr(self.inner, "attention", None)
        return look

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> CoveredState:
        coverage = self.coverage.reshape(-1, self.coverage.shape[-1])[rows]
        return CoveredState(self.inner.select(rows, sentences), coverage)


class CoverageScorer:
    """A scorer that adds up its attention.

    Raises (in `step`):
        UserError: it shows none.
    """

    def __init__(self, inner: Scorer) -> None:
        self.inner = inner

    def start(self, sources: Sequence[Sequence[int]]) -> CoveredState:
        return CoveredState(self.inner.start(sources), np.zeros((len(sources), 1, max(map(len, sources)))))

    def step(self, tokens: np.ndarray, state: CoveredState) -> tuple[Logits, CoveredState]:
        logits, following = self.inner.step(tokens, state.inner)
        look = getattr(following, "attention", None)
        if look is None:
            raise UserError("decoding.coverage_penalty: this model has no attention to add up; set it to 0")
        return logits, CoveredState(following, state.coverage + look)


class CoveragePenalty:
    """Where a hypothesis ends, its score is raised by `weight` x sum over the source's tokens of
    log min(attention received, 1). Its scorer has to be a `CoverageScorer`.

    Args:
        length_penalty: that the score is normalised by afterwards; the penalty is not.
    """

    changes_scores = True

    def __init__(self, weight: float, length_penalty: AnyPenalty) -> None:
        self.weight, self.length_penalty = weight, length_penalty

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        coverage = prefixes.state.coverage
        real = np.arange(coverage.shape[-1]) < prefixes.src_lengths[:, None] - 1  # all but </s>
        logs = np.log(np.clip(coverage, LEAST, 1.0)) * real[:, None]
        share = normalize(np.array(1.0), prefixes.tokens.shape[-1], self.length_penalty)
        ends = self.weight * logs.sum(-1) / share
        for row, beam in np.ndindex(ends.shape):
            logits.values[row, beam, EOS] += float(ends[row, beam])
