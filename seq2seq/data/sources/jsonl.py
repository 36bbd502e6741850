"""A file of JSON objects, one a line."""

from __future__ import annotations

import json
from pathlib import Path

from seq2seq.data.lines import Faults, text_lines
from seq2seq.data.sources.base import BadRecord, DataSource, Pairs, field
from seq2seq.recipe.sources import JsonlSourceConfig


class Source(DataSource[JsonlSourceConfig]):
    """Each object has a field for each side; blank lines are no records (most often one follows the last)."""

    fix = "check src_field and tgt_field"

    @property
    def name(self) -> str:
        return self.config.jsonl

    @property
    def fields(self) -> tuple[str, str]:
        """The source's and the target's."""
        return self.config.src_field or self.src, self.config.tgt_field or self.tgt

    def files(self) -> dict[str, Path]:
        return {"jsonl": Path(self.config.jsonl)}

    def options(self) -> dict[str, str]:
        return {"fields": ", ".join(self.fields)}

    def read(self) -> Pairs:
        path, faults = Path(self.config.jsonl), Faults(self.key)
        for number, line in enumerate(text_lines(path, faults, self.key), 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                pair = field(record, [self.fields[0]], "src_field"), field(record, [self.fields[1]], "tgt_field")
            except BadRecord as error:
                faults.add(f"{path}:{number}", *error.args)
            except (ValueError, RecursionError) as error:
                faults.add(f"{path}:{number}", f"not JSON: {error}", "each line must hold one object")
            else:
                yield pair
        faults.raise_if_any()
