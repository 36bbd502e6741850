"""Reports as HTML: each is one file that needs nothing else. Everything in it is escaped."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from seq2seq import charts
from seq2seq.evaluation import curves, explorer
from seq2seq.evaluation.attention import AttentionExample, attention_example
from seq2seq.evaluation.audit import audit_tables, dropped_pairs
from seq2seq.evaluation.compare import Comparison, verdict
from seq2seq.evaluation.metrics import METRICS, sentence_chrf
from seq2seq.evaluation.report import RunReport, TestSetReport, kinds, writable
from seq2seq.evaluation.search import search_charts
from seq2seq.evaluation.seeds import SeedsReport, validation_chart
from seq2seq.evaluation.sentences import choose_sentences
from seq2seq.evaluation.sweep import SweepReport, sweep_charts, verdicts
from seq2seq.evaluation.word_use import rare_and_frequent, signs_in_words
from seq2seq.languages import language_name

MAPS = 6
"""Attention maps that are shown without a click."""
MOST_WARNINGS = 12
"""Written out below the curves; all are marked in them."""
FAINTEST = 0.01
"""Attention below this is not drawn."""


def to_html(report: RunReport) -> str:
    """A run's report as one page."""
    src, tgt = language_name(report.src), language_name(report.tgt)
    return render(
        "report.html.j2",
        report=report,
        src=src,
        tgt=tgt,
        lang={"src": report.src.replace("_", "-"), "tgt": report.tgt.replace("_", "-")},
        curves=[chart.inline() for chart in curves.learning_curves(report.log, report.warnings)],
        views=[_test_set_view(test_set, report) for test_set in report.test_sets],
        audit=audit_tables(report.audit, src, tgt),
        verdict=verdict,
        dropped=dropped_pairs(report.audit),
    )


def compare_to_html(comparisons: Sequence[Comparison], different: Sequence[tuple[str, list[str]]]) -> str:
    """A comparison as one page."""
    return render("compare.html.j2", comparisons=comparisons, different=different, verdict=verdict)


def seeds_to_html(report: SeedsReport) -> str:
    """The page of a recipe with several seeds."""
    chart = validation_chart(report.logs)
    languages = f"{language_name(report.src)} → {language_name(report.tgt)}"
    return render("seeds.html.j2", report=report, languages=languages, chart=chart and chart.inline())


def runs_to_html(folder: str, sort: str, lines: Sequence[Mapping[str, Any]], pages: Mapping[str, str]) -> str:
    """A leaderboard as one page.

    Args:
        sort: the metric that the lines are sorted by.
        lines: each a run, its last stage, one of its test sets ("": none yet) and the scores there.
        pages: by run, the address of its report, where it has one.
    """
    sets = {name: list(of_set) for name, of_set in itertools.groupby(lines, key=lambda line: line["test_set"])}
    shown = [metric for metric in METRICS if any(s.metric == metric for line in lines for s in line["scores"])]
    return render("runs.html.j2", folder=folder, sort=sort, sets=sets, pages=pages, shown=shown)


def sweep_to_html(report: SweepReport) -> str:
    """A sweep's comparison as one page."""
    found = [] if report.search is None else search_charts(report.search)
    charts = sweep_charts(report)
    return render("sweep.html.j2", report=report, charts=charts, verdicts=verdicts(report), search_charts=found)


def render(template: str, **content: Any) -> str:
    """A page from one of the templates beside this file, with the styles that all pages share."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seq2seq.evaluation", "page"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["metrics"] = METRICS
    environment.globals["most_warnings"] = MOST_WARNINGS
    environment.globals["flags"] = explorer.FLAGS
    environment.globals["interval_chart"] = interval_chart
    names = "style.css", "curves.js", "sentences.js"
    style, *scripts = ((files(__package__) / name).read_text(encoding="utf-8") for name in names)
    styles = Markup(charts.PALETTE + charts.STYLE + style)
    page = environment.get_template(template).render(
        style=styles,
        scripts=[Markup(script) for script in scripts],
        faintest=FAINTEST,
        **content,
    )
    return writable(page)


def interval_chart(value: float, low: float | None, high: float | None) -> Markup:
    """A mark on the line from 0 to 100, with the interval around it."""
    at = [min(max(v, 0.0), 100.0) for v in (value if low is None else low, value if high is None else high, value)]
    return Markup(
        '<svg class="interval" viewBox="-2 0 104 8" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="scale" d="M0 4H100"/><path class="range" d="M{:.2f} 4H{:.2f}"/>'
        '<path class="tick" d="M{:.2f} 0v8"/>'
        "</svg>"
    ).format(*at)


def _test_set_view(test_set: TestSetReport, report: RunReport) -> dict[str, Any]:
    """What the page shows of a test set."""
    chrf = sentence_chrf(test_set.hypotheses, test_set.references)
    ordered = sorted(test_set.scores, key=lambda s: list(METRICS).index(s.metric))
    texts = test_set.sources, test_set.hypotheses, test_set.references
    return {
        "name": test_set.name,
        "headline": ordered[0] if ordered else None,
        "others": ordered[1:],
        "scores": test_set.scores,
        "sentences": len(test_set.references),
        "charts": [
            chart.inline()
            for chart in (*(curves.bucket_chart(*one) for one in kinds(test_set, report)), curves.chrf_chart(chrf))
        ],
        "signs": signs_in_words(*texts),
        "words": rare_and_frequent(test_set.hypotheses, test_set.references, report.tgt),
        "groups": choose_sentences(*texts, chrf, report.tgt),
        "attentions": _attentions(test_set),
        "rows": Markup(explorer.rows(*texts, chrf, test_set.details, report.src, report.tgt)),  # it escapes itself
        "left_out": max(0, len(test_set.references) - explorer.MOST_ROWS),
    }


def _attentions(test_set: TestSetReport) -> list[AttentionExample]:
    """Maps of the first sentences that are neither trivial nor too wide to look at."""
    found = (
        attention_example(source, translation, detail.reading)
        for source, translation, detail in zip(test_set.sources, test_set.hypotheses, test_set.details, strict=False)
        if detail.reading is not None
    )
    return list(itertools.islice((one for one in found if one is not None), MAPS))
