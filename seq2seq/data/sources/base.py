"""What every source of parallel text knows: its files, how it is read, and what its pairs depend on."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from seq2seq.data.lines import MAX_LINE, fail, hash_of
from seq2seq.recipe.sources import SourceConfig

Role = Literal["train", "valid", "test"]
Pair = tuple[str, str]
Pairs = Iterator[Pair]
C = TypeVar("C", bound=SourceConfig)


class DataSource(ABC, Generic[C]):
    """A source of parallel text.

    Args:
        config: its section of the recipe.
        role: what the pairs are for.
        src, tgt: the languages' codes.
        key: where the recipe names it, for errors.
    """

    fix = "check which texts this source names"
    """What to do where a side does not hold what it should."""
    header_fix = "remove that line"
    """What to do where the first pair is a header."""
    later = "is fetched when the data is prepared"
    """What is said where `validate` reads nothing."""

    def __init__(self, config: C, role: Role, src: str, tgt: str, key: str = "") -> None:
        self.config, self.role, self.src, self.tgt, self.key = config, role, src, tgt, key

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in an error."""

    @abstractmethod
    def read(self) -> Pairs:
        """Its pairs; no text holds a line end."""

    @property
    def preview(self) -> int | None:
        """Pairs that `validate` reads: all (None), the first of what is generated, nothing of what would be fetched."""
        return None

    def files(self) -> dict[str, Path]:
        """The files that it reads, by labels that do not depend on where they lie."""
        return {}

    def options(self) -> dict[str, str]:
        """What its pairs depend on beside its files' contents, by label."""
        return {}

    def pairs(self) -> Pairs:
        """The sentence pairs, one after the other, in constant memory.

        Raises:
            UserError: the data is missing, damaged, not UTF-8, not parallel or empty; while reading.
        """
        found = False
        for pair in self.read():
            found = True
            yield pair
        if not found:
            fail(self.key, self.name, "no sentence pairs in it; give a source that holds some")

    def fingerprint(self) -> dict[str, str]:
        """What the pairs depend on, label by label; equal where they are, wherever the files lie.

        Raises:
            UserError: a file is missing or cannot be read.
        """
        return self.options() | {label: hash_of(path, self.key) for label, path in self.files().items()}


class BadRecord(Exception):
    """A record that holds no pair: what is wrong, and the fix."""


def field(record: Any, names: list[str], option: str) -> str:
    """The text in the first of the named fields that is there; dots reach into objects.

    Args:
        option: the recipe key that names the field.

    Raises:
        BadRecord: there is none, or it holds no text.
    """
    for name in names:
        value = record
        for part in [name] if isinstance(record, dict) and name in record else name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str):
            if not value.isascii() and re.search("[\ud800-\udfff]", value):
                raise BadRecord(f"{name}: half a surrogate pair (\\ud800 to \\udfff) is no text", "fix the line")
            if len(value) > MAX_LINE:
                what = f"{name} has more than {MAX_LINE:,} characters, which is no sentence"
                raise BadRecord(what, "split or remove it")
            return one_line(value)
        if value is not None:
            what = f"{name} is {str(value)[:50]!r}, not a text"
            raise BadRecord(what, f"set {option} to a field that holds text")
    there = ", ".join(_field_names(record)) or "none"
    raise BadRecord(f"no field {' or '.join(names)}", f"set {option} to one of the fields here: {there[:500]}")


def _field_names(record: Any, prefix: str = "") -> Iterator[str]:
    for name, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, dict):
            yield from _field_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def one_line(text: str) -> str:
    """A field's text may hold line ends; a sentence must not."""
    return re.sub("[\r\n]+", " ", text) if "\n" in text or "\r" in text else text
