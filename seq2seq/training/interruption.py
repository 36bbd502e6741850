"""Asking a training to stop, so that it can save first."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from seq2seq.console import say
from seq2seq.distributed import ProcessLost

SAME_REQUEST = 2.0
"""Seconds within which a second signal is the first one come twice (a terminal and torchrun both send it)."""


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop; all of it is saved."""


class StopRequest:
    """Whether Ctrl-C or SIGTERM has come."""

    def __init__(self) -> None:
        self.made: float | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of the signals while the block lasts; in a thread, which gets none, there is nothing to note."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def call(number: int, frame: FrameType | None) -> None:
            self._note()

        before: dict[signal.Signals, Any] = {n: signal.signal(n, call) for n in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        except ProcessLost:
            before[signal.SIGTERM] = signal.SIG_IGN  # torchrun sends it at once: what happened is said first
            raise
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    def _note(self) -> None:
        now = time.monotonic()
        if self.made is None:
            self.made = now
            say("stopping after this step; saving ...")
        elif now - self.made > SAME_REQUEST:  # asked again: now, from the last checkpoint
            raise KeyboardInterrupt
