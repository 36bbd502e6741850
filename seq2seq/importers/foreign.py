"""A configuration of another toolkit: what was read of it, and so what has no counterpart here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from seq2seq.errors import UserError

SENTENCE = 30
"""Tokens that a sentence is reckoned with where batches were counted in sentences."""


class Foreign:
    """Its keys, by dotted names.

    Args:
        ignored: keys that say nothing of data, model, training or search: where files go, what is printed.
    """

    def __init__(self, keys: Mapping[str, Any], ignored: frozenset[str]) -> None:
        self._keys, self._ignored = keys, ignored
        self._read: set[str] = set()
        self.notes: list[str] = []
        """What differs though it was read."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, and of all below it; the toolkit's default where it is not set."""
        self._read.add(key)
        value: Any = self._keys
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return default if value is None else value

    def left(self) -> list[str]:
        """Each key that was not read, with its value, and the notes."""
        unread = [f"{key}: {str(value)[:60]}" for key, value in _leaves(self._keys) if not self._known(key)]
        return [*self.notes, *unread]

    def _known(self, key: str) -> bool:
        parts = key.split(".")
        above = {".".join(parts[: i + 1]) for i in range(len(parts))}
        return bool(above & (self._read | self._ignored))


def _leaves(keys: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in keys.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        elif value is not None and value is not False:
            yield f"{prefix}{key}", value


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's keys.

    Raises:
        UserError: it cannot be read, or holds none.
    """
    try:
        keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"{path}: cannot be read: {reason[:200]}") from None
    if not isinstance(keys, dict):
        raise UserError(f"{path}: holds no keys and values; name the toolkit's configuration file")
    return keys
