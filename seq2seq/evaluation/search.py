"""What a search has come to: its trials, the best first, as a table, charts and plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.charts import Chart, Spot, scatter_chart
from seq2seq.evaluation.metrics import METRICS

MOST_SHOWN = 10
"""Trials in the terminal's table."""


@dataclass(frozen=True)
class TrialResult:
    """A trial that was trained.

    Attributes:
        values: by recipe key.
        score: on the validation set, of the model that was kept; the mean over the seeds.
        seconds: of training, the mean over the seeds.
    """

    number: int
    label: str
    values: dict[str, Any]
    score: float
    seconds: float


@dataclass(frozen=True)
class Axis:
    """A key whose values are numbers, its short name, and whether they spread over orders of magnitude."""

    key: str
    name: str
    log: bool


@dataclass(frozen=True)
class SearchReport:
    """All trials that were trained.

    Attributes:
        metric: of the validation set, by which trials are compared.
        as_it_is: what the recipe itself has; None: it could not be trained.
        trials: the best first.
        refused: by label, why the recipe does not take a trial's values together.
    """

    metric: str
    as_it_is: float | None
    trials: list[TrialResult]
    refused: dict[str, str]
    axes: list[Axis]

    @property
    def best(self) -> str | None:
        """Label of the best trial."""
        return self.trials[0].label if self.trials else None

    @property
    def label(self) -> str:
        """The metric's name as it is written."""
        return METRICS[self.metric].label if self.metric in METRICS else self.metric

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.trials:
            return "no trial could be trained"
        first = self.trials[0]
        told = f"{first.label} is the best of {len(self.trials)} trials: validation {self.label} {first.score:.2f}"
        return told if self.as_it_is is None else f"{told}; the recipe as it is: {self.as_it_is:.2f}"


def print_search(report: SearchReport, console: Console) -> None:
    """The best trials, and the best one beside the recipe as it is."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("trial", overflow="fold")
    for title in (f"validation {report.label}", "minutes"):
        table.add_column(title, justify="right")
    for one in report.trials[:MOST_SHOWN]:
        table.add_row(Text(one.label), f"{one.score:.2f}", f"{one.seconds / 60:.1f}")
    console.print(table)
    if report.trials[MOST_SHOWN:]:
        console.print(f"and {len(report.trials) - MOST_SHOWN} more", style="dim")
    for label, why in report.refused.items():
        console.print(Text(f"{label}: not trained: {why}"), soft_wrap=True)
    console.print(Text(report.verdict), soft_wrap=True)
    console.print()


def search_to_plain(report: SearchReport) -> dict[str, Any]:
    """For JSON."""
    trials = [asdict(one) for one in report.trials]
    return {
        "metric": report.metric,
        "recipe": report.as_it_is,
        "best": report.best,
        "trials": trials,
        "refused": report.refused,
    }


def search_charts(report: SearchReport) -> list[Chart]:
    """The validation score against each key whose values are numbers; trials are marked by their numbers."""
    found = []
    for axis in report.axes:
        spots = [
            Spot(str(one.number), one.label, math.log10(value) if axis.log else value, one.score)
            for one in report.trials
            if isinstance(value := one.values.get(axis.key), int | float)
        ]
        if spots:
            unit = f"log10 of {axis.name}" if axis.log else axis.name
            found.append(scatter_chart(f"validation {report.label} against {axis.name}", spots, unit))
    return found
