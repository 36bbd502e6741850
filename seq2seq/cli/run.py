"""Commands that carry out a recipe, or look at it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seq2seq.cli.app import AsJson, Device, Force, RecipeFile, Settings, Threads, app, guarded
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.evaluation.metrics import Score
    from seq2seq.pipeline.runner import Runner
    from seq2seq.pipeline.seeds import SeedsRunner


@app.command()
@guarded
def run(
    recipe: RecipeFile,
    settings: Settings = None,
    until: Annotated[
        str | None, typer.Option(metavar="STAGE", help="A stage: run it and those that it needs. Without it: all.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Scores and places as JSON.")] = False,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Carry out a recipe, stage by stage; after an interruption the same command resumes."""
    from seq2seq.pipeline.runner import NAMES

    if until is not None and until not in NAMES:
        raise UserError(f"--until {until[:50]}: no such stage; name one of {', '.join(NAMES)}")
    run_until(until or "run", recipe, settings, force, device, threads, as_json)


@app.command()
@guarded
def prepare(
    recipe: RecipeFile,
    settings: Settings = None,
    as_json: AsJson = False,
    force: Force = False,
    device: Device = "cpu",
    threads: Threads = None,
) -> None:
    """Read and clean the data, train the tokenizer."""
    run_until("prepare", recipe, settings, force, device, threads, as_json)


@app.command()
@guarded
def train(
    recipe: RecipeFile,
    settings: Settings = None,
    as_json: AsJson = False,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Train the model (and prepare the data where that is due)."""
    run_until("train", recipe, settings, force, device, threads, as_json)


@app.command()
@guarded
def report(
    recipe: RecipeFile,
    settings: Settings = None,
    as_json: AsJson = False,
    force: Force = False,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Write the report (and whatever has to run before)."""
    run_until("report", recipe, settings, force, device, threads, as_json)


@app.command()
@guarded
def plan(
    recipe: RecipeFile,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Say which stages would run, and why."""
    from seq2seq.pipeline.seeds import runner_of
    from seq2seq.recipe.file import load_recipe, naming_variables

    with naming_variables(recipe):
        runner = runner_of(load_recipe(recipe, settings or ()))
    verdicts, obstacle = runner.plan_whole(), runner.obstacle()
    if as_json:
        print(json.dumps({"stages": [asdict(verdict) for verdict in verdicts], "needs_force": obstacle}, indent=2))
        return
    width = max(10, *(len(verdict.stage) for verdict in verdicts))
    for verdict in verdicts:
        state = "runs:" if verdict.reasons else "up to date"
        print(f"{verdict.stage:<{width}} {state} {'; '.join(verdict.reasons)}".rstrip())
    if obstacle:
        print(f"needs --force: {obstacle}")


@app.command()
@guarded
def validate(
    recipe: RecipeFile,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Check a recipe, read its data files to the end (a data set of a hub is not fetched), and show what is in them."""
    from seq2seq.data.reading import inspect
    from seq2seq.pipeline.runner import inputs_of
    from seq2seq.recipe.file import load_recipe, naming_variables

    loaded = load_recipe(recipe, settings or ())
    with naming_variables(recipe):
        inputs_of(loaded)
    lines: list[str] = []
    sources = inspect(loaded.data, lines.append)
    if as_json:
        named = {"recipe": recipe, "name": loaded.name, "src": loaded.data.src, "tgt": loaded.data.tgt}
        print(json.dumps(named | {"sources": sources}, indent=2, ensure_ascii=False))
        return
    print(*lines, sep="\n")
    print(f"{recipe}: a valid recipe ({loaded.name}, {loaded.data.src}-{loaded.data.tgt})")


@app.command()
@guarded
def schema() -> None:
    """Print the recipe's JSON Schema, with which editors complete and check recipes."""
    from seq2seq.recipe import Recipe

    print(
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}, indent=2)
    )


def run_until(
    stage: str,
    recipe: str,
    settings: list[str] | None,
    force: bool,
    device: str,
    threads: int | None,
    as_json: bool = False,
) -> Mapping[str, list[Score]]:
    """Run the stages up to one, say what came of it; returns the scores where the stage was `evaluate`.

    Args:
        stage: `run` is up to `report`, and `export` where the recipe has that.
    """
    from seq2seq.recipe.file import load_recipe, naming_variables

    loaded = load_recipe(recipe, settings or ())
    from seq2seq.device import set_up
    from seq2seq.distributed import Processes
    from seq2seq.pipeline.seeds import runner_of
    from seq2seq.pipeline.stages.evaluate import read_scores

    processes = Processes.join(set_up(device, threads))
    with naming_variables(recipe):
        runner = runner_of(loaded, force)
    ran = runner.run_whole(processes) if stage == "run" else runner.run(stage, processes)
    if not processes.first:
        return {}
    scores = read_scores(runner.folder) if stage in ("evaluate", "run", "report") else {}
    if as_json:
        print(json.dumps(_plain(scores) if stage == "evaluate" else _facts(stage, runner, ran, scores), indent=2))
        return scores
    if not ran:
        print(f"nothing to do: all of {loaded.output_dir} is up to date")
    _say_results("report" if stage == "run" else stage, runner)
    if stage == "run" and loaded.export:
        for one in runner.folders:
            print(f"exported:  {one.export}")
    return scores


def _facts(stage: str, runner: Runner | SeedsRunner, ran: bool, scores: Mapping[str, list[Score]]) -> dict[str, object]:
    """What the terminal is told, for JSON."""
    from seq2seq.pipeline.stages.evaluate import read_start_scores

    facts: dict[str, object] = {"folder": str(runner.folder.root), "ran": ran}
    if stage != "prepare":
        facts["models"] = [str(one.model) for one in runner.folders]
    if stage in ("run", "report"):
        facts |= {"report": str(runner.folder.html), "scores": _plain(scores)}
        if before := read_start_scores(runner.folders[0]):
            facts["before"] = _plain(before)
    if stage == "run" and runner.recipe.export:
        facts["exported"] = [str(one.export) for one in runner.folders]
    return facts


def _plain(scores: Mapping[str, list[Score]]) -> dict[str, list[dict[str, object]]]:
    return {name: [asdict(score) for score in of_set] for name, of_set in scores.items()}


def _say_results(stage: str, runner: Runner | SeedsRunner) -> None:
    """The scores, and what the user can do next."""
    from seq2seq.evaluation.report import changed_scores
    from seq2seq.evaluation.seeds import print_any
    from seq2seq.pipeline.stages.evaluate import read_scores, read_start_scores

    folder = runner.folder
    if stage in ("translate", "evaluate", "report") and not runner.recipe.data.test:
        if runner.recipe.task == "translation":
            print("no test sets: name some in data.test, and they are translated and scored")
    elif stage == "translate":
        for one in runner.folders:
            print(f"translations: {one.translations}")
    elif stage in ("evaluate", "report"):
        scores = read_scores(folder)
        print_any(scores, Console())
        for line in changed_scores(read_start_scores(runner.folders[0]), scores):
            print(line)
    if stage == "evaluate":
        print(f"scores:    {folder.scores}")
    if stage == "report":
        print(f"report:    {folder.html}")
    if stage in ("train", "report") and runner.recipe.task == "language_model":
        print(f"use it:    seq2seq translate RUN --language-model {folder.root}")
    elif stage in ("train", "report"):
        first, *more = (str(one.root) for one in runner.folders)
        ensemble = "".join(f" --ensemble {one}" for one in more)
        print(f"translate: echo '...' | seq2seq translate {first}{ensemble}")
