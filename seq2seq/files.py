"""Writing that leaves a whole file or none, and hashes of contents."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError

FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
"""What systems say when no more can be written: a full disk, a quota, a limit on a file's size."""


def write_text(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all: beside its place, flushed to disk, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with raise_if_disk_full(path), open(partial, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _flush(path.parent)


def read_bounded(path: Path, limit: int) -> str:
    """A file's text, of at most `limit` bytes.

    Raises:
        OSError: it is missing, or no regular file: reading a pipe or a device could take for ever.
        ValueError: it is longer, or not UTF-8.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if status.st_size > limit:
        raise ValueError(f"it has {status.st_size:,} bytes, more than {limit:,}")
    return path.read_text(encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """`write_text` of JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_jsonl(path: Path) -> list[Any]:
    """The values of a file that has a line of JSON for each."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes `path`'s place at once, when the block ends without an error.

    What stood at `path` before is there until then, and gone after.

    Raises:
        UserError: the disk is full; what was written so far is removed.
    """
    partial, old = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():  # killed between the two renames below
        old.replace(path)
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with raise_if_disk_full(path):
            partial.mkdir(parents=True)
            yield partial
            for file in partial.rglob("*"):
                if file.is_file():
                    file.chmod(partial.stat().st_mode & 0o666)  # safetensors hides its files from all but their owner
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


def remove_folder(path: Path) -> None:
    """Remove a folder, if it is there: a process that is killed meanwhile leaves it whole, or hidden as `.NAME.old`."""
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        path.replace(old)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def raise_if_disk_full(path: Path) -> Iterator[None]:
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
            f"{path}: cannot be written: {reason}; make room there, then the same command resumes from what is saved"
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
