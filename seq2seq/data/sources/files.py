"""Two text files, one sentence a line."""

from __future__ import annotations

import itertools
from pathlib import Path

from seq2seq.data.lines import Faults, text_lines
from seq2seq.data.sources.base import DataSource, Pairs
from seq2seq.recipe.sources import FilesSourceConfig


class Source(DataSource[FilesSourceConfig]):
    """Line by line, the translations of each other."""

    @property
    def texts(self) -> list[Path]:
        """The source's and the target's file."""
        files = self.config.files
        if isinstance(files, str):
            files = [files.replace("{lang}", lang) for lang in (self.src, self.tgt)]
        return [Path(file) for file in files]

    @property
    def name(self) -> str:
        return " and ".join(map(str, self.texts))

    def files(self) -> dict[str, Path]:
        files = dict(zip(("source text", "target text"), self.texts, strict=True))
        return files if self.config.alignments is None else files | {"alignments": Path(self.config.alignments)}

    def read(self) -> Pairs:
        faults = Faults(self.key)
        sides = [text_lines(path, faults, self.key) for path in self.texts]
        for count, (src, tgt) in enumerate(itertools.zip_longest(*sides)):
            if src is None or tgt is None:
                longer = count + 1 + sum(1 for _ in sides[src is None])
                counts = (count, longer) if src is None else (longer, count)
                text = " and ".join(f"{path} has {n:,} lines" for path, n in zip(self.texts, counts, strict=True))
                faults.add(text, "line by line they must be translations of each other", "fix the files")
                break
            yield src, tgt
        faults.raise_if_any()
