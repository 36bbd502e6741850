"""What is said on stderr."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from rich.console import Console

SILENT = os.environ.get("RANK", "0") != "0"
"""Of the processes that torchrun has started, the first one speaks."""
console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=SILENT)


def say(message: str) -> None:
    """A line on stderr, above the bar if there is one."""
    console.print(message, markup=False)


@contextlib.contextmanager
def progress(label: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal; yields what moves it on."""
    if SILENT or not console.is_terminal:
        yield lambda count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, completed=done)
        yield lambda count: bar.advance(task, count)
