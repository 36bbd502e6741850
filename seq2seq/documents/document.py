"""A document: stretches that stay as they are, and sentences between them that are translated.

What is written in one block is translated as one sentence, and inline tags go where their words went, as in Firefox's
translations: each translated word stands in the elements of the source word it is aligned to.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from seq2seq.decoding.markup import Layout, Tag, counterparts, placed
from seq2seq.decoding.translation import Translation


@dataclass(frozen=True)
class Syntax:
    """How a kind of document writes text."""

    read: Callable[[str], str] = str
    """What is written, as text: entities and escapes resolved."""
    write: Callable[[str], str] = str
    """The other way round."""


class Translatable(Protocol):
    """What a document holds that is translated."""

    @property
    def text(self) -> str: ...
    def render(self, translation: Translation, choice: int = 0) -> str:
        """As it stands in the document.

        Args:
            choice: which candidate to take; the best where there are fewer, or where tags stand within.
        """
        ...


@dataclass(frozen=True)
class Sentence:
    """A block's text, as written, with its inline tags."""

    parts: Sequence[str | Tag]
    syntax: Syntax = Syntax()

    @property
    def text(self) -> str:
        """What is translated: without tags, entities resolved, white space single."""
        return " ".join("".join(self.syntax.read(part) for part in self.parts if isinstance(part, str)).split())

    def render(self, translation: Translation, choice: int = 0) -> str:
        """See `Translatable`."""
        if all(isinstance(part, str) for part in self.parts):
            return self.syntax.write(chosen(translation, choice))
        layout = Layout.of(self.parts, self.syntax.read)
        return placed(layout, translation.text.split(), translation.alignment or [], self.syntax.write)


class Document:
    """A document in which some parts are to be translated."""

    def __init__(self, parts: Iterable[str | Translatable]) -> None:
        self._parts = list(parts)

    @property
    def texts(self) -> list[str]:
        """What is to be translated, one sentence or paragraph each."""
        return [part.text for part in self._parts if not isinstance(part, str)]

    def render(self, found: Sequence[Translation], choice: int = 0) -> str:
        """The same document with translations of `texts` in place.

        Args:
            choice: which candidate of each to take, the best where there are fewer, or tags stand within.
        """
        each = iter(found)
        return "".join(part if isinstance(part, str) else part.render(next(each), choice) for part in self._parts)


def chosen(translation: Translation, choice: int) -> str:
    """A candidate's text; the best one's where there are not so many."""
    candidates = translation.candidates
    return candidates[choice if choice < len(candidates) else 0].text.replace("\n", " ")


def tagged(text: str, pattern: re.Pattern[str], tag: Callable[[re.Match[str]], Tag]) -> list[str | Tag]:
    """Text and tags in turn.

    Args:
        pattern: what is a tag.
        tag: which.
    """
    parts: list[str | Tag] = []
    place = 0
    for match in pattern.finditer(text):
        parts += [text[place : match.start()], tag(match)]
        place = match.end()
    return [part for part in [*parts, text[place:]] if part]


def sentences(parts: list[str | Tag], syntax: Syntax, aligned: bool) -> Iterator[str | Sentence]:
    """A block as a sentence, with what is around its words left as it is.

    Args:
        aligned: whether translations come with alignments; else what stands between two tags is translated by itself.
    """
    runs = _nested(parts) if aligned else ([part] for part in parts)
    for run in runs:
        yield from _sentence(run, syntax)


def _nested(parts: list[str | Tag]) -> Iterator[list[str | Tag]]:
    """Cut at tags that lack their counterpart, so that all others are properly nested."""
    matched = counterparts(parts)
    whole = matched.keys() | set(matched.values())
    lone = [i for i, part in enumerate(parts) if isinstance(part, Tag) and part.kind != "void" and i not in whole]
    if not lone:
        yield parts
        return
    for before, here in itertools.pairwise([-1, *lone, len(parts)]):
        yield from _nested(parts[before + 1 : here])
        if here < len(parts):
            yield [Tag(_raw([parts[here]]))]


def _sentence(parts: list[str | Tag], syntax: Syntax) -> Iterator[str | Sentence]:
    """What is nested properly: what is before the words, the words, what is after them."""
    read = {i: syntax.read(part) for i, part in enumerate(parts) if isinstance(part, str)}
    texts = [i for i, text in read.items() if text.strip()]
    if not any(map(str.isalpha, "".join(read.values()))):
        yield _raw(parts)
        return
    first, behind = _balanced(parts, texts[0], texts[-1])
    inner = parts[first:behind]
    before, after = _raw(parts[:first]), _raw(parts[behind:])
    if isinstance(inner[0], str):
        stripped = inner[0].lstrip()
        before, inner[0] = before + inner[0][: len(inner[0]) - len(stripped)], stripped
    if isinstance(inner[-1], str):
        stripped = inner[-1].rstrip()
        after, inner[-1] = inner[-1][len(stripped) :] + after, stripped
    yield before
    yield Sentence(inner, syntax)
    yield after


def _raw(parts: Sequence[str | Tag]) -> str:
    return "".join(part if isinstance(part, str) else part.raw for part in parts)


def _balanced(parts: Sequence[str | Tag], first: int, last: int) -> tuple[int, int]:
    """A wider range that has the closing tag of each element opened in it, and the other way round."""
    kinds = [part.kind if isinstance(part, Tag) else "" for part in parts]
    opened = missing = 0
    for kind in kinds[first : last + 1]:
        if kind == "open":
            opened += 1
        elif kind == "close":
            opened, missing = (opened - 1, missing) if opened else (0, missing + 1)
    while missing and first > 0:
        first -= 1
        missing += (kinds[first] == "close") - (kinds[first] == "open")
    while opened and last < len(kinds) - 1:
        last += 1
        opened += (kinds[last] == "open") - (kinds[last] == "close")
    return first, last + 1
