"""Shallow fusion (Gulcehre et al. 2015, section 4.1): a language model has a say in every next token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.data.tokenization import EOS
from seq2seq.decoding.processors import Prefixes
from seq2seq.decoding.scorer import Logits, Scorer, State


@dataclass(frozen=True)
class FusedState:
    """The states of a translation model and of a language model."""

    inner: State
    language_model: State
    opinion: Logits | None = None
    """The language model's scores of the next token."""

    @property
    def attention(self) -> np.ndarray | None:
        """Where the translation model's last step looked."""
        look: np.ndarray | None = getattr(self.inner, "attention", None)
        return look

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> FusedState:
        return FusedState(self.inner.select(rows, sentences), self.language_model.select(rows, sentences))


class FusionScorer:
    """A translation model's scores; a language model reads along, for `ShallowFusion`."""

    def __init__(self, inner: Scorer, language_model: Scorer) -> None:
        self.inner, self.language_model = inner, language_model

    def start(self, sources: Sequence[Sequence[int]]) -> FusedState:
        return FusedState(self.inner.start(sources), self.language_model.start([[EOS]] * len(sources)))

    def step(self, tokens: np.ndarray, state: FusedState) -> tuple[Logits, FusedState]:
        logits, inner = self.inner.step(tokens, state.inner)
        opinion, following = self.language_model.step(tokens, state.language_model)
        return logits, FusedState(inner, following, opinion)


class ShallowFusion:
    """Adds `weight` times the language model's log-probability to each token's. Its scorer has to be a
    `FusionScorer`, as it is or within another."""

    changes_scores = True

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        state = prefixes.state
        while not isinstance(state, FusedState):
            state = state.inner
        assert state.opinion is not None
        if isinstance(logits.values, np.ndarray):
            logits.values += self.weight * state.opinion.log_probabilities()
        else:
            logits.values += self.weight * (state.opinion.values - state.opinion.normalizer[..., None])
