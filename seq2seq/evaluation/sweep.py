"""The comparison that a sweep ends in: tables for the terminal, JSON, CSV and LaTeX, charts for the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.charts import Chart, Spot, scatter_chart
from seq2seq.evaluation.compare import SIGNIFICANT
from seq2seq.evaluation.comparison_text import escape_latex
from seq2seq.evaluation.metrics import METRICS
from seq2seq.evaluation.search import SearchReport, print_search, search_to_plain

Column = tuple[str, str]
"""A test set and a metric."""


@dataclass(frozen=True)
class Cell:
    """A row's score.

    Attributes:
        value: the mean over the seeds, or the only run's score.
        deviation: over the seeds (sample); None where there is one.
        p_value: of the paired bootstrap test against the first row's run of the same seed, the largest over the
            seeds; 1 where seeds disagree on which is better; None for the first row.
    """

    metric: str
    value: float
    deviation: float | None
    by_seed: dict[str, float]
    ensemble: float | None
    signature: str
    p_value: float | None

    @property
    def differs(self) -> bool:
        """From the first row's, significantly with every seed."""
        return self.p_value is not None and self.p_value < SIGNIFICANT

    @property
    def text(self) -> str:
        """Such as 36.41 ± 0.20†."""
        spread = "" if self.deviation is None else f" ± {self.deviation:.2f}"
        return f"{self.value:.2f}{spread}{'†' if self.differs else ''}"


@dataclass(frozen=True)
class RowResult:
    """A row of the sweep.

    Attributes:
        page: address of its report.
        seconds: of training, the mean over the seeds.
        tokens_per_second: target tokens in training, the median of the log.
    """

    label: str
    page: str
    parameters: int
    seconds: float
    tokens_per_second: float
    cells: dict[Column, Cell]


@dataclass(frozen=True)
class SweepReport:
    """All that a sweep's page shows.

    Attributes:
        failed: by run, why it has no result.
        text: the sweep's file.
        search: its trials; the rows are then the recipe as it is, and the best of them.
    """

    name: str
    rows: list[RowResult]
    failed: dict[str, str]
    text: str
    search: SearchReport | None = None

    @property
    def columns(self) -> list[Column]:
        """Test sets and metrics that any row has."""
        return list(dict.fromkeys(column for row in self.rows for column in row.cells))

    def best(self, column: Column) -> str:
        """Label of the row with the best value."""
        having = [row for row in self.rows if column in row.cells]
        pick = min if METRICS[column[1]].lower_is_better else max
        return pick(having, key=lambda row: row.cells[column].value).label


def verdicts(report: SweepReport) -> list[str]:
    """In words, how each row does beside the first, by the first metric of each test set."""
    lines, first = [], report.rows[0] if report.rows else None
    names = list(dict.fromkeys(name for name, _ in report.columns))
    for column in (next(c for c in report.columns if c[0] == name) for name in names):
        label = METRICS[column[1]].label
        for row in report.rows[1:]:
            if first is None or column not in row.cells or column not in first.cells:
                continue
            cell, gain = row.cells[column], row.cells[column].value - first.cells[column].value
            if cell.p_value is None:
                continue
            p, every = f"p = {cell.p_value:.3f}", " with every seed" if cell.by_seed else ""
            if cell.differs:
                word = "better" if (gain < 0) == METRICS[column[1]].lower_is_better else "worse"
                lines.append(f"{row.label} is {word} than {first.label}{every}, by {abs(gain):.1f} {label} ({p})")
            else:
                lines.append(f"{row.label} and {first.label} are not distinguishable by {label} ({p})")
    return lines


def print_sweep(report: SweepReport, console: Console) -> None:
    """A table of sizes and times, one of scores for each test set, and each row beside the first in words."""
    if report.search is not None:
        print_search(report.search, console)
    table = _table("run", "weights", "minutes", "tokens/s")
    for row in report.rows:
        minutes, speed = f"{row.seconds / 60:.1f}", f"{row.tokens_per_second:,.0f}"
        table.add_row(*map(Text, (row.label, f"{row.parameters:,}", minutes, speed)))
    console.print(table)
    for name in dict.fromkeys(name for name, _ in report.columns):
        columns = [column for column in report.columns if column[0] == name]
        table = _table(name, *(METRICS[metric].label for _, metric in columns))
        for row in report.rows:
            cells = [Text(row.label)]
            for column in columns:
                cell = row.cells.get(column)
                bold = "bold" if cell and report.best(column) == row.label else ""
                cells.append(Text(cell.text if cell else "", style=bold))
            table.add_row(*cells)
        console.print()
        console.print(table)
    for line in verdicts(report):
        console.print(Text(line), soft_wrap=True)
    for run, why in report.failed.items():
        console.print(Text(f"failed: {run}: {why}", style="bold"), soft_wrap=True)


