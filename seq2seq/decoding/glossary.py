"""Glossaries: where a line holds a source phrase, its translation holds the target phrase."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from seq2seq.data.lines import Faults, text_lines

KEY = "decoding.glossary"
MOST = 10_000
"""Pairs of a glossary."""
MAX_PHRASE = 1000
"""Characters of a phrase."""
_UNITS = {True: re.compile(r"\w+|[^\w\s]"), False: re.compile(r"[A-Za-z0-9]+|\S")}
"""What phrases are compared by: words and signs; in languages without spaces, characters."""

Glossary = str | Mapping[str, str] | SimpleNamespace
"""A TSV file; or source phrases with their targets, which an exported model has as attributes."""


class Terms:
    """Finds a glossary's source phrases in lines.

    Args:
        glossary: as `decoding.glossary`.
        spaced: whether the source language puts spaces between words: then phrases are whole words.

    Raises:
        UserError: the file cannot be read, or has bad lines.
    """

    def __init__(self, glossary: Glossary, spaced: bool) -> None:
        self._units = _UNITS[spaced]
        self._by_first: dict[str, list[tuple[list[str], str]]] = {}
        for source, target in pairs(glossary).items():
            units = self._units.findall(source)
            if units:
                self._by_first.setdefault(units[0], []).append((units, target))
        for entries in self._by_first.values():
            entries.sort(key=lambda entry: -len(entry[0]))

    def required(self, line: str) -> list[str]:
        """The target phrases of a line, in the order of its source phrases, each once.

        From left to right the longest phrase counts, and what it covers counts no more. One that is written in lower
        case is found in any case, every other as it is written.
        """
        exact = self._units.findall(line)
        lower = [unit.lower() for unit in exact]
        found: dict[str, None] = {}
        place = 0
        while place < len(exact):
            size, target = max(self._at(place, exact), self._at(place, lower))
            if size:
                found[target] = None
            place += max(1, size)
        return list(found)

    def _at(self, place: int, units: Sequence[str]) -> tuple[int, str]:
        """Of the longest phrase that stands here: how long it is, and its target."""
        for phrase, target in self._by_first.get(units[place], ()):
            if units[place : place + len(phrase)] == phrase:
                return len(phrase), target
        return 0, ""


def pairs(glossary: Glossary) -> dict[str, str]:
    """Source phrases with their targets.

    Raises:
        UserError: the file cannot be read, or has bad lines.
    """
    if isinstance(glossary, str):
        return _read(Path(glossary))
    return dict(vars(glossary) if isinstance(glossary, SimpleNamespace) else glossary)


def _read(path: Path) -> dict[str, str]:
    faults, found = Faults(KEY), dict[str, str]()
    for number, line in enumerate(text_lines(path, faults, KEY), 1):
        where, columns = f"{path}:{number}", [" ".join(column.split()) for column in line.split("\t")]
        if not line.strip():
            continue
        if len(columns) != 2 or not all(columns):
            what = f"{len(columns)} column{'s' * (len(columns) != 1)}" if len(columns) != 2 else "a phrase is missing"
            faults.add(where, what, "write a source phrase, a tab, and its target phrase")
        elif max(map(len, columns)) > MAX_PHRASE:
            faults.add(where, f"a phrase of more than {MAX_PHRASE:,} characters", "shorten it")
        elif found.setdefault(columns[0], columns[1]) != columns[1]:
            faults.add(where, f"{columns[0]!r} has the target {found[columns[0]]!r} already", "keep one of them")
        elif len(found) > MOST:
            faults.add(where, f"more than {MOST:,} pairs", "keep those that count")
            break
    faults.raise_if_any()
    return found
