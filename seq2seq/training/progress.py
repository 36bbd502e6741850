"""A training's progress bar."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from seq2seq.console import SILENT, console


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
