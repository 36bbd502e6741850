"""Phrases of the Unicode CLDR, made offline."""

from __future__ import annotations

from importlib.metadata import version

from babel.core import get_cldr_version

from seq2seq.data.builtin import phrases
from seq2seq.data.sources.base import DataSource, Pairs, Role
from seq2seq.recipe.sources import BuiltinSourceConfig

PAIRS: dict[Role, int] = {"train": 40_000, "valid": 1_000, "test": 1_000}
"""Where the recipe names no number."""


class Source(DataSource[BuiltinSourceConfig]):
    """The generator's pairs, in its order."""

    @property
    def name(self) -> str:
        return self.config.builtin

    @property
    def preview(self) -> int:
        return 1000

    def options(self) -> dict[str, str]:
        return {
            "builtin": self.config.builtin,
            "split": self.config.split or self.role,
            "pairs": str(self.config.pairs or PAIRS[self.role]),
            "seed": str(self.config.seed),
            "made with": f"Babel {version('babel')}, CLDR {get_cldr_version()}",
        }

    def read(self) -> Pairs:
        count = self.config.pairs or PAIRS[self.role]
        return phrases(self.src, self.tgt, self.config.split or self.role, count, self.config.seed)
