"""Where parallel text comes from: one stream of (source, target) pairs, wherever the text lies.

A kind of source is a module of this package, named by its key in the recipe, with a class `Source`. To add one, write
its section in `recipe/sources.py` and its module here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from seq2seq.data.sources.base import DataSource, Pair, Pairs, Role
from seq2seq.recipe.data import DataConfig
from seq2seq.recipe.sources import AnySource, source_kind

__all__ = ["DataSource", "Pair", "Pairs", "Role", "fingerprints", "make_source", "references_alone", "sources_of"]


def make_source(config: AnySource, role: Role, src: str, tgt: str, key: str = "") -> DataSource[Any]:
    """The source that a section describes.

    Args:
        role: what its pairs are for; decides which split of a hub or built-in data set is read.
        src, tgt: the languages' codes, as the recipe writes them.
        key: where the recipe names this source (`data.train`), for errors.
    """
    module = importlib.import_module(f"{__name__}.{source_kind(config)}")  # some need a slow library
    source: DataSource[Any] = module.Source(config, role, src, tgt, key)
    return source


def sources_of(data: DataConfig) -> Iterator[DataSource[Any]]:
    """All sources of a recipe: the training data's, the validation data's, the test sets'."""
    for i, config in enumerate(data.train):
        yield make_source(config, "train", data.src, data.tgt, data.train_key(i))
    yield make_source(data.valid, "valid", data.src, data.tgt, "data.valid")
    for name, config in data.test.items():
        yield make_source(config, "test", data.src, data.tgt, f"data.test.{name}")


def fingerprints(data: DataConfig, *roles: Role) -> dict[str, str]:
    """Of the contents of the sources for these roles. Paths are not among them: data that has moved is the same data.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    result: dict[str, str] = {}
    for source in (source for source in sources_of(data) if source.role in roles):
        noted = "data.train.0" if source.key == "data.train" else source.key  # whether it stands alone changes nothing
        result |= {f"{noted} ({label})": value for label, value in source.fingerprint().items()}
    return result


def references_alone(key: str) -> bool:
    """Whether a part of a test set's fingerprint is that of a file which holds nothing but reference translations."""
    return key.endswith("(target text)")
