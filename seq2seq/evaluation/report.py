"""The report of a run, from plain data: one self-contained HTML page, Markdown, JSON, a table for the terminal."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import numpy as np
from babel import Locale, UnknownLocaleError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seq2seq.evaluation import charts, metrics
from seq2seq.evaluation.metrics import LABELS, LengthBucket, Score, score_by_length, sentence_chrf
from seq2seq.languages import has_spaces

SENTENCES_SHOWN = 5
"""Of the worst, of the typical and of the best translations of a test set."""
LONGEST_SHOWN = 1500
"""Characters of a sentence: a page must open even if a line of the test set is a book."""
FAINTEST = 0.01
"""Attention below this is not drawn."""
SCORE_COLUMNS = ("test set", "metric", "score", "95 % interval", "sentences")

Pieces = list[tuple[str, bool]]
"""Parts of a text, and whether each differs from the text beside it."""
AuditRow = tuple[int, str, object]
"""Depth, label, value."""


@dataclass(frozen=True)
class AttentionExample:
    """What a decoder looked at.

    Attributes:
        weights: [tgt_len, src_len], rows sum to 1.
    """

    source_tokens: list[str]
    target_tokens: list[str]
    weights: np.ndarray


@dataclass(frozen=True)
class TestSetReport:
    """A test set, translated and scored: equally many sources, hypotheses and references."""

    __test__ = False  # pytest: this is no test

    name: str
    sources: list[str]
    hypotheses: list[str]
    references: list[str]
    scores: list[Score]
    attentions: list[AttentionExample]


@dataclass(frozen=True)
class RunReport:
    """All that a report shows.

    Attributes:
        facts: name and value, in the order of the table.
        recipe: its YAML, defaults written out.
        log: the records of train.jsonl.
        audit: what became of the data: nested mappings of numbers and strings.
    """

    name: str
    src: str
    tgt: str
    facts: list[tuple[str, str]]
    recipe: str
    log: list[dict[str, Any]]
    audit: dict[str, Any]
    test_sets: list[TestSetReport]


@dataclass(frozen=True)
class SentenceView:
    """A translation beside its reference."""

    source: str
    hypothesis: Pieces
    reference: Pieces
    chrf: float


def to_html(report: RunReport) -> str:
    """One page that needs nothing else: no network, no script. Everything in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seq2seq.evaluation", ""), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    page = environment.get_template("report.html.j2").render(
        report=report,
        src=_language(report.src),
        tgt=_language(report.tgt),
        lang={"src": report.src.replace("_", "-"), "tgt": report.tgt.replace("_", "-")},
        charts=charts.learning_curves(report.log),
        views=[_test_set_view(test_set, report) for test_set in report.test_sets],
        interval_chart=charts.interval_chart,
        audit=audit_tables(report.audit),
    )
    return _writable(page)


def to_markdown(report: RunReport) -> str:
    """The scores, some sentences and the facts, for a pull request or a diary."""
    parts = [f"# {_cell(report.name)}", f"{_language(report.src)} → {_language(report.tgt)}", "## Scores"]
    rows = [(*_score_row(_cell(t.name), s), _cell(s.signature)) for t in report.test_sets for s in t.scores]
    parts.append(_markdown_table((*SCORE_COLUMNS, "signature"), rows))
    for test_set in report.test_sets:
        buckets, unit = _buckets(test_set, report)
        parts += [f"## {_cell(test_set.name)}", f"BLEU by length of the source, in {unit}:"]
        by_length = [(b.span, f"{b.bleu:.2f}", f"{b.count:,}") for b in buckets]
        parts.append(_markdown_table((unit, "BLEU", "sentences"), by_length))
        chrf = sentence_chrf(test_set.hypotheses, test_set.references)
        for title, sentences in choose_sentences(test_set, chrf, report.tgt):
            parts += [f"{title}:", _fenced("\n\n".join(map(_example, sentences[:3])), "text")]
    if report.facts:
        parts += ["## Run", _markdown_table(("", ""), [(_cell(k), _cell(v)) for k, v in report.facts])]
    for title, entries in audit_tables(report.audit):
        counts = [("&nbsp;" * 4 * depth + _cell(label), _cell(_number(value))) for depth, label, value in entries]
        parts += [f"## Data: {_cell(title)}", _markdown_table(("", ""), counts)]
    parts += ["## Recipe", _fenced(report.recipe.strip("\n"), "yaml")]
    return _writable("\n\n".join(parts) + "\n")


def to_dict(report: RunReport) -> dict[str, list[dict[str, Any]]]:
    """What scores.json holds: for each test set, its scores."""
    return {t.name: [metrics.to_dict(score) for score in t.scores] for t in report.test_sets}


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


def print_table(report: RunReport, console: Console) -> None:
    """A report's scores, as `print_scores` prints them."""
    print_scores({test_set.name: test_set.scores for test_set in report.test_sets}, console)


