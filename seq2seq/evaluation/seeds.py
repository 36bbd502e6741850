"""Scores of several trainings that differ in their random seed alone: mean, standard deviation, ensemble."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.charts import Chart, Line, line_chart
from seq2seq.evaluation.compare import SIGNIFICANT
from seq2seq.evaluation.metrics import METRICS, Score
from seq2seq.evaluation.report import cell, fenced, markdown_table, print_scores
from seq2seq.evaluation.significance import SystemResult, p_over_pairs
from seq2seq.languages import language_name

STYLES = 6


@dataclass(frozen=True)
class SeedsScore(Score):
    """A metric's mean over the seeds (`value`), which has no bootstrap interval.

    Attributes:
        deviation: the sample standard deviation over the seeds (n - 1).
        by_seed: each run's own score.
        ensemble: of the translations that all models write together.
    """

    deviation: float
    by_seed: dict[str, float]
    ensemble: float


@dataclass(frozen=True)
class SeedsChange:
    """A test set by one metric, before training started from another run's weights and after.

    Attributes:
        after: the mean over the seeds.
        p_value: of each seed's run beside the one before, the largest; 1 where seeds disagree on which is better.
    """

    test_set: str
    metric: str
    before: float
    after: float
    deviation: float
    p_value: float

    @property
    def label(self) -> str:
        """The metric's name as it is written."""
        return METRICS[self.metric].label

    @property
    def verdict(self) -> str:
        """In words."""
        p = f"p = {self.p_value:.3f}"
        if self.p_value >= SIGNIFICANT:
            return f"{self.test_set}: not distinguishable by {self.label} ({p})"
        gain = self.after - self.before
        word = "better" if (gain < 0) == METRICS[self.metric].lower_is_better else "worse"
        return f"{self.test_set}: {word} with every seed, by {abs(gain):.1f} {self.label} ({p})"


def change_over_seeds(test_set: str, metric: str, pairs: Sequence[tuple[SystemResult, SystemResult]]) -> SeedsChange:
    """What a test set has gained.

    Args:
        pairs: of each seed, the result before and the one after.
    """
    after, p = [other.value for _, other in pairs], p_over_pairs(pairs)
    assert p is not None
    before = statistics.fmean(first.value for first, _ in pairs)
    return SeedsChange(test_set, metric, before, statistics.fmean(after), statistics.stdev(after), p)


@dataclass(frozen=True)
class SeedsReport:
    """All that the page of a recipe with several seeds shows.

    Attributes:
        scores: by test set.
        pages: by seed, the address of its own report from this one.
        logs: by seed, the records of its training.
        recipe: its YAML.
        origin: name of the run that training started from; empty where there is none.
        changes: test sets before and after.
    """

    name: str
    src: str
    tgt: str
    scores: dict[str, list[SeedsScore]]
    pages: dict[str, str]
    logs: dict[str, list[dict[str, Any]]]
    recipe: str
    origin: str = ""
    changes: list[SeedsChange] = field(default_factory=list)


def summarize(by_seed: Mapping[str, Sequence[Score]], ensemble: Sequence[Score]) -> list[SeedsScore]:
    """A test set's scores over the seeds, metric by metric.

    Args:
        by_seed: of each run.
        ensemble: the same metrics of the ensemble's translations.
    """
    found = []
    for i, together in enumerate(ensemble):
        values = {seed: scores[i].value for seed, scores in by_seed.items()}
        mean, deviation = statistics.fmean(values.values()), statistics.stdev(values.values())
        signature = next(iter(by_seed.values()))[i].signature
        found.append(
            SeedsScore(
                together.metric, mean, None, None, signature, together.sentences, deviation, values, together.value
            )
        )
    return found


def validation_chart(logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart | None:
    """Validation BLEU of each seed over the steps."""
    lines = []
    for i, (seed, log) in enumerate(logs.items()):
        points = [(float(r["step"]), float(r["bleu"])) for r in log if r.get("kind") == "validation" and "bleu" in r]
        lines.append(Line(f"seed {seed}", points, i % STYLES, dots=True))
    return line_chart("Validation BLEU", lines, "steps")


def print_any(scores: Mapping[str, Sequence[Score]], console: Console) -> None:
    """A table with a row for each test set and metric, of one run or of several seeds; below it the signatures."""
    over_seeds = {name: [s for s in of_set if isinstance(s, SeedsScore)] for name, of_set in scores.items()}
    if any(over_seeds.values()):
        _print_seeds(over_seeds, console)
    else:
        print_scores(scores, console)


def _print_seeds(scores: Mapping[str, Sequence[SeedsScore]], console: Console) -> None:
    """Mean, deviation, lowest and highest seed, ensemble."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for i, title in enumerate(("test set", "metric", "mean ± std", "seeds", "ensemble")):
        table.add_column(title, justify="left" if i < 2 else "right")
    for name, of_set in scores.items():
        for i, score in enumerate(of_set):
            low, high = min(score.by_seed.values()), max(score.by_seed.values())
            spread = f"{score.value:.2f} ± {score.deviation:.2f}", f"{low:.2f} – {high:.2f}", f"{score.ensemble:.2f}"
            table.add_row(*map(Text, (name if i == 0 else "", score.label, *spread)))
    console.print(table)
    for signature in dict.fromkeys(f"{s.label}|{s.signature}" for of_set in scores.values() for s in of_set):
        console.print(Text(signature, style="dim"), soft_wrap=True)


def seeds_to_markdown(report: SeedsReport) -> str:
    """The scores of all seeds, for a pull request or a diary."""
    seeds = list(report.pages)
    parts = [f"# {report.name}, seeds {', '.join(seeds)}"]
    parts.append(f"{language_name(report.src)} → {language_name(report.tgt)}")
    rows = [
        (
            name,
            s.label,
            f"{s.value:.2f} ± {s.deviation:.2f}",
            *(f"{v:.2f}" for v in s.by_seed.values()),
            f"{s.ensemble:.2f}",
            f"`{s.signature}`",
        )
        for name, of_set in report.scores.items()
        for s in of_set
    ]
    head = ("test set", "metric", "mean ± std", *(f"seed {seed}" for seed in seeds), "ensemble", "signature")
    parts.append(markdown_table(head, rows))
    if report.changes:
        rows = [
            (c.test_set, c.label, f"{c.before:.2f}", f"{c.after:.2f} ± {c.deviation:.2f}", f"{c.after - c.before:+.2f}",
             f"{c.p_value:.3f}") for c in report.changes
        ]  # fmt: skip
        head = ("test set", "metric", f"{report.origin} (before)", "after", "change", "p")
        parts += ["## Before and after", markdown_table(tuple(map(cell, head)), rows)]
    parts += ["## Recipe", fenced(report.recipe.strip("\n"), "yaml")]
    return "\n\n".join(parts) + "\n"
