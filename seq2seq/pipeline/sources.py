"""The data of a recipe: what identifies its contents, and reading all of it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.data.sources import sources_of
from seq2seq.pipeline.manifest import Inputs
from seq2seq.recipe import DataConfig, FilesSourceConfig, Recipe


def fingerprints(data: DataConfig) -> Inputs:
    """Of the contents of all sources. Paths are not among them: data that has moved is the same data.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    result: Inputs = {}
    for source in sources_of(data):
        noted = "data.train.0" if source.key == "data.train" else source.key  # whether it stands alone changes nothing
        result |= {f"{noted} ({label})": value for label, value in source.fingerprint().items()}
    return result


def read_sources(recipe: Recipe) -> None:
    """Read all data, as `prepare` will: every line of files, the first of built-in phrases, nothing of a hub.

    Raises:
        UserError: some of it is missing, damaged or not parallel.
    """
    from seq2seq.data.alignment import read_aligned  # noqa: PLC0415  (loads torch)

    for source in sources_of(recipe.data):
        pairs: Iterator[Any] = source.pairs()
        if isinstance(source.config, FilesSourceConfig) and source.config.alignments is not None:
            pairs = read_aligned(pairs, Path(source.config.alignments), source.key)
        deque(itertools.islice(pairs, source.preview), maxlen=0)
