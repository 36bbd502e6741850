"""Where each thing lies in a run folder, and writing that leaves a whole file or none."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError

FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""What systems say when no more can be written: a full disk, a quota, a limit on a file's size."""


@dataclass(frozen=True)
class RunFolder:
    """The layout of one run."""

    root: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe: every default written out."""
        return self.root / "recipe.yaml"

    @property
    def manifest(self) -> Path:
        """By stage: what it was made from, with what, and when."""
        return self.root / "manifest.json"

    @property
    def data(self) -> Path:
        """Tokenizer, prepared pairs, audit."""
        return self.root / "data"

    @property
    def checkpoints(self) -> Path:
        """The exact state of a training, to go on from."""
        return self.root / "checkpoints"

    def checkpoint_states(self) -> list[Path]:
        """The file of numbers of each checkpoint, oldest first."""
        return sorted(self.checkpoints.glob("step-*/state.json"))

    @property
    def log(self) -> Path:
        """One JSON record a log step."""
        return self.root / "train.jsonl"

    @property
    def model(self) -> Path:
        """The bundle that translating needs."""
        return self.root / "model"

    @property
    def translations(self) -> Path:
        """One file a test set."""
        return self.root / "translations"

    @property
    def report(self) -> Path:
        """Scores and report."""
        return self.root / "report"


def write_text(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all: beside its place, flushed to disk, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with told_if_full(path), open(partial, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _flush(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`write_text` of JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes `path`'s place at once, when the block ends without an error.

    What stood at `path` before is there until then, and gone after.

    Raises:
        UserError: the disk is full; what was written so far is removed.
    """
    partial, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with told_if_full(path):
            partial.mkdir(parents=True)
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    _flush(file)
            _flush(partial)
    except BaseException:  # a full disk needs the room
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if path.exists():
        path.replace(old)
    partial.replace(path)
    _flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def told_if_full(path: Path) -> Iterator[None]:
    """Say plainly where the block could not write `path` because the disk is full.

    Raises:
        UserError: it is.
    """
    try:
        yield
    except Exception as error:  # libraries in Rust have exceptions of their own, which tell the cause in words alone
        reason = next((words for words in FULL if words in str(error)), None)
        if reason is None:
            raise
        raise UserError(
            f"{path}: cannot be written: {reason}; make room there, then the same command goes on from what is saved"
        ) from None


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """Have the file or folder on disk, not only in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
