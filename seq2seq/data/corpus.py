"""Parallel text that a user names: which files it is, as sources of a recipe; and pairs set aside to test with."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2seq.data.sources import Pair
from seq2seq.errors import UserError
from seq2seq.files import write_text

Section = dict[str, Any]
"""Of a recipe, that describes a source."""
_PACKED = (".gz", ".bz2", ".xz")
_VALID = re.compile(r"(?<![a-z])(?:valid|validation|val|dev|devel|devtest|tune)(?![a-z])", re.I)
_TEST = re.compile(r"(?<![a-z])(?:test|eval)(?![a-z])", re.I)
MOST_HELD_OUT = 1000


@dataclass
class Corpus:
    """Sources by what they are for."""

    train: list[Section] = field(default_factory=list)
    valid: Section | None = None
    test: dict[str, Section] = field(default_factory=dict)


def source_of(text: str, src: str, tgt: str) -> Section:
    """The source that a user means by a pattern with `{lang}`, one of two files, a table, or `hub:NAME`.

    Raises:
        UserError: it is none of these, or not there.
    """
    if text.startswith("hub:"):
        return {"hub": text.removeprefix("hub:")}
    path = Path(text)
    bare = path.with_suffix("") if path.suffix in _PACKED else path
    kind = bare.suffix.removeprefix(".").lower()
    if "{lang}" not in text and not path.is_file():
        raise UserError(f"{text}: no such file; name a file, a folder, a pattern as train.{{lang}}, or hub:NAME")
    if kind in ("tsv", "csv"):
        return {kind: text} | _columns(path, "\t" if kind == "tsv" else ",", src, tgt)
    if kind in ("jsonl", "ndjson"):
        return {"jsonl": text}
    pattern = text if "{lang}" in text else _pattern(path, src, tgt)
    missing = [name for name in (pattern.replace("{lang}", lang) for lang in (src, tgt)) if not Path(name).is_file()]
    if missing:
        raise UserError(f"{text}: {missing[0]} is not there; name two files that differ in the language's code alone, "
                        "as train.{lang}")  # fmt: skip
    return {"files": pattern}


def _columns(path: Path, delimiter: str, src: str, tgt: str) -> Section:
    """Where the first row names both languages, their columns."""
    if path.suffix in _PACKED:
        return {}
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader([file.readline(100_000)], delimiter=delimiter), [])
    return {"header": True, "src_column": src, "tgt_column": tgt} if src in names and tgt in names else {}


def _pattern(path: Path, src: str, tgt: str) -> str:
    """`train.{lang}` for train.en."""
    for lang in (src, tgt):
        found = re.search(rf"(?<![A-Za-z0-9]){re.escape(lang)}(?![A-Za-z0-9])", path.name)
        if found:
            return str(path.with_name(path.name[: found.start()] + "{lang}" + path.name[found.end() :]))
    raise UserError(
        f"{path}: neither {src} nor {tgt} is part of its name; name both files by a pattern, as train.{{lang}}"
    )


def corpus_in(folder: Path, src: str, tgt: str) -> Corpus:
    """The parallel text that lies in a folder, by its files' names.

    Raises:
        UserError: there is none to train with.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    found = Corpus()
    done: set[str] = set()
    for name in names:
        try:
            section = source_of(str(folder / name), src, tgt)
        except UserError:
            continue
        key = str(section)
        if key in done or "hub" in section:
            continue
        done.add(key)
        if _TEST.search(name):
            found.test[_set_name(name, src)] = section
        elif _VALID.search(name) and found.valid is None:
            found.valid = section
        elif not _VALID.search(name):
            found.train.append(section)
    if not found.train:
        there = ", ".join(names[:8]) or "nothing"
        raise UserError(f"{folder}: no training data for {src}-{tgt} there, but {there}; name it with --train")
    return found


def _set_name(name: str, src: str) -> str:
    """A test set's: flickr2016 for test_flickr2016.en."""
    stem = re.sub(rf"[._-]?(?<![A-Za-z0-9]){re.escape(src)}(?![A-Za-z0-9])", "", name.partition(".")[0])
    return re.sub(r"[^A-Za-z0-9_-]", "", re.sub(r"^test[._-]+", "", stem)) or "test"


def hold_out(pairs: Iterable[Pair], count: int) -> list[Pair]:
    """So many pairs drawn by chance, but for blank ones; in the order they stand in. In memory for these alone."""
    generator = random.Random(1)
    drawn: list[tuple[int, Pair]] = []
    for i, pair in enumerate(pair for pair in pairs if all(map(str.strip, pair))):
        if len(drawn) < count:
            drawn.append((i, pair))
        elif (place := generator.randrange(i + 1)) < count:
            drawn[place] = (i, pair)
    return [pair for _, pair in sorted(drawn)]


def write_pairs(pattern: Path, src: str, tgt: str, pairs: list[Pair]) -> Section:
    """Two files of them, and the source they are."""
    for side, lang in enumerate((src, tgt)):
        path = pattern.with_name(pattern.name.replace("{lang}", lang))
        write_text(path, "".join(pair[side] + "\n" for pair in pairs))
    return {"files": str(pattern)}
