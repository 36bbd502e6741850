"""A comparison as a terminal table, CSV, and a LaTeX table (booktabs)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.evaluation.compare import Comparison, best, is_significant, verdict
from seq2seq.evaluation.metrics import METRICS


def print_comparison(one: Comparison, console: Console) -> None:
    """A row for each system, a column for each metric; below, each difference in words, where they differ, and the
    signatures."""
    table = Table(title=Text(one.name), title_justify="left", header_style="bold", box=None, pad_edge=False)
    table.add_column("system", overflow="fold")
    for metric in one.results:
        table.add_column(METRICS[metric].label, justify="right")
        table.add_column("p", justify="right", style="dim")
    for i, system in enumerate(one.systems):
        cells = []
        for metric, (_, results) in one.results.items():
            p = results[i].p_value
            style = "bold" if best(one, metric) == i else ""
            cells += [Text(f"{results[i].value:.2f}", style=style), Text("" if p is None else f"{p:.3f}")]
        table.add_row(Text(system), *cells)
    console.print(table)
    for metric in one.results:
        for i in range(1, len(one.systems)):
            console.print(Text(verdict(one, metric, i)), soft_wrap=True)
    if one.buckets:
        _print_buckets(one, console)
    for metric, (signature, _) in one.results.items():
        console.print(Text(f"{METRICS[metric].label}|{signature}", style="dim"), soft_wrap=True)


def _print_buckets(one: Comparison, console: Console) -> None:
    """Kinds of sentences and words, a column for each system."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("count", justify="right")
    for system in one.systems:
        table.add_column(Text(system), justify="right", overflow="fold", min_width=5)
    kind = ""
    for bucket in one.buckets:
        if bucket.kind != kind:
            kind = bucket.kind
            table.add_row(Text(f"{bucket.measure}, by {kind}", style="dim"))
        numbers = [Text(f"{score:.1f}") for score in bucket.scores]
        table.add_row(Text(f"  {bucket.label}"), f"{bucket.count:,}", *numbers)
    console.print()
    console.print(table)
    console.print()


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """A line for each test set, system and metric."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["test_set", "system", "metric", "score", "mean", "half_width", "p_value", "signature"])
    for one in comparisons:
        for metric, (signature, results) in one.results.items():
            for system, r in zip(one.systems, results, strict=True):
                writer.writerow([one.name, system, metric, r.value, r.mean, r.half_width, r.p_value, signature])
    return text.getvalue()


def to_latex(comparisons: Sequence[Comparison]) -> str:
    """A booktabs table: the best of each column bold, a dagger at what differs from the first system (p < 0.05)."""
    columns = [(one, metric) for one in comparisons for metric in one.results]
    head = [f"{escape_latex(one.name)} {METRICS[metric].label}" for one, metric in columns]
    lines = [
        r"\begin{tabular}{l" + "r" * len(columns) + "}",
        r"\toprule",
        " & ".join(["System", *head]) + r" \\",
        r"\midrule",
    ]
    for i, system in enumerate(comparisons[0].systems):
        cells = [escape_latex(system)]
        for one, metric in columns:
            first, result = one.results[metric][1][0], one.results[metric][1][i]
            value = f"{result.value:.1f}"
            value = rf"\textbf{{{value}}}" if best(one, metric) == i else value
            cells.append(value + (r"$^\dagger$" if is_significant(first, result) else ""))
        lines.append(" & ".join(cells) + r" \\")
    signatures = [f"% {METRICS[metric].label}|{one.results[metric][0]}" for one, metric in columns]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *dict.fromkeys(signatures)]) + "\n"


def escape_latex(text: str) -> str:
    """Escaped."""
    text = re.sub(r"\\", r"\\textbackslash ", text)
    return re.sub(r"([&%$#_{}])", r"\\\1", text).replace("~", r"\textasciitilde{}").replace("^", r"\textasciicircum{}")
