"""What tables of text have in common: columns by number or by name, a header or none."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from seq2seq.data.lines import Faults, fail
from seq2seq.data.sources.base import DataSource, Pairs, one_line
from seq2seq.recipe.sources import TableSourceConfig

Row = tuple[int, list[str]]
"""The number of its first line, and its columns."""
T = TypeVar("T", bound=TableSourceConfig)


class Table(DataSource[T]):
    """Rows with a column for each side."""

    fix = "check src_column and tgt_column"
    header_fix = "set `header: true` on this source"

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.name)

    @abstractmethod
    def rows(self, faults: Faults) -> Iterator[Row]:
        """All of them, the header too."""

    def files(self) -> dict[str, Path]:
        return {"table": self.path}

    def options(self) -> dict[str, str]:
        config = self.config.model_dump(exclude={"tsv", "csv", "weight"})
        return {name.replace("_", " "): str(value) for name, value in config.items()}

    def read(self) -> Pairs:
        faults, config = Faults(self.key), self.config
        rows = self.rows(faults)
        header = next(rows, (0, []))[1] if config.header else []
        src, tgt = (self._number(column, header) for column in (config.src_column, config.tgt_column))
        last = max(src, tgt)
        for number, columns in rows:
            if len(columns) <= last:
                what = f"{len(columns)} column{'s' * (len(columns) != 1)}, but column {last} (from 0) is to be read"
                faults.add(f"{self.path}:{number}", what, "fix the line, or src_column and tgt_column")
                continue
            yield one_line(columns[src]), one_line(columns[tgt])
        faults.raise_if_any()

    def _number(self, column: int | str, header: list[str]) -> int:
        if isinstance(column, int):
            return column
        names = [name.strip() for name in header]
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"its columns are {', '.join(names)[:300] or 'none'}"
            fail(self.key, f"{self.path}:1", f"no column {column!r} in the header; {hint}")
        return names.index(column)
