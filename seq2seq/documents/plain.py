"""Plain text: each line is translated by itself; blank lines, indentation and line ends stay."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seq2seq.documents.document import Document, Sentence, Syntax, sentences

LINE_END = re.compile(r"(\r?\n)")


_AS_IT_IS = Syntax()


class Plain(Document):
    """A text of lines, ended by `\\n` alone or with `\\r` before it. All that are not blank are translated."""

    def __init__(self, source: str) -> None:
        super().__init__(_lines(source))


def _lines(source: str) -> Iterator[str | Sentence]:
    for part in LINE_END.split(source):
        text = part.strip()
        if not text:
            yield part
            continue
        yield part[: part.index(text)]
        yield Sentence([text])
        yield part[part.index(text) + len(text) :]


def by_line(text: str, syntax: Syntax = _AS_IT_IS) -> Iterator[str | Sentence]:
    """A text's lines, each a sentence if there is a letter in it.

    Args:
        syntax: how its lines, told apart, are written.
    """
    for part in LINE_END.split(text):
        yield from sentences([part], syntax, aligned=False)
