"""Showing on stderr how a training gets on: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SILENT = os.environ.get("RANK", "0") != "0"
"""Of the processes that torchrun has started, the first one speaks."""
console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=SILENT)


def say(message: str) -> None:
    """A line on stderr, above the bar if there is one."""
    console.print(message, markup=False)


class TrainingBar:
    """Steps done, tokens a second, loss, time left."""

    def __init__(self, total_steps: int, step: int) -> None:
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            transient=True,
            disable=SILENT or not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total_steps, completed=step, note="")

    def __enter__(self) -> TrainingBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, step: int, note: str | None = None) -> None:
        """Show the step, and a new note (loss, tokens/s)."""
        self._bar.update(self._task, completed=step)
        if note is not None:
            self._bar.update(self._task, note=note)