def choose_sentences(test_set: TestSetReport, chrf: Sequence[float], tgt: str) -> list[tuple[str, list[SentenceView]]]:
    """The worst, the typical and the best translations by chrF; of a small set, all, from worst to best.

    A line that comes again with the same translation is shown once.
    """
    rows = list(zip(test_set.sources, test_set.hypotheses, test_set.references, strict=True))
    once = {row: i for i, row in enumerate(rows)}.values()
    # Among equals the longer counts as better: three right words say little.
    order = sorted(once, key=lambda i: (chrf[i], len(test_set.references[i])))
    middle = (len(order) - SENTENCES_SHOWN) // 2
    groups = {
        "Worst": order[:SENTENCES_SHOWN],
        "Typical": order[middle : middle + SENTENCES_SHOWN],
        "Best": order[: -SENTENCES_SHOWN - 1 : -1],
    }
    if len(order) < 3 * SENTENCES_SHOWN:
        groups = {"All, from worst to best": order}

    def view(i: int) -> SentenceView:
        source, hypothesis, reference = map(_shortened, rows[i])
        return SentenceView(source, *word_diff(hypothesis, reference, has_spaces(tgt)), chrf[i])

    return [(title, [view(i) for i in chosen]) for title, chosen in groups.items()]


def word_diff(hypothesis: str, reference: str, spaces: bool) -> tuple[Pieces, Pieces]:
    """What of each the other one lacks, by words with their spaces, or by characters in a language without.

    Joined, the pieces of each are the text again.
    """
    units = r"\s*\S+|\s+$" if spaces else r"(?s:.)"
    ours, theirs = re.findall(units, hypothesis), re.findall(units, reference)
    bare = [unit.strip() for unit in ours], [unit.strip() for unit in theirs]
    blocks = difflib.SequenceMatcher(None, *bare, autojunk=False).get_opcodes()
    left = [piece for tag, i, j, _, _ in blocks for piece in _pieces("".join(ours[i:j]), tag != "equal")]
    right = [piece for tag, _, _, i, j in blocks for piece in _pieces("".join(theirs[i:j]), tag != "equal")]
    return left, right


def _pieces(text: str, differs: bool) -> Pieces:
    """The space before a differing word is not part of the difference."""
    words = text.lstrip() if differs else ""
    return [piece for piece in ((text.removesuffix(words), False), (words, True)) if piece[0]]


def audit_tables(audit: Mapping[str, Any]) -> list[tuple[str, list[AuditRow]]]:
    """The nested audit as one table for each of its parts, with rows of depth, label and value."""
    plain = {key: value for key, value in audit.items() if not isinstance(value, Mapping)}
    parts = [(key.replace("_", " "), value) for key, value in audit.items() if isinstance(value, Mapping)]
    return [(title, list(_audit_rows(part))) for title, part in [("overall", plain), *parts] if part]


def _audit_rows(part: Mapping[str, Any], depth: int = 0) -> Iterator[AuditRow]:
    for key, value in part.items():
        label = str(key).replace("_", " ")
        if isinstance(value, Mapping):
            yield depth, label, "" if value else "none"
            yield from _audit_rows(value, depth + 1)
        else:
            yield depth, label, value


def _test_set_view(test_set: TestSetReport, report: RunReport) -> dict[str, Any]:
    """What the page shows of a test set."""
    chrf = sentence_chrf(test_set.hypotheses, test_set.references)
    ordered = sorted(test_set.scores, key=lambda s: list(LABELS).index(s.metric))
    return {
        "name": test_set.name,
        "headline": ordered[0] if ordered else None,
        "others": ordered[1:],
        "scores": test_set.scores,
        "sentences": len(test_set.references),
        "charts": [charts.length_chart(*_buckets(test_set, report)), charts.chrf_chart(chrf)],
        "groups": choose_sentences(test_set, chrf, report.tgt),
        "attentions": [(a.source_tokens, _attention_rows(a)) for a in test_set.attentions],
    }


def _attention_rows(example: AttentionExample) -> list[tuple[str, list[float]]]:
    """Each target token with its weights, rounded; 0 where nothing would be seen: the page stays small."""
    exact = example.weights.astype(np.float64)  # a rounded float32 still prints nine digits
    weights = np.where(exact < FAINTEST, 0, exact).round(2)
    return list(zip(example.target_tokens, weights.tolist(), strict=True))


def _buckets(test_set: TestSetReport, report: RunReport) -> tuple[list[LengthBucket], str]:
    buckets = score_by_length(test_set.sources, test_set.hypotheses, test_set.references, report.src, report.tgt)
    return buckets, "words" if has_spaces(report.src) else "characters"


def _score_row(name: str, score: Score) -> tuple[str, ...]:
    """The cells of SCORE_COLUMNS."""
    return name, score.label, f"{score.value:.2f}", _interval(score), f"{score.sentences:,}"


def _interval(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"{score.low:.2f} – {score.high:.2f}"


def _language(code: str) -> str:
    """German, for de; the code itself where CLDR has no name for it."""
    try:
        return Locale.parse(code.replace("-", "_")).english_name or code
    except (ValueError, UnknownLocaleError):
        return code


def _number(value: object) -> str:
    """1,234 or 0.0512; a list is joined; all else as it is."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_number, value))
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + " …"


def _writable(text: str) -> str:
    """Without what no UTF-8 file or browser takes: half a surrogate pair, NUL."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _example(view: SentenceView) -> str:
    hypothesis, reference = ("".join(text for text, _ in pieces) for pieces in (view.hypothesis, view.reference))
    return f"source      {view.source}\nhypothesis  {hypothesis}\nreference   {reference}\nchrF        {view.chrf:.1f}"


def _fenced(text: str, language: str) -> str:
    """A block of code, where nothing is markup; its fence is longer than any row of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _cell(text: str) -> str:
    """A table's cell: no markup, no end of the cell or of the line."""
    return re.sub(r"([\\`*_\[\]<>&|#!])", r"\\\1", re.sub(r"[\r\n]+", " ", text))


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
