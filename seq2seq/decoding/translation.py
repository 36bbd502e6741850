"""What translating gives for a line, and how long lines are cut. Imports no torch: exported models need it too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from seq2seq import notebook
from seq2seq.data.tokenization import Tokenizer


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


NOTHING = Candidate("", 0.0, 0.0)
"""The translation of a blank line."""


@dataclass(frozen=True)
class Translation:
    """A line and its translations, best first, no two with the same text; at least one."""

    source: str
    candidates: list[Candidate]
    pieces: int = 1
    """In how many pieces the line was translated: 0 for a blank one, 1 unless it is very long."""
    unknown: list[str] = field(default_factory=list)
    """Stretches of the source that the model has no token for: it may have never seen them."""

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


def cut(tokens: list[int], tokenizer: Tokenizer, limit: int) -> Iterator[list[int]]:
    """Pieces of at most `limit` tokens, cut behind a sentence's end, else before a word, else anywhere."""
    while len(tokens) > limit:
        names = tokenizer.tokens(tokens[: limit + 1])
        ends = [i for i in range(1, limit + 1) if names[i - 1][-1:] in tuple(".!?。！？।؟")]
        words = [i for i in range(1, limit + 1) if names[i].startswith("▁")]
        place = max(ends, default=0) or max(words, default=0) or limit
        yield tokens[:place]
        tokens = tokens[place:]
    yield tokens
