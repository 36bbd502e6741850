"""A file of tab-separated columns, without quoting."""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq.data.lines import Faults, text_lines
from seq2seq.data.sources.table import Row, Table
from seq2seq.recipe.sources import TsvSourceConfig


class Source(Table[TsvSourceConfig]):
    """Each line is a row; a tab always parts two columns."""

    @property
    def name(self) -> str:
        return self.config.tsv

    def rows(self, faults: Faults) -> Iterator[Row]:
        for number, line in enumerate(text_lines(self.path, faults, self.key), 1):
            yield number, line.split("\t")
