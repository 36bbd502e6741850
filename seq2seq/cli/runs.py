"""The command `runs`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.cli.app import app, guarded


@app.command()
@guarded
def runs(
    folder: Annotated[Path, typer.Argument(help="The folder that holds the run folders.")] = Path("runs"),
    sort: Annotated[str, typer.Option(help="The metric to sort by: bleu, chrf, ter or another.")] = "bleu",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write one HTML page here, which links the reports.")] = None,
) -> None:
    """List the runs in a folder with their scores, test set by test set, the best first."""
    from seq2seq.evaluation.metrics import METRICS
    from seq2seq.evaluation.page import runs_to_html
    from seq2seq.files import write_text
    from seq2seq.pipeline.runs import list_runs
    from seq2seq.run_folder import RunFolder

    lines = list_runs(folder, sort)
    if html is not None:
        reports = {line.run: RunFolder(folder / line.run).html for line in lines}
        pages = {run: os.path.relpath(page, html.parent) for run, page in reports.items() if page.exists()}
        write_text(html, runs_to_html(str(folder), sort, [vars(line) for line in lines], pages))
        print(f"page: {html}", file=sys.stderr)
    if as_json:
        print(json.dumps([asdict(line) for line in lines], indent=2))
        return
    shown = [metric for metric in METRICS if any(line.value(metric) is not None for line in lines)]
    table = Table(header_style="bold", box=None, pad_edge=False)
    for title in ("test set", "run", "last stage"):
        table.add_column(title, overflow="fold")
    for metric in shown:
        table.add_column(METRICS[metric].label, justify="right")
    for line in lines:
        values = [line.value(metric) for metric in shown]
        cells = ["" if value is None else f"{value:.2f}" for value in values]
        table.add_row(*map(Text, (line.test_set, line.run, line.stage, *cells)))
    Console().print(table)
