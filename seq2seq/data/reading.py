"""All text of a recipe: read, looked at, cleaned."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from seq2seq.data.cleaning import DROPPED_BY, Cleaner
from seq2seq.data.inspection import Inspection, dropped_lines
from seq2seq.data.lines import MAX_TEXT, Faults
from seq2seq.data.sources import DataSource, Pair, sources_of
from seq2seq.errors import UserError
from seq2seq.recipe import DataConfig

Tell = Callable[[str], None]


def read_evaluation(data: DataConfig, tell: Tell, preview: bool = False) -> dict[str, tuple[Inspection, list[Pair]]]:
    """The pairs of the validation and test sets, by the names of their files.

    Args:
        tell: is given the lines that the user is shown.
        preview: read only what `validate` does.

    Raises:
        UserError: some of it cannot be read, or there is nothing to validate with.
    """
    sets = {}
    for source in sources_of(data):
        if source.role != "train":
            inspection = Inspection(source)
            pairs = list(_not_too_long(inspection.watch(_pairs(source, preview)), source.key))
            if source.role == "valid" and pairs and not any(src.strip() and tgt.strip() for src, tgt in pairs):
                raise UserError("data.valid: every pair has a blank side; give sentences and their translations")
            sets[source.key.removeprefix("data.").replace("test.", "test-", 1)] = inspection, pairs
            _tell_all(inspection.lines(), tell)
    return sets


def _not_too_long(pairs: Iterator[Pair], key: str) -> Iterator[Pair]:
    faults = Faults(key)
    for number, pair in enumerate(pairs, 1):
        if max(map(len, pair)) > MAX_TEXT:
            what = f"a text of {max(map(len, pair)):,} characters; {MAX_TEXT:,} are the most"
            faults.add(f"pair {number:,}", what, "split it into sentences, or remove it")
        yield pair
    faults.raise_if_any()


def read_training(data: DataConfig, cleaner: Cleaner, tell: Tell, preview: bool = False) -> list[Inspection]:
    """Give the cleaner all training data; arguments and errors as of `read_evaluation`."""
    from seq2seq.data.alignment import read_aligned  # noqa: PLC0415 - loads torch

    inspections = []
    for i, source in enumerate(source for source in sources_of(data) if source.role == "train"):
        alignments, inspection = data.alignments[i], Inspection(source)
        pairs = inspection.watch(_pairs(source, preview))
        for pair in pairs if alignments is None else read_aligned(pairs, Path(alignments), source.key):
            cleaner.add(i, *pair)
        inspections.append(inspection)
        _tell_all(inspection.lines(), tell)
    return inspections


def dropped_of(cleaner: Cleaner) -> list[dict[str, int]]:
    """By source, how many pairs each filter has dropped."""
    return [{name: int(cleaner.dropped[name][i]) for name in DROPPED_BY} for i in range(len(cleaner.read))]


def inspect(data: DataConfig, tell: Tell) -> dict[str, dict[str, Any]]:
    """Read all data as `prepare` will, but for what would have to be generated or fetched; nothing is kept of it.

    Filters that count tokens wait for a tokenizer: here only those that look at the text drop pairs.

    Returns:
        by the sources' keys, what was told of each: pairs, samples, warnings; of training data what was dropped.

    Raises:
        UserError: some of it is missing, damaged or not parallel.
    """
    sets = read_evaluation(data, tell, preview=True)
    pairs = [pair for _, pairs in sets.values() for pair in pairs]
    with TemporaryDirectory() as scratch, Cleaner(data.filter, Path(scratch), len(data.train), pairs) as cleaner:
        inspections = read_training(data, cleaner, tell, preview=True)
        cleaner.finish()
        seen = [*inspections, *(inspection for inspection, _ in sets.values())]
        found = {one.source.key: {"pairs": one.pairs, **one.audit()} for one in seen}
        for inspection, dropped in zip(inspections, dropped_of(cleaner), strict=True):
            found[inspection.source.key]["dropped"] = dropped
            if inspection.pairs:
                (*lines,) = dropped_lines(inspection.source.key, inspection.pairs, dropped)
                _tell_all(iter([f"{lines[0]} (too long and uneven pairs are dropped by `prepare`)", *lines[1:]]), tell)
    return found


def _pairs(source: DataSource[Any], preview: bool) -> Iterator[Pair]:
    return itertools.islice(source.pairs(), source.preview) if preview else source.pairs()


def _tell_all(lines: Iterator[str], tell: Tell) -> None:
    for line in lines:
        tell(line)
