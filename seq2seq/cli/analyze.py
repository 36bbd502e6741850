"""Commands that look inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq.cli.app import Settings, app, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.run_folder import RunFolder

analyze = typer.Typer(help="Look inside recurrent cells and models.", no_args_is_help=True)
app.add_typer(analyze, name="analyze")

TRAINED = ("model/config.json", "seed-*/model/config.json")
"""In a folder, a trained model or several."""
Limit = Annotated[int, typer.Option("--limit", min=1, help="Sentence pairs at the most, spread over all.")]


def pairs_of(folder: RunFolder, src: Path | None = None, tgt: Path | None = None) -> tuple[list[str], list[str]]:
    """Sources and references: of two files, or of a run's validation set.

    Raises:
        UserError: there are none, or of different length.
    """
    from seq2seq.data.lines import read_lines
    from seq2seq.data.preparation import PreparedPairs

    if (src is None) != (tgt is None):
        raise UserError("--src, --tgt: give both, line by line, or neither")
    if src is not None and tgt is not None:
        sources, targets = list(read_lines(src)), list(read_lines(tgt))
        if len(sources) != len(targets):
            raise UserError(
                f"--src {src}: {len(sources):,} lines, but --tgt {tgt}: {len(targets):,}; give one for each"
            )
        return sources, targets
    path = folder.data / "valid.arrow"
    if not path.exists():
        raise UserError(f"{folder.root}: holds no validation data ({path}); name a run folder")
    pairs = PreparedPairs(path)
    return pairs.src_texts(), pairs.tgt_texts()


def chosen(sources: Sequence[str], targets: Sequence[str], limit: int) -> list[int]:
    """At most so many of the pairs, spread over them, of which neither side is blank.

    Raises:
        UserError: every pair has a blank side.
    """
    rows = [i for i, pair in enumerate(zip(sources, targets, strict=True)) if all(map(str.strip, pair))]
    if not rows:
        raise UserError("every pair has a blank side; there is nothing to look at")
    return [rows[i * len(rows) // min(limit, len(rows))] for i in range(min(limit, len(rows)))]


@analyze.command()
@guarded
def gradients(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]", help="A recipe: its layers' gradients at first. A RUN: those of its trained model."
        ),
    ] = None,
    settings: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="The layers' gradients as JSON.")] = False,
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
    """Of a recipe: the gradient that reaches each layer at the first step, before training. Of a trained run: each
    layer's on the validation set, and how many words back gradients reach.

    Without either: how gradients fade or grow through time in each cell, and over how many words it can recall one.
    """
    if recipe is not None:
        if cell:
            raise UserError("--cell has no effect on a recipe; set model.encoder.cell and model.decoder.cell")
        if not settings and any(map(any, map(Path(recipe).glob, TRAINED))):
            from seq2seq.cli.analyze_gradients import print_trained

            print_trained(Path(recipe), as_json, threads)
            return
        _print_layers(recipe, settings, as_json, threads)
        return
    if as_json:
        raise UserError("--json is for the layers of a RECIPE; the study of cells writes gradients.json")
    from seq2seq.analysis import gradient_flow
    from seq2seq.analysis.plots import gradient_figure
    from seq2seq.device import set_up
    from seq2seq.files import write_json, write_text
    from seq2seq.recipe.file import read_cell

    set_up("cpu", threads)
    chosen = gradient_flow.Settings(hidden_size=hidden_size, steps=steps, seed=seed)
    cells = cell or gradient_flow.DEFAULT_CELLS
    for text in cells:
        read_cell(text, f"--cell {text}")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output}: {error.strerror}; name a folder that can be made") from None
    study = gradient_flow.study(cells, chosen, lambda done: print(gradient_flow.summary(done), flush=True))
    write_json(output / "gradients.json", study)
    write_text(output / "gradients.svg", gradient_figure(study))
    print(f"written: {output / 'gradients.json'}, {output / 'gradients.svg'}")


def _print_layers(recipe: str, settings: list[str] | None, as_json: bool, threads: int) -> None:
    """Each layer's gradient norm, and its share of the median of the others; which layers starve."""
    from rich.console import Console
    from rich.table import Table

    from seq2seq.device import set_up
    from seq2seq.distributed import Processes
    from seq2seq.pipeline import Runner
    from seq2seq.pipeline.trainer import make_trainer
    from seq2seq.recipe.file import load_recipe, naming_variables
    from seq2seq.training.gradients import share_of_median, warnings_of

    processes = Processes.join(set_up("cpu", threads))
    with naming_variables(recipe):
        runner = Runner(load_recipe(recipe, settings or ()))
        runner.run("prepare", processes)
    norms = make_trainer(runner.context(processes)).first_gradients()
    shares, warnings = share_of_median(norms), warnings_of(norms)
    if as_json:
        layers = [{"layer": name, "norm": norms[name], "share_of_median": shares[name]} for name in norms]
        print(json.dumps({"layers": layers, "warnings": list(warnings.values())}, indent=2))
        return
    table = Table("layer", "gradient norm", "of the others' median", "", title="first step, before clipping")
    for name, norm in norms.items():
        table.add_row(name, f"{norm:.2e}", f"{shares[name]:.3g}", "starves" if name in warnings else "")
    Console().print(table)
    for warning in warnings.values():
        print(f"warning: {warning}")
    if not warnings:
        print("no layer starves: none is 100 times below the median of the others")
