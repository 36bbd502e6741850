"""A file of comma-separated columns, quoted where a text holds a comma, a quote or a line end (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from seq2seq.data.lines import Faults, text_lines
from seq2seq.data.sources.table import Row, Table
from seq2seq.recipe.sources import CsvSourceConfig


class Source(Table[CsvSourceConfig]):
    """A row may go over several lines; empty lines are no rows."""

    @property
    def name(self) -> str:
        return self.config.csv

    def rows(self, faults: Faults) -> Iterator[Row]:
        lines = (line + "\n" for line in text_lines(self.path, faults, self.key))
        reader = csv.reader(lines, delimiter=self.config.delimiter, strict=True)
        while True:
            number = reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:  # a quote that is not closed goes on to the module's limit, 131,072 characters
                fix = "quote a text that holds a quote, and double the quotes in it"
                faults.add(f"{self.path}:{number}", f"not CSV: {error}", fix)
                continue
            if row is None:
                return
            if row:
                yield number, row
