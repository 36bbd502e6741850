"""What all commands share: the application, common options, exit codes, loading a recipe."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from seq2seq import __version__
from seq2seq.errors import UserError

app = typer.Typer(
    name="seq2seq",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeFile = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's YAML file, or a run folder.")]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Recipe keys to set, as in training.max_epochs=3.")
]
Force = Annotated[bool, typer.Option("--force", help="Run all again, and discard what the run folder holds.")]
Device = Annotated[str, typer.Option("--device", help="auto (a GPU if there is one), cpu, cuda, cuda:1.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads. Without it: all cores.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of lines.")]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"seq2seq {__version__}")
        raise typer.Exit


@app.callback()
def seq2seq(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Recurrent machine translation from one YAML recipe."""


FIRST_SPEAKS = 10.0
"""Seconds that torchrun's other processes leave the first one to tell a mistake: their end makes torchrun end it."""


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """A command that ends with the right exit code, and without a traceback for the user's errors."""

    speaks = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun has started

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except UserError as error:
            if speaks or error.every_process:
                print(f"error: {error}", file=sys.stderr)
            else:
                time.sleep(FIRST_SPEAKS)
            sys.exit(2)
        except KeyboardInterrupt:
            if speaks:
                again = "the same command without --force" if "--force" in sys.argv else "the same command"
                print(f"stopped; all finished work is saved, {again} resumes from there", file=sys.stderr)
            sys.exit(130)
        except BrokenPipeError:  # the reader has gone, as in `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return call


def without_effect(given: dict[str, bool], fix: str) -> None:
    """Refuse the options that a recipe decides."""
    for option, is_given in given.items():
        if is_given:
            raise UserError(f"{option} has no effect on a recipe; {fix}")
