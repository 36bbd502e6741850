"""The command `sweep`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seq2seq.cli.app import Device, app, guarded

if TYPE_CHECKING:
    from seq2seq.evaluation.sweep import SweepReport


@app.command()
@guarded
def sweep(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE|SWEEP", help="A recipe's YAML file; or a sweep's, or its folder.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=V,V,...",
            help="The values of a recipe key; several keys joined by + take the same value. One in brackets is one. "
            "With --trials also a range: KEY={low: 1, high: 9}.",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Train each row with the seeds 1 to N.")] = None,
    match: Annotated[
        str | None, typer.Option(help="parameters: scale hidden sizes, so that all have the first row's weights.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=2, help="Not all combinations: N, each chosen by the validation scores before.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The sweep's folder. Without it: sweeps/NAME.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say which stages would run, and run none.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings side by side, each a process.")] = 1,
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of each. Without it: a share each.")] = None,
) -> None:
    """Run a recipe for every combination of values, and compare; after an interruption the same command resumes."""
    from seq2seq.pipeline.sweep.grid import read_sweep
    from seq2seq.pipeline.sweep.jobs import Workers
    from seq2seq.pipeline.sweep.search import Search
    from seq2seq.pipeline.sweep.sweep import Sweep

    given: dict[str, object] = {"seeds": seeds, "match": match, "output_dir": None if output is None else str(output)}
    given["search"] = trials and {"trials": trials}
    config = read_sweep(recipe, settings or [], {key: value for key, value in given.items() if value is not None})
    found: Sweep | Search = Sweep(config) if config.search is None else Search(config, config.search)
    if plan:
        planned = found.plan()
        if as_json:
            print(json.dumps([{"run": label, "due": due} for label, due in planned], indent=2, ensure_ascii=False))
        for label, due in [] if as_json else planned:
            print(f"{label}: {', '.join(due) or 'up to date'}")
        return
    finished = found.run(Workers(jobs, threads, device, found.folder / "logs"))
    from seq2seq.evaluation.sweep import SweepReport, print_sweep, sweep_to_plain
    from seq2seq.pipeline.sweep.results import results_of

    text = (found.folder / "sweep.yaml").read_text(encoding="utf-8")
    report = SweepReport(config.name, results_of(finished.rows, found.folder), finished.failed, text, finished.search)
    _write(report, found.folder)
    if as_json:
        print(json.dumps(sweep_to_plain(report), indent=2, ensure_ascii=False))
    else:
        print_sweep(report, Console())
        print(f"comparison: {found.folder}/comparison.html (and .svg, .json, .csv, .tex)")
    if finished.failed:
        raise typer.Exit(1)


def _write(report: SweepReport, folder: Path) -> None:
    from seq2seq.charts import figure
    from seq2seq.evaluation.page import sweep_to_html
    from seq2seq.evaluation.search import search_charts
    from seq2seq.evaluation.sweep import sweep_charts, sweep_to_csv, sweep_to_latex, sweep_to_plain
    from seq2seq.files import write_json, write_text

    write_text(folder / "comparison.html", sweep_to_html(report))
    charts = [] if report.search is None else search_charts(report.search)
    charts += [chart for of_set in sweep_charts(report).values() for chart in of_set]
    if charts:
        write_text(folder / "comparison.svg", figure(charts))
    write_json(folder / "comparison.json", sweep_to_plain(report))
    write_text(folder / "comparison.csv", sweep_to_csv(report))
    write_text(folder / "comparison.tex", sweep_to_latex(report))
