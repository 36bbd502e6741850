"""The report of a run, from plain data: as Markdown, and its scores as a table for the terminal."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.evaluation.audit import audit_tables
from seq2seq.evaluation.buckets import Bucket, Rarity, Texts, buckets
from seq2seq.evaluation.compare import Comparison, verdict
from seq2seq.evaluation.explorer import Detail
from seq2seq.evaluation.metrics import METRICS, LengthBucket, Score, score_by_length, sentence_chrf
from seq2seq.evaluation.robustness import COLUMNS as ROBUSTNESS_COLUMNS
from seq2seq.evaluation.robustness import Robustness
from seq2seq.evaluation.sentences import SentenceView, choose_sentences
from seq2seq.evaluation.word_use import rare_and_frequent, signs_in_words
from seq2seq.languages import has_spaces, language_name

SCORE_COLUMNS = ("test set", "metric", "score", "95 % interval", "sentences")
CHANGE_COLUMNS = ("test set", "metric", "before", "after", "change", "p", "")


@dataclass(frozen=True)
class TestSetReport:
    """A test set, translated and scored: equally many sources, hypotheses and references.

    Attributes:
        details: what is recorded of each sentence's translation; empty where that is nothing.
        rarity: how the training data know the sources' words; None where that is not known.
    """

    __test__ = False  # pytest: this is no test

    name: str
    sources: list[str]
    hypotheses: list[str]
    references: list[str]
    scores: list[Score]
    details: list[Detail]
    rarity: Rarity | None = None


@dataclass(frozen=True)
class RunReport:
    """All that a report shows.

    Attributes:
        facts: name and value, in the order of the table.
        recipe: its YAML, defaults written out.
        log: the records of train.jsonl.
        audit: what became of the data: nested mappings of numbers and strings.
        warnings: signs of ill health in training: the step of each, and what was said.
        repeat: the command that makes the run again.
        comparisons: this run beside others.
        changes: of a run that training started from, beside this one: the same test sets before and after.
        previous: by test set and metric, what the recipe's run scored before.
        robustness: what the suite has found; None: it has not run.
    """

    name: str
    src: str
    tgt: str
    facts: list[tuple[str, str]]
    recipe: str
    log: list[dict[str, Any]]
    audit: dict[str, Any]
    test_sets: list[TestSetReport]
    warnings: list[tuple[int, str]] = field(default_factory=list)
    repeat: str = ""
    comparisons: list[Comparison] = field(default_factory=list)
    changes: list[Comparison] = field(default_factory=list)
    previous: dict[str, dict[str, float]] = field(default_factory=dict)
    robustness: Robustness | None = None


def to_markdown(report: RunReport) -> str:
    """The scores, some sentences and the facts, for a pull request or a diary."""
    parts = [f"# {cell(report.name)}", f"{language_name(report.src)} → {language_name(report.tgt)}", "## Scores"]
    rows = [(*_score_row(cell(t.name), s), cell(s.signature)) for t in report.test_sets for s in t.scores]
    parts.append(markdown_table((*SCORE_COLUMNS, "signature"), rows))
    if report.changes:
        parts += ["## Before and after", markdown_table(CHANGE_COLUMNS, list(_change_rows(report.changes)))]
    for test_set in report.test_sets:
        parts.append(f"## {cell(test_set.name)}")
        for kind, of_kind in kinds(test_set, report):
            measure = of_kind[0].measure
            rows = [(one.label, f"{one.scores[0]:.2f}", f"{one.count:,}") for one in of_kind]
            parts += [f"{measure}, by {kind}:", markdown_table((kind, measure, "count"), rows)]
        parts.append(signs_in_words(test_set.sources, test_set.hypotheses, test_set.references))
        found = rare_and_frequent(test_set.hypotheses, test_set.references, report.tgt)
        for title, words in zip(("Used too rarely", "Used too often"), found, strict=True):
            told = ", ".join(f"{cell(one.word)} ({one.translations:,}, references {one.references:,})" for one in words)
            parts += [f"{title}: {told}"] if told else []
        chrf = sentence_chrf(test_set.hypotheses, test_set.references)
        texts = test_set.sources, test_set.hypotheses, test_set.references
        for title, sentences in choose_sentences(*texts, chrf, report.tgt):
            parts += [f"{title}:", fenced("\n\n".join(map(_example, sentences[:3])), "text")]
    if report.robustness is not None:
        rows = [tuple(map(cell, one.row())) for one in report.robustness.findings]
        parts += ["## Robustness", markdown_table(ROBUSTNESS_COLUMNS, rows)]
    if report.facts:
        parts += ["## Run", markdown_table(("", ""), [(cell(k), cell(v)) for k, v in report.facts])]
    for table in audit_tables(report.audit, language_name(report.src), language_name(report.tgt)):
        rows = [tuple(map(cell, row)) for row in table.rows]
        parts += [f"## Data: {cell(table.title)}", markdown_table(table.head, rows)]
    parts += ["## Recipe", fenced(report.recipe.strip("\n"), "yaml")]
    return writable("\n\n".join(parts) + "\n")


def print_scores(scores: Mapping[str, Sequence[Score]], console: Console) -> None:
    """A table with a row for each test set and metric; below it each signature once, unbroken, to be copied."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for i, title in enumerate(SCORE_COLUMNS):
        table.add_column(title, justify="left" if i < 2 else "right")
    for name, of_set in scores.items():
        for i, score in enumerate(of_set):
            table.add_row(*map(Text, _score_row(name if i == 0 else "", score)))
    console.print(table)
    for signature in dict.fromkeys(f"{s.label}|{s.signature}" for of_set in scores.values() for s in of_set):
        console.print(Text(signature, style="dim"), soft_wrap=True)


