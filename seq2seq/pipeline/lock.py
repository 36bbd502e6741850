"""One process at a time works on a run folder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from seq2seq.errors import UserError


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other processes out of a folder, which is made, while the block lasts.

    Raises:
        UserError: another one is at work there, or it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(open(root / ".lock", "w"))
        except OSError as error:
            fix = "name a folder that can be made and written to"
            raise UserError(f"output_dir: {root}: {error.strerror}; {fix}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{root}: another seq2seq is at work on this run folder; wait for it") from None
        yield
