"""Translations of a test set that the run folder holds already: one more test set leaves them as they are."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from seq2seq.files import file_hash, write_json
from seq2seq.pipeline.manifest import Inputs, digest

NOTED = "made_from.json"
"""In the folder of translations: by test set, what it was translated from, and its files with their hashes."""
KEY = "data.test."


class KeptTranslations:
    """Which test sets need not be translated again.

    Args:
        inputs: of the stage, all test sets'.
        model: the folder of the model.
        held: the folder of the translations so far.
    """

    def __init__(self, inputs: Inputs, model: Path, held: Path) -> None:
        self._inputs, self._held = inputs, held
        self._weights = file_hash(model / "model.safetensors")
        self._noted: dict[str, dict[str, object]] = {}

    def take(self, name: str, folder: Path) -> bool:
        """Copy a test set's files into a new folder, if they are what would be made again; returns whether they are."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            noted = json.loads((self._held / NOTED).read_text(encoding="utf-8"))[name]
            files: dict[str, str] = noted["files"]
            if noted["made_from"] != self._made_from(name):
                return False
            if any(file_hash(self._held / file) != content for file, content in files.items()):
                return False
            for file in files:
                (folder / file).parent.mkdir(exist_ok=True)
                shutil.copyfile(self._held / file, folder / file)
            self._noted[name] = noted
            return True
        return False

    def note(self, name: str, folder: Path, files: list[Path]) -> None:
        """A test set was translated into these files of a new folder."""
        hashes = {str(file.relative_to(folder)): file_hash(file) for file in files}
        self._noted[name] = {"made_from": self._made_from(name), "files": hashes}

    def write(self, folder: Path) -> None:
        """Leave the notes in the new folder."""
        write_json(folder / NOTED, self._noted)

    def _made_from(self, name: str) -> str:
        own = {k: v for k, v in self._inputs.items() if not k.startswith(KEY) or k.startswith(f"{KEY}{name} (")}
        return digest(own | {"weights": self._weights})
