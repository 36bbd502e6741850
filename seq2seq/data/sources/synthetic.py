"""Text that trained models have written: kept by the contents of models and text, so that it is written once.

`pipeline/synthesis.py` writes it. It lies in the folder that SEQ2SEQ_CACHE names (default: ~/.cache/seq2seq), where
runs share it: one JSON line for each text that was translated, with the pairs that came of it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.data.lines import fail
from seq2seq.data.sources.base import DataSource, Pair, Pairs
from seq2seq.hub import located
from seq2seq.languages import primary
from seq2seq.recipe.sources import SyntheticSourceConfig
from seq2seq.run_folder import folder_of_model

C = TypeVar("C", bound=SyntheticSourceConfig)


def cache_folder() -> Path:
    """Where generated text is kept."""
    own = os.environ.get("SEQ2SEQ_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seq2seq"


class SyntheticSource(DataSource[C]):
    """Pairs of which a side is generated."""

    later = "is generated when the data is prepared"
    role_name = ""
    """What its models are called in the recipe."""

    @abstractmethod
    def texts(self) -> Iterator[Pair]:
        """What is translated, and beside it the reference, where one is looked at."""

    @abstractmethod
    def languages(self) -> tuple[str, str]:
        """From which to which the models translate."""

    @abstractmethod
    def pair(self, text: str, translation: str) -> Pair:
        """The training pair of a text and its translation."""

    @functools.cached_property
    def cache(self) -> Path:
        """The file of generated pairs, there or not."""
        digest = hashlib.sha256(json.dumps(self.fingerprint(), sort_keys=True).encode()).hexdigest()
        return cache_folder() / "synthetic" / f"{digest}.jsonl"

    @property
    def preview(self) -> int | None:
        return None if self.cache.exists() else 0

    def files(self) -> dict[str, Path]:
        found = {}
        for i, run in enumerate(self.config.runs):
            folder = self._model(run)
            for path in sorted(folder.glob("*.json")) + sorted(folder.glob("*.safetensors")):
                if path.name != "confidence.json":
                    found[f"{self.role_name} {i} ({path.name})"] = path
        return found

    def _model(self, run: str) -> Path:
        """A run's model, which translates from and to the right languages.

        Raises:
            UserError: there is none, or it does not.
        """
        key = f"{self.key}.{self.role_name}"
        folder = folder_of_model(located(run))
        try:
            config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            own = config["src"], config["tgt"]
        except FileNotFoundError:
            fail(key, run, "there is no trained model; train it first, with: seq2seq run RECIPE")
        except (OSError, ValueError, LookupError, TypeError) as error:
            fail(key, run, f"its model cannot be read ({str(error)[:100]}); train it again")
        wanted = self.languages()
        if tuple(map(primary, own)) != tuple(map(primary, wanted)):
            names = "-".join(own)
            fail(key, run, f"translates {names}, but {'-'.join(wanted)} is needed; name a run of that direction")
        return folder

    def read(self) -> Pairs:
        if not self.cache.exists():
            fail(self.key, self.name, "has not been generated yet; run: seq2seq prepare RECIPE")
        with open(self.cache, encoding="utf-8") as lines:
            for line in lines:
                yield from map(tuple, json.loads(line))
