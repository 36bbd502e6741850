"""What changes the scores of next tokens before the best are taken: each option of `decoding` one small class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from seq2seq.data.tokenization import EOS
from seq2seq.decoding.scorer import Logits

if TYPE_CHECKING:
    from seq2seq.recipe import MaxLengthConfig, MinLengthConfig
else:  # an exported model translates where no pydantic is installed
    MaxLengthConfig = MinLengthConfig = Any


@dataclass(frozen=True)
class Prefixes:
    """What has been written of a batch's hypotheses, and of what."""

    tokens: np.ndarray
    """With <s> [open, beam, length]."""
    sentences: np.ndarray
    """Which of the batch each row is [open]."""
    sources: list[tuple[int, ...]]
    """The whole batch's source tokens, with </s>."""
    max_length: MaxLengthConfig
    state: Any = None
    """The scorer's, after these tokens."""
    scores: np.ndarray | None = None
    """What hypotheses compete by before the length counts [open, beam]; -inf where there is none."""

    @property
    def src_lengths(self) -> np.ndarray:
        """Tokens of each row's source, with </s> [open]."""
        return np.array([len(self.sources[i]) for i in self.sentences], dtype=np.int64)

    @property
    def limits(self) -> np.ndarray:
        """Longest hypothesis of each row, in tokens with </s> [open]."""
        found: np.ndarray = (self.src_lengths * self.max_length.ratio).astype(np.int64) + self.max_length.offset
        return found

    def extended(self, kept: np.ndarray, parents: np.ndarray, tokens: np.ndarray) -> Prefixes:
        """The prefixes after one more token.

        Args:
            kept: rows that go on.
            parents, tokens: of each new hypothesis [kept, beam]: its parent's position in the beam, and its last token.
        """
        longer = np.concatenate([self.tokens[kept[:, None], parents], tokens[..., None]], -1)
        return replace(self, tokens=longer, sentences=self.sentences[kept])


@runtime_checkable
class Processor(Protocol):
    """Changes the scores of next tokens in place."""

    changes_scores: bool
    """Whether the scores of tokens that stay possible change; else some become impossible (-inf), and that is all."""

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None: ...


@runtime_checkable
class BySentence(Protocol):
    """A processor that is another for each sentence."""

    def of(self, sentences: Sequence[int]) -> Processor:
        """For a batch of some of the sentences that are searched."""
        ...


def for_batch(processors: Sequence[Processor], sentences: Sequence[int]) -> list[Processor]:
    """Processors as some of the sentences that are searched need them."""
    return [each.of(sentences) if isinstance(each, BySentence) else each for each in processors]


def process(logits: Logits, prefixes: Prefixes, processors: Sequence[Processor]) -> None:
    """Let the processors change the scores; where this is the last token that fits, leave nothing but </s>, whatever
    they forbid."""
    for processor in processors:
        if processor.changes_scores:
            processor(logits, prefixes)
    last = (prefixes.tokens.shape[-1] >= prefixes.limits).nonzero()[0]
    ends = logits.values[last, :, EOS] + 0 if len(last) else None
    for processor in processors:
        if not processor.changes_scores:
            processor(logits, prefixes)
    if ends is not None:
        logits.values[last] = -np.inf
        logits.values[last, :, EOS] = ends


class MinLength:
    """</s> is impossible before so many tokens are written: `ratio` times the source's, plus `offset`.

    Args:
        blanks: tokens that no text comes of: they do not count.
    """

    changes_scores = False

    def __init__(self, config: MinLengthConfig, blanks: list[int]) -> None:
        self.config = config
        self.counts = np.ones(max([0, *blanks]) + 2, dtype=np.int64)  # by token; the last stands for all behind it
        self.counts[np.array(blanks, dtype=np.int64)] = 0

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        least = ((prefixes.src_lengths - 1) * self.config.ratio).astype(np.int64) + self.config.offset
        written = self.counts.take(prefixes.tokens[..., 1:], mode="clip").sum(-1)
        rows, beams = (written < least[:, None]).nonzero()
        if len(rows):  # an exported model's logits are better left where they are
            logits.values[rows, beams, EOS] = -np.inf


class NoRepeatedNgram:
    """No n tokens come twice in a translation (Paulus et al. 2018, section 2.5)."""

    changes_scores = False

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        written = prefixes.tokens[..., 1:]
        if written.shape[-1] < self.n:
            return
        seen = np.lib.stride_tricks.sliding_window_view(written, self.n, -1)
        last = written[..., written.shape[-1] - self.n + 1 :]
        rows, beams, places = (seen[..., :-1] == last[:, :, None]).all(-1).nonzero()
        logits.values[rows, beams, seen[rows, beams, places, -1]] = -np.inf


class RepetitionPenalty:
    """The log-probability of each token that has been written is multiplied by `penalty` (after Keskar et al. 2019,
    section 4.1, who divide logits, which have no zero of their own)."""

    changes_scores = True

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        open_, beam, length = prefixes.tokens.shape
        rows, beams = np.arange(open_).repeat(beam * (length - 1)), np.arange(beam).repeat(length - 1)
        at = rows, np.tile(beams, open_), prefixes.tokens[..., 1:].reshape(-1)
        normalizer = logits.normalizer[at[:2]]
        logits.values[at] = normalizer + self.penalty * (logits.values[at] - normalizer)
