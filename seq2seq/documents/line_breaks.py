"""Sentences that go over several lines: their translations are broken into as many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seq2seq.decoding.markup import Tag
from seq2seq.decoding.translation import Translation
from seq2seq.documents.document import Sentence, Syntax, sentences

_HELD = "\0"
"""A space within a tag, at which no line is broken."""


@dataclass(frozen=True)
class Broken:
    """A sentence over several lines."""

    sentence: Sentence
    widths: Sequence[int]
    """Of its lines, in characters."""
    ends: Sequence[str]
    """What stands between them."""
    guard: Callable[[str], str]
    """A line that begins with what would be no text there, so that it is."""
    first: bool
    """Whether it begins a line."""

    @property
    def text(self) -> str:
        """What is translated."""
        return self.sentence.text

    def render(self, translation: Translation, choice: int = 0) -> str:
        """See `Translatable`."""
        lines = broken(self.sentence.render(translation, choice), self.widths)
        lines = [line if i == 0 and not self.first else self.guard(line) for i, line in enumerate(lines)]
        ends = [*self.ends[: len(lines) - 1], ""]
        return "".join(line + end for line, end in zip(lines, ends, strict=True)).replace(_HELD, " ")


def over_lines(
    parts: list[str | Tag], ends: list[str], syntax: Syntax, aligned: bool, guard: Callable[[str], str] = str
) -> Iterator[str | Sentence | Broken]:
    """A block of several lines as one sentence.

    Args:
        parts: with `\\n` where a line ends.
        ends: what is written there.
        aligned: see `sentences`.
    """
    left, begun = list(ends), False
    held = [part if isinstance(part, str) else Tag(_hold(part.raw), part.name, part.kind) for part in parts]
    for part in sentences(held, syntax, aligned):
        written = part if isinstance(part, str) else "".join(p if isinstance(p, str) else p.raw for p in part.parts)
        own = [left.pop(0) for _ in range(written.count("\n"))]
        if isinstance(part, Sentence):
            yield Broken(part, [max(1, len(line)) for line in written.split("\n")], own, guard, not begun)
        else:
            yield _with_ends(part, own).replace(_HELD, " ")
        begun = not written.endswith("\n") if written else begun


def _hold(raw: str) -> str:
    return raw.replace(" ", _HELD)


def _with_ends(text: str, ends: list[str]) -> str:
    lines = text.split("\n")
    return "".join(line + end for line, end in zip(lines, [*ends, ""], strict=True))


def broken(text: str, widths: Sequence[int]) -> list[str]:
    """A text in at most as many lines as there are widths, each as near to its share as the words allow."""
    words = text.split()
    share = len(text) / sum(widths)
    lines: list[list[str]] = [[]]
    written, until = 0, widths[0] * share
    for left, word in zip(range(len(words), 0, -1), words, strict=True):
        behind = len(widths) - len(lines)  # lines to come
        if lines[-1] and behind and (written + len(word) / 2 > until or left <= behind):
            until += widths[len(lines)] * share
            lines.append([])
        lines[-1].append(word)
        written += len(word) + 1
    return [" ".join(line) for line in lines]
