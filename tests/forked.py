"""Commands in processes of their own, forked from one that has imported everything, so that a start costs little."""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

from seq2seq.cli import app

SERVER = multiprocessing.get_context("forkserver")  # a process without threads: those of pytest's would not be forked
SERVER.set_forkserver_preload(
    [
        __name__,
        "seq2seq.pipeline.trainer",
        "torch._dynamo",
        "pandas",
        "pyarrow.compute",
        "tests.training.interruptions.processes",
    ]
)


class Forked:
    """`seq2seq ARGUMENTS` in a process of its own.

    Args:
        first: what the process does before that; has to be picklable.
    """

    def __init__(self, *arguments: str, first: Callable[[], None] | None = None) -> None:
        with NamedTemporaryFile(delete=False) as file:
            self._output = Path(file.name)
        self.process = SERVER.Process(target=_work, args=(arguments, first, str(self._output)))
        self.process.start()

    @property
    def running(self) -> bool:
        return self.process.is_alive()

    def send_signal(self, number: int) -> None:
        if self.process.pid is not None and self.running:
            os.kill(self.process.pid, number)

    def end(self) -> tuple[int | None, str]:
        """Wait; returns the exit code (less than 0: the signal that ended it), and stdout with stderr."""
        self.process.join()
        said = self._output.read_text(encoding="utf-8")
        self._output.unlink()
        return self.process.exitcode, said


def _work(arguments: tuple[str, ...], first: Callable[[], None] | None, output: str) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    if first is not None:
        first()
    try:
        app(list(arguments))
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
