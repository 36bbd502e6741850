"""`evaluate RECIPE --suite robustness`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.evaluation.robustness import Robustness


def run_suite(
    suite: str, recipe: str, settings: list[str] | None, device: str, threads: int | None, as_json: bool
) -> None:
    """Do what is due, then the suite with each model of the recipe, and bring the reports up to date."""
    if suite != "robustness":
        raise UserError(f"--suite {suite[:50]}: there is one suite, robustness")
    from seq2seq.device import set_up
    from seq2seq.distributed import Processes
    from seq2seq.pipeline.robustness import measure_robustness
    from seq2seq.pipeline.seeds import runner_of
    from seq2seq.recipe.file import load_recipe, naming_variables

    loaded = load_recipe(recipe, settings or ())
    processes = Processes.join(set_up(device, threads))
    with naming_variables(recipe):
        runner = runner_of(loaded)
    runner.run("evaluate", processes)
    test_set = next(iter(loaded.data.test), None)
    found = {str(one.root): measure_robustness(one, test_set, processes.device) for one in runner.folders}
    runner_of(loaded).run("report", processes)
    if as_json:
        print(json.dumps({run: asdict(one) for run, one in found.items()}, indent=2, ensure_ascii=False))
        return
    for one in runner.folders:
        _print(found[str(one.root)])
        print(f"written: {one.robustness}, {one.html}")


def _print(found: Robustness) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from seq2seq.evaluation.robustness import COLUMNS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, title in enumerate(COLUMNS):
        table.add_column(title, justify="right" if i else "left")
    for one in found.findings:
        table.add_row(*map(Text, one.row()))
    Console().print(table)
    print(f"made of {found.sentences} sentences of {found.source}; consistency: chrF against the translation of the")
    print("sentence unchanged; chrF, unchanged: against the reference")
