"""Recipes carried out side by side, each in a process of its own; one that fails leaves the others alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seq2seq.console import say
from seq2seq.recipe import Recipe

POLL = 0.1


@dataclass(frozen=True)
class Job:
    """A recipe to carry out.

    Attributes:
        until: a stage; None: all that the recipe asks for.
    """

    label: str
    recipe: Recipe
    until: str | None = None


@dataclass(frozen=True)
class Workers:
    """How jobs are run.

    Attributes:
        count: at once.
        threads: of each; None: all cores' of one, an equal share of several.
        logs: the folder where what each says is kept.
    """

    count: int
    threads: int | None
    device: str
    logs: Path

    def run(self, jobs: Sequence[Job], what: str) -> dict[str, str]:
        """Run all; returns by label why jobs have failed.

        Raises:
            KeyboardInterrupt: it was asked to stop; every job has saved its work.
        """
        waiting, running, ended, failed = list(jobs), list[_Started](), 0, dict[str, str]()
        with _terminated_like_interrupted():
            try:
                while waiting or running:
                    while waiting and len(running) < self.count:
                        running.append(self._start(waiting.pop(0)))
                    time.sleep(POLL)
                    for one in [one for one in running if one.process.poll() is not None]:
                        running.remove(one)
                        ended, why = ended + 1, one.failure()
                        minutes = (time.monotonic() - one.time) / 60
                        state = f"failed: {why}" if why else f"done in {minutes:.1f} minutes"
                        say(f"[{what} {ended} of {len(jobs)}] {one.job.label}: {state}")
                        if why:
                            failed[one.job.label] = f"{why} (see {one.log})"
            except BaseException:
                _stop(running)
                raise
        return failed

    def _start(self, job: Job) -> _Started:
        name = f"{Path(job.recipe.output_dir).parent.name}-{Path(job.recipe.output_dir).name}.log"
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / name
        share = self.threads or (None if self.count == 1 else max(1, (os.cpu_count() or 1) // self.count))
        told = {"recipe": job.recipe.model_dump(), "until": job.until, "device": self.device, "threads": share}
        with open(log, "w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "seq2seq.pipeline.worker"],
                stdin=subprocess.PIPE, stdout=file, stderr=file, text=True, start_new_session=True,
            )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
        return _Started(job, process, process.stdin, log, time.monotonic())


@dataclass(frozen=True)
class _Started:
    job: Job
    process: subprocess.Popen[str]
    stdin: IO[str]
    log: Path
    time: float

    def failure(self) -> str:
        """Why it failed, once it has ended; empty: it has not."""
        code = self.process.returncode
        with contextlib.suppress(OSError):
            self.stdin.close()
        if code == 0:
            return ""
        if code < 0:
            return f"ended by signal {-code}"
        lines = [line for line in self.log.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return (told or lines or [f"exit code {code}"])[-1][:300]


def _stop(running: Sequence[_Started]) -> None:
    """Have all save and end, and wait for them."""
    for started in running:
        with contextlib.suppress(OSError):
            started.process.send_signal(signal.SIGINT)
    for started in running:
        started.process.wait()


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM, too, raises KeyboardInterrupt while the block lasts (in the main thread, which alone gets signals)."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