def changed_scores(before: Mapping[str, Sequence[Score]], after: Mapping[str, Sequence[Score]]) -> Iterator[str]:
    """A line for each test set: what the run that training started from scored there, and what this one scores."""
    for name, scores in before.items():
        now = {score.metric: score.value for score in after.get(name, ())}
        told = [f"{s.label} {s.value:.2f} -> {now[s.metric]:.2f}" for s in scores if s.metric in now]
        if told:
            yield f"{name}, before -> after: {', '.join(told)}"


def _change_rows(changes: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    """The cells of CHANGE_COLUMNS."""
    for one in changes:
        for metric, (_, (before, after)) in one.results.items():
            gain = f"{after.value - before.value:+.2f}"
            numbers = (f"{before.value:.2f}", f"{after.value:.2f}", gain, f"{after.p_value or 0:.3f}")
            yield cell(one.name), METRICS[metric].label, *numbers, cell(verdict(one, metric, 1))


def kinds(test_set: TestSetReport, report: RunReport) -> list[tuple[str, list[Bucket]]]:
    """Where a test set's translations are good and bad, by each kind of sentence or word."""
    texts = Texts(test_set.sources, test_set.references, report.src, report.tgt, test_set.rarity)
    found = buckets(texts, [test_set.hypotheses])
    return [(kind, list(of_kind)) for kind, of_kind in itertools.groupby(found, key=lambda one: one.kind)]


def buckets_by_length(test_set: TestSetReport, report: RunReport) -> tuple[list[LengthBucket], str]:
    """BLEU by the length of the source, and what that length is counted in."""
    buckets = score_by_length(test_set.sources, test_set.hypotheses, test_set.references, report.src, report.tgt)
    return buckets, "words" if has_spaces(report.src) else "characters"


def _score_row(name: str, score: Score) -> tuple[str, ...]:
    """The cells of SCORE_COLUMNS."""
    return name, score.label, f"{score.value:.2f}", interval(score), f"{score.sentences:,}"


def interval(score: Score) -> str:
    """Such as 35.10 – 38.20; empty where there is none."""
    return "" if score.low is None or score.high is None else f"{score.low:.2f} – {score.high:.2f}"


def writable(text: str) -> str:
    """Without what no UTF-8 file or browser takes: half a surrogate pair, NUL."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _example(view: SentenceView) -> str:
    hypothesis, reference = ("".join(text for text, _ in pieces) for pieces in (view.hypothesis, view.reference))
    return f"source      {view.source}\nhypothesis  {hypothesis}\nreference   {reference}\nchrF        {view.chrf:.1f}"


def fenced(text: str, language: str) -> str:
    """A block of code, where nothing is markup; its fence is longer than any row of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def cell(text: str) -> str:
    """A table's cell: no markup, no end of the cell or of the line."""
    return re.sub(r"([\\`*_\[\]<>&|#!])", r"\\\1", re.sub(r"[\r\n]+", " ", text))


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
