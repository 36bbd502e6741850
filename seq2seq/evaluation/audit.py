"""What became of the data, as tables for people: from the audit that `prepare` writes (data/audit.json)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Audit = Mapping[str, Any]

_LENGTHS = {"tokens": "tokens", "mean": "mean", "median": "median", "p95": "95 % up to", "max": "longest"}


@dataclass(frozen=True)
class Table:
    """A table: its first column names the row, the others hold numbers."""

    title: str
    head: list[str]
    rows: list[list[str]]


def audit_tables(audit: Audit, src: str, tgt: str) -> list[Table]:
    """Training pairs by source; the sets and their lengths; what of them is in the training data. Empty ones left out.

    Args:
        audit: as `data.preparation.prepare` returns it; any part may be missing.
        src, tgt: names of the languages.
    """
    train = _part(audit, "train")
    tests = {f"test {name}": part for name, part in _part(audit, "test").items() if isinstance(part, Mapping)}
    sets = {"train": train, "valid": _part(audit, "valid"), **tests}
    tables = [
        _sources(train),
        _lengths(sets, src, tgt),
        _overlap(sets),
        _vocabulary(_part(audit, "vocabulary"), src, tgt),
    ]
    return [table for table in tables if table.rows]


def dropped_pairs(audit: Audit) -> list[tuple[str, str, str]]:
    """Examples of what the filters dropped from the training data: why, source, target."""
    return [
        (reason.replace("_", " "), src, tgt)
        for source in _part(audit, "train").get("sources", [])
        for reason, pairs in _part(source, "dropped_samples").items()
        for src, tgt in pairs
    ]


def _sources(train: Audit) -> Table:
    """A row for each source of the training data; where there are several, their sum."""
    sources = [entry for entry in train.get("sources", []) if isinstance(entry, Mapping)]
    rows = [(str(source.get("key", "")), source) for source in sources]
    if len(rows) != 1 and "read" in train:
        rows.append(("all", train))
    filters = [key for key, count in _part(train, "dropped").items() if count]
    head = ["source", "read", *(key.replace("_", " ") for key in filters), "kept"]

    def row(name: str, one: Audit) -> list[str]:
        dropped = [_part(one, "dropped").get(key, 0) for key in filters]
        return [name, *map(shown, (one.get("read"), *dropped, one.get("kept")))]

    return Table("Training pairs: read, dropped by each filter, kept", head, [row(*one) for one in rows])


def _lengths(sets: Mapping[str, Audit], src: str, tgt: str) -> Table:
    def rows() -> Iterator[list[str]]:
        for name, part in sets.items():
            for side, language in (("src", src), ("tgt", tgt)):
                lengths = _part(part, side)
                if lengths:
                    unknown = f"{100 * lengths.get('unknown', 0):.2f} %"
                    pairs = part.get("pairs", part.get("kept"))
                    yield [f"{name}, {language}", *(shown(v) for v in (pairs, *map(lengths.get, _LENGTHS))), unknown]

    return Table("Sentences and their lengths in tokens", ["set", "pairs", *_LENGTHS.values(), "unknown"], list(rows()))


def _overlap(sets: Mapping[str, Audit]) -> Table:
    parts = {name: _part(part, "overlap") for name, part in sets.items()}
    rows = [
        [f"{name}, {when}", *(shown(_part(part, key).get(side)) for side in ("sources", "targets", "pairs"))]
        for name, part in parts.items()
        for key, when in (("before", "before filtering"), ("after", "in what was trained on"))
        if _part(part, key)
    ]
    return Table("Sentences that are in the training data as well", ["set", "sources", "targets", "whole pairs"], rows)


def _vocabulary(part: Audit, src: str, tgt: str) -> Table:
    joint = bool(part.get("joint"))
    sides = [("both languages", "src")] if joint else [(src, "src"), (tgt, "tgt")]
    return Table(
        "Vocabulary", ["language", "tokens"], [[name, shown(part[side])] for name, side in sides if side in part]
    )


def shown(value: object) -> str:
    """1,234 or 0.0512; nothing where there is none; all else as it is."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _part(audit: Audit, key: str) -> Audit:
    part = audit.get(key)
    return part if isinstance(part, Mapping) else {}
