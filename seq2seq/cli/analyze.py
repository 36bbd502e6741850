"""Commands that look inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import app, guarded
from seq2seq.errors import UserError

analyze = typer.Typer(help="Look inside recurrent cells.", no_args_is_help=True)
app.add_typer(analyze, name="analyze")


@analyze.command()
@guarded
def gradients(
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="A cell as in a recipe: gru, '{kind: gru, reset: before}'. May be given again. Default: six."
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for gradients.json and gradients.svg.")] = Path("analysis"),
    steps: Annotated[int, typer.Option(min=1, help="Updates of each training.")] = 400,
    hidden_size: Annotated[int, typer.Option(min=1, help="Hidden size.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """How gradients fade or grow through time in each cell, and over how many words it can recall one."""
    from seq2seq.analysis import gradient_flow
    from seq2seq.analysis.plots import gradient_figure
    from seq2seq.device import set_up
    from seq2seq.files import write_json, write_text
    from seq2seq.recipe.file import read_cell

    set_up("cpu", threads)
    settings = gradient_flow.Settings(hidden_size=hidden_size, steps=steps, seed=seed)
    cells = cell or gradient_flow.DEFAULT_CELLS
    for text in cells:
        read_cell(text, f"--cell {text}")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}; name a folder that can be made") from None
    study = gradient_flow.study(cells, settings, lambda done: print(gradient_flow.summary(done), flush=True))
    write_json(output / "gradients.json", study)
    write_text(output / "gradients.svg", gradient_figure(study))
    print(f"written: {output / 'gradients.json'}, {output / 'gradients.svg'}")
