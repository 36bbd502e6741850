"""What is said on stderr."""

from __future__ import annotations

import os

from rich.console import Console

SILENT = os.environ.get("RANK", "0") != "0"
"""Of the processes that torchrun has started, the first one speaks."""
console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=SILENT)


def say(message: str) -> None:
    """A line on stderr, above the bar if there is one."""
    console.print(message, markup=False)
