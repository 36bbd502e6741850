"""What translating gives for a line. Imports no torch: exported models need it too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from seq2seq import notebook
from seq2seq.decoding.paragraphs import Piece
from seq2seq.decoding.words import Link


@dataclass(frozen=True)
class Candidate:
    """One of a line's translations."""

    text: str
    score: float
    """What candidates compete by: the log-probability normalised for length."""
    log_probability: float
    """In nats."""
    tokens: tuple[int, ...] = ()
    """As the search found them, without </s>; none where a long line was translated in pieces."""
    token_log_probabilities: tuple[float, ...] = ()
    """Of each token and of </s> after them, in nats; none where a long line was translated in pieces."""
    confidence: float = 0.0
    """How many of its words are right, by the model: the share expected, where the run has calibrated it on its
    validation data; else the geometric mean of the tokens' probabilities."""
    word_confidences: tuple[float, ...] = ()
    """Of each word of `text.split()`, tags left out: how likely it is right."""
    scores: tuple[tuple[str, float], ...] = ()
    """Where other models have scored it too: what the score is the weighted sum of, by name, the search's first."""
    alignment: tuple[Link, ...] | None = None
    """Which words of the source its words come from, tags left out; None: not asked for, or without attention."""
    attention: np.ndarray | None = field(default=None, compare=False, repr=False)
    """Over the source's tokens at each of its own, with </s> [tgt_len, src_len]; None as above, or where a long line
    was translated in pieces."""


NOTHING = Candidate("", 0.0, 0.0, alignment=())
"""The translation of a blank line."""


def joined(parts: Sequence[tuple[Piece, Candidate]]) -> Candidate:
    """The translation of a line from those of its parts."""
    best = [candidate for _, candidate in parts if candidate is not NOTHING]
    text = "".join(piece.before + candidate.text for piece, candidate in parts if candidate is not NOTHING)
    score = sum(candidate.score for candidate in best) / max(1, len(best))
    words = tuple(itertools.chain.from_iterable(candidate.word_confidences for candidate in best))
    total = sum(len(candidate.word_confidences) * candidate.confidence for candidate in best)
    logs = math.fsum(candidate.log_probability for candidate in best)
    sure = total / max(1, len(words))
    return Candidate(text, score, logs, confidence=sure, word_confidences=words, alignment=_joined_alignment(parts))


def _joined_alignment(parts: Sequence[tuple[Piece, Candidate]]) -> tuple[Link, ...] | None:
    """Words count on from part to part."""
    found: list[Link] = []
    source = target = 0
    for piece, candidate in parts:
        if candidate.alignment is None:
            return None
        found += [(source + s, target + t) for s, t in candidate.alignment]
        source, target = source + len(piece.text.split()), target + len(candidate.text.split())
    return tuple(found)


@dataclass(frozen=True)
class Translation:
    """A line and its translations, best first, no two with the same text; at least one."""

    source: str
    candidates: list[Candidate]
    pieces: int = 1
    """In how many pieces the line was translated: 0 for a blank one, 1 unless it is very long."""
    unknown: list[str] = field(default_factory=list)
    """Stretches of the source that the model has no token for: it may have never seen them."""
    missing: list[str] = field(default_factory=list)
    """Required phrases that the best translation does not hold."""
    alignment: list[Link] | None = None
    """Which words of the source the best translation's words come from; None: not asked for, or without attention."""
    attention: np.ndarray | None = None
    """Over the source's tokens at each token of the best translation, with </s> [tgt_len, src_len]; None as above, or
    where a long line was translated in pieces."""

    @property
    def text(self) -> str:
        """The best translation."""
        return self.candidates[0].text

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        """For notebooks: the source above its candidates."""
        rows = [(candidate.text, candidate.score) for candidate in self.candidates]
        return notebook.table((self.source, "score"), rows)
