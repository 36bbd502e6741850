"""HTML: the text is translated, tags, comments, scripts and entities around it stay byte for byte."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator

from seq2seq.decoding.markup import MARKUP, VOID, Tag
from seq2seq.documents.document import Document, Sentence, Syntax, sentences

_INLINE = frozenset(
    "a abbr b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span strike strong "
    "sub sup time tt u var wbr".split()
)
"""Elements within a sentence; all others end it."""
_VERBATIM = frozenset("script style code pre kbd samp var textarea svg math template".split())
_NO_TRANSLATION = re.compile(r"""\btranslate\s*=\s*["']?no\b|\bclass\s*=\s*["'][^"']*\bnotranslate\b""", re.I)
_HTML = Syntax(html.unescape, functools.partial(html.escape, quote=False))


class Html(Document):
    """A piece of HTML, or a page.

    Args:
        aligned: whether translations come with alignments; else what stands between two tags is translated by itself.
    """

    def __init__(self, source: str, aligned: bool) -> None:
        super().__init__(_parts(source, aligned))


def _parts(source: str, aligned: bool) -> Iterator[str | Sentence]:
    gathered: list[str | Tag] = []
    for part, ends in [*_pieces(source), ("", True)]:
        if not ends:
            gathered.append(part)
            continue
        yield from sentences(gathered, _HTML, aligned)
        yield part.raw if isinstance(part, Tag) else part
        gathered = []


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
