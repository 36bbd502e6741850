"""Commands about a training: its checkpoints, its log, its exactness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.cli.app import AsJson, Device, RecipeFile, Settings, Threads, app, guarded
from seq2seq.errors import UserError


@app.command()
@guarded
def average(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder with its checkpoints.")],
    output: Annotated[Path, typer.Option(help="New folder for the model.")],
    last: Annotated[int | None, typer.Option(min=1, help="Average the newest N checkpoints.")] = None,
    best: Annotated[
        int | None, typer.Option(min=1, help="Average the N best, by the recipe's validation score.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make one model of several checkpoints: the mean of their weights."""
    from seq2seq.training.averaging import save_average

    if (last is None) == (best is None):
        raise UserError("average: give --last N or --best N")
    used = save_average(Path(run), output, last, best)
    if as_json:
        print(json.dumps({"model": str(output), "steps": list(used)}))
        return
    print(f"{output}: the mean of steps {', '.join(map(str, used))}")
    print(f"translate: echo '...' | seq2seq translate {output}")


@app.command()
@guarded
def tensorboard(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder; its training may be going on.")],
    as_json: AsJson = False,
) -> None:
    """Write the log's curves for TensorBoard, into RUN/tensorboard."""
    from seq2seq.evaluation.tensorboard import write_events
    from seq2seq.run_folder import RunFolder

    folder = Path(run) / "tensorboard"
    count = write_events(RunFolder(Path(run)).log, folder)
    if as_json:
        print(json.dumps({"records": count, "folder": str(folder)}))
        return
    print(f"{count} records; look at them: tensorboard --logdir {folder}")


@app.command("verify-resume")
@guarded
def verify_resume(
    recipe: RecipeFile,
    settings: Settings = None,
    kills: Annotated[int, typer.Option(min=1, help="How often the training is killed.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the moments at which it is.")] = 1,
    as_json: AsJson = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train straight and interrupted; compare every weight and log record. Keep it short: training.max_steps=100."""
    import tempfile

    from seq2seq.recipe.file import load_recipe
    from seq2seq.training import verification

    load_recipe(recipe, settings or ())
    with tempfile.TemporaryDirectory() as folder:
        options = ["--device", device, *(["--threads", str(threads)] if threads else [])]
        found = verification.verify_resume([recipe, *(settings or []), *options], Path(folder), kills, seed)
    if as_json:
        print(json.dumps(vars(found) | {"interruptions": kills}, indent=2))
        raise typer.Exit(1 if found.differences else 0)
    if found.differences:
        print("\n".join(found.differences[:20]))
        raise SystemExit(f"not the same: {len(found.differences)} differences")
    print(f"the same bits: {found.weights} weight tensors, {found.records} log records, {kills} interruptions")
