"""What a search needs of whatever scores next tokens: a model, an ensemble, an exported graph.

Three things: `start` reads source sentences, `step` scores the next token of every hypothesis, and `select`, of the
state, keeps some of the hypotheses. The search holds hypotheses in numpy arrays and imports no torch; only the scores
over the vocabulary stay in arrays of the scorer's own kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = Any
"""A numpy array, or a torch tensor: what both can do is enough."""


@runtime_checkable
class State(Protocol):
    """What a scorer carries from step to step for every hypothesis: sentences x beam of them."""

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> State:
        """The state of some hypotheses of some sentences.

        Args:
            rows: the hypotheses [sentences kept, beam], each as sentence * old beam + position in its beam.
            sentences: which of the sentences are kept, in order; None: all of them.
        """
        ...


@runtime_checkable
class Logits(Protocol):
    """Scores of every hypothesis's next token, free to be changed in place.

    <pad>, <s> and <unk> have -inf: they are never written. The normalizer counts them all the same, so that scores are
    those that the model gives the translation.
    """

    values: Array
    """Unnormalised log-probabilities [sentences, beam, vocab]."""
    normalizer: Array
    """log sum exp of the values, as the model gave them [sentences, beam]."""

    def top(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k largest values of each hypothesis, or all where there are fewer, less its normalizer, and their tokens
        [sentences, beam, k].

        A search asks for these, and not for `values`, which an exported model keeps to itself until somebody does.
        """
        ...

    def take(self, parents: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Log-probabilities [sentences, candidates] of tokens, each after the hypothesis at `parents` of its row."""
        ...

    def log_probabilities(self) -> np.ndarray:
        """The values less their normalizer [sentences, beam, vocab]."""
        ...

    def copy(self) -> Logits:
        """The same values, not touched by what happens to these."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """Scores next tokens. Its states are `State`s of a kind of its own."""

    def start(self, sources: Sequence[Sequence[int]]) -> Any:
        """Read source sentences, tokens with </s>: a state of one hypothesis a sentence."""
        ...

    def step(self, tokens: np.ndarray, state: Any) -> tuple[Logits, Any]:
        """After one more token of every hypothesis [sentences, beam]: the next one's scores, and the next state."""
        ...


class NumpyLogits:
    """Logits in a numpy array.

    Args:
        values: [sentences, beam, vocab]; taken over, and changed.
        normalizer: of these values; None: to be computed.
    """

    def __init__(self, values: np.ndarray, normalizer: np.ndarray | None = None) -> None:
        self.values = values
        self.normalizer = log_sum_exp(values) if normalizer is None else normalizer
        values[..., [0, 1, 3]] = -np.inf

    def top(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        best, tokens = top_k(self.values, k)
        return best.astype(np.float64) - self.normalizer[..., None], tokens

    def take(self, parents: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        rows = np.arange(len(parents))[:, None]
        found: np.ndarray = self.values[rows, parents, tokens].astype(np.float64) - self.normalizer[rows, parents]
        return found

    def log_probabilities(self) -> np.ndarray:
        return np.asarray(self.values - self.normalizer[..., None])

    def copy(self) -> NumpyLogits:
        return NumpyLogits(self.values.copy(), self.normalizer)


def top_k(values: np.ndarray, k: int, block: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """The k largest over the last axis, or all where there are fewer, and where they stand.

    In two passes where the axis is long: the k largest are in the k blocks of the largest maxima.
    """
    width = values.shape[-1]
    k, blocks = min(k, width), width // block
    places = None
    if blocks >= 4 * k:
        whole = blocks * block
        maxima = values[..., :whole].reshape(*values.shape[:-1], blocks, block).max(-1)
        chosen = np.argpartition(-maxima, k - 1)[..., :k, None] * block + np.arange(block)
        rest = np.broadcast_to(np.arange(whole, width), (*values.shape[:-1], width - whole))
        places = np.concatenate([chosen.reshape(*values.shape[:-1], k * block), rest], -1)
        values = np.take_along_axis(values, places, -1)
    found = np.argpartition(-values, k - 1)[..., :k]
    best = np.take_along_axis(values, found, -1)
    tokens = found if places is None else np.take_along_axis(places, found, -1)
    order = np.lexsort((tokens, -best))
    return np.take_along_axis(best, order, -1), np.take_along_axis(tokens, order, -1)


def log_sum_exp(values: np.ndarray) -> np.ndarray:
    """log sum exp over the last axis."""
    largest = values.max(-1, keepdims=True)
    total: np.ndarray = np.log(np.exp(values - largest).sum(-1)) + largest[..., 0]
    return total
