"""A training's progress bar."""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from seq2seq.console import SILENT, console
from seq2seq.training.state import State


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

    def show(self, state: State) -> None:
        """Show the step, and the loss and the speed since the last log record."""
        self._bar.update(self._task, completed=state.step)
        window = state.window
        if window.tokens:
            note = f"loss {window.loss / window.tokens:.2f}, {window.tokens / window.seconds:,.0f} tokens/s"
            self._bar.update(self._task, note=note)