def sweep_to_plain(report: SweepReport) -> dict[str, Any]:
    """For JSON."""
    rows = [
        {key: value for key, value in asdict(row).items() if key != "cells"}
        | {"scores": [{"test_set": name, **asdict(cell)} for (name, _), cell in row.cells.items()]}
        for row in report.rows
    ]
    plain = {"name": report.name, "rows": rows, "failed": report.failed, "verdicts": verdicts(report)}
    return plain if report.search is None else plain | {"search": search_to_plain(report.search)}


def sweep_to_csv(report: SweepReport) -> str:
    """A line for each row, test set and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "row",
            "parameters",
            "seconds",
            "tokens_per_second",
            "test_set",
            "metric",
            "mean",
            "deviation",
            "ensemble",
            "p_value",
            "by_seed",
            "signature",
        ]
    )
    for row in report.rows:
        for (name, metric), c in row.cells.items():
            seeds = " ".join(f"{seed}:{value}" for seed, value in c.by_seed.items())
            numbers = [row.label, row.parameters, row.seconds, row.tokens_per_second]
            writer.writerow([*numbers, name, metric, c.value, c.deviation, c.ensemble, c.p_value, seeds, c.signature])
    return text.getvalue()


def sweep_to_latex(report: SweepReport) -> str:
    """A booktabs table: the best of each column bold, a dagger at what differs from the first row (p < 0.05)."""
    head = [f"{escape_latex(name)} {METRICS[metric].label}" for name, metric in report.columns]
    lines = [
        r"\begin{tabular}{lr" + "r" * len(head) + "}",
        r"\toprule",
        " & ".join(["System", "Weights", *head]) + r" \\",
        r"\midrule",
    ]
    for row in report.rows:
        cells = [escape_latex(row.label), f"{row.parameters:,}"]
        for column in report.columns:
            cell = row.cells.get(column)
            if cell is None:
                cells.append("")
                continue
            value = f"{cell.value:.1f}"
            value = rf"\textbf{{{value}}}" if report.best(column) == row.label else value
            spread = "" if cell.deviation is None else rf" $\pm$ {cell.deviation:.1f}"
            cells.append(value + spread + (r"$^\dagger$" if cell.differs else ""))
        lines.append(" & ".join(cells) + r" \\")
    signatures = [f"% {METRICS[c.metric].label}|{c.signature}" for row in report.rows[:1] for c in row.cells.values()]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *dict.fromkeys(signatures)]) + "\n"


def sweep_charts(report: SweepReport) -> dict[str, list[Chart]]:
    """By test set, its first metric against weights, time and speed; rows are numbered as in the tables."""
    firsts = {name: (name, metric) for name, metric in reversed(report.columns)}
    return {
        name: [
            _scatter(report, column, "weights", "million weights", lambda row: row.parameters / 1e6),
            _scatter(report, column, "training time", "minutes", lambda row: row.seconds / 60),
            _scatter(report, column, "training speed", "target tokens per second", lambda row: row.tokens_per_second),
        ]
        for name, column in reversed(firsts.items())
    }


def _scatter(report: SweepReport, column: Column, title: str, unit: str, x: Callable[[RowResult], float]) -> Chart:
    spots = [
        Spot(str(i), row.label, x(row), row.cells[column].value, row.cells[column].deviation or 0.0)
        for i, row in enumerate(report.rows, start=1)
        if column in row.cells
    ]
    return scatter_chart(f"{METRICS[column[1]].label} against {title}", spots, unit)


def _table(*titles: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for i, title in enumerate(titles):
        table.add_column(Text(title), justify="right" if i else "left", overflow="fold", no_wrap=bool(i))
    return table
