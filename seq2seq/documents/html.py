"""HTML: the text is translated, tags, comments, scripts and entities around it stay byte for byte.

What is written in one block is translated as one sentence, and inline tags go where their words went, as in Firefox's
translations: each translated word stands in the elements of the source word it is aligned to.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2seq.decoding.markup import MARKUP, VOID, Layout, Tag, counterparts, placed
from seq2seq.decoding.translation import Translation
from seq2seq.documents.plain import chosen

_INLINE = frozenset(
    "a abbr b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike strong "
    "sub sup time tt u var wbr".split()
)
"""Elements within a sentence; all others end it."""
_VERBATIM = frozenset("script style code pre kbd samp var textarea svg math template".split())
_NO_TRANSLATION = re.compile(r"""\btranslate\s*=\s*["']?no\b|\bclass\s*=\s*["'][^"']*\bnotranslate\b""", re.I)


@dataclass
class Sentence:
    """A block's text with its inline tags."""

    parts: list[str | Tag]
    """Text is as written, with its entities."""

    @property
    def text(self) -> str:
        """What is translated: without tags, entities resolved, white space single."""
        return " ".join("".join(html.unescape(part) for part in self.parts if isinstance(part, str)).split())


class Html:
    """A piece of HTML, or a page.

    Args:
        aligned: whether translations come with alignments; else what stands between two tags is translated by itself.
    """

    def __init__(self, source: str, aligned: bool) -> None:
        self._parts: list[str | Sentence] = []
        gathered: list[str | Tag] = []
        for part, ends in [*_pieces(source), ("", True)]:
            if not ends and (aligned or isinstance(part, str)):
                gathered.append(part)
                continue
            for run in _nested(gathered):
                self._parts += _sentence(run)
            self._parts.append(part.raw if isinstance(part, Tag) else part)
            gathered = []

    @property
    def texts(self) -> list[str]:
        """What is to be translated, one sentence or paragraph each."""
        return [part.text for part in self._parts if isinstance(part, Sentence)]

    def render(self, found: Sequence[Translation], choice: int = 0) -> str:
        """The same HTML with translations of `texts` in place.

        Args:
            choice: which candidate of each to take, the best where there are fewer, or tags stand within.
        """
        translations = iter(found)
        return "".join(
            part if isinstance(part, str) else _translated(part, next(translations), choice) for part in self._parts
        )


def _pieces(source: str) -> Iterator[tuple[str | Tag, bool]]:
    """Text and markup in order, and whether it ends a sentence."""
    place, verbatim = 0, ""  # the name of the element that is skipped
    depth = start = 0
    for match in MARKUP.finditer(source):
        name, closes = (match["name"] or "").lower(), bool(match["close"])
        void = name in VOID or (match["rest"] or "").endswith("/")
        if verbatim:
            if name == verbatim and not void:
                depth += -1 if closes else 1
            if depth == 0:
                yield Tag(source[start : match.end()]), verbatim not in _INLINE
                verbatim, place = "", match.end()
            continue
        if match.start() > place:
            yield source[place : match.start()], False
        place = match.end()
        if not void and not closes and name and (name in _VERBATIM or _NO_TRANSLATION.search(match["rest"])):
            verbatim, depth, start = name, 1, match.start()
        else:
            kind = "void" if void or not name else "close" if closes else "open"
            yield Tag(match[0], name, kind), bool(name) and name not in _INLINE
    if verbatim:
        yield Tag(source[start:]), True
    elif place < len(source):
        yield source[place:], False


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


def _sentence(parts: list[str | Tag]) -> Iterator[str | Sentence]:
    """What stands between two blocks: a sentence, with what is around its words left as it is."""
    texts = [i for i, part in enumerate(parts) if isinstance(part, str) and any(map(str.isalpha, html.unescape(part)))]
    if not texts:
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
    yield Sentence(inner)
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


def _translated(sentence: Sentence, translation: Translation, choice: int) -> str:
    """A sentence's translation as HTML."""
    if all(isinstance(part, str) for part in sentence.parts):
        return _escape(chosen(translation, choice))
    return placed(
        Layout.of(sentence.parts, html.unescape), translation.text.split(), translation.alignment or [], _escape
    )


def _escape(text: str) -> str:
    return html.escape(text, quote=False)
