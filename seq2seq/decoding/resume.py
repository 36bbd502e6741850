"""Output that an interrupted command resumes: beside its place, under a name that tells what it was made from."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from seq2seq.errors import UserError
from seq2seq.files import file_hash, raise_if_disk_full


def signature(files: Iterable[Path], *settings: object) -> str:
    """A hash of the contents of files and folders, and of settings: equal where the same output would be written."""
    found = hashlib.sha256(repr(settings).encode())
    for path in files:
        parts = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
        for part in parts:
            found.update(f"{part.relative_to(path)} {file_hash(part)}\n".encode())
    return found.hexdigest()[:16]


class Partial:
    """What has been written of an output so far: whole lines count.

    Args:
        target: where the output goes in the end; until then what stands there stays.
        sign: see `signature`.
    """

    def __init__(self, target: Path, sign: str) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.{sign}.partial")

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[BinaryIO, int]]:
        """A stream to go on writing with, and how many lines are there.

        Raises:
            UserError: it cannot be written.
        """
        try:
            stream = open(self.path, "a+b")  # noqa: SIM115 - below
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"--output {self.target}: {reason}; name a file there") from None
        with stream, raise_if_disk_full(self.target):
            lines, end = _whole_lines(stream)
            stream.truncate(end)
            yield stream, lines
            stream.flush()
            os.fsync(stream.fileno())

    def lines(self) -> list[bytes]:
        """All that are whole."""
        return self.path.read_bytes().split(b"\n")[:-1]

    def finish(self) -> None:
        """Put what was written in its place."""
        self.path.replace(self.target)
        self.remove()

    def remove(self) -> None:
        """Away with this, and with what other commands have left of the same output."""
        for path in self.target.parent.glob(f".{glob.escape(self.target.name)}.*.partial"):
            path.unlink(missing_ok=True)


def _whole_lines(stream: BinaryIO) -> tuple[int, int]:
    """How many, and where the last ends."""
    stream.seek(0)
    lines = end = place = 0
    while data := stream.read(1 << 20):
        lines += data.count(b"\n")
        end = place + data.rfind(b"\n") + 1 if b"\n" in data else end
        place += len(data)
    return lines, end
