"""The study of searching as one picture."""

from __future__ import annotations

from collections.abc import Callable

from seq2seq.analysis.search import Outcome, Study
from seq2seq.charts import Chart, Line, figure, line_chart


def search_figure(found: Study) -> str:
    """SVG: quality, length, search errors and time by beam size, a curve for each length penalty."""
    best = found.outcomes[found.best]
    panels: list[tuple[str, Callable[[Outcome], float]]] = [
        ("BLEU, difference from the best", lambda one: one.bleu - best.bleu),
        ("chrF, difference from the best BLEU's", lambda one: one.chrf - best.chrf),
        ("Length, of the references'", lambda one: one.length_ratio),
        ("% whose reference scores higher", lambda one: 100 * one.reference_higher),
        ("% for which better is known", lambda one: 100 * one.better_known),
        ("Seconds", lambda one: one.seconds),
    ]
    charts = [line_chart(title, _lines(found, value), "beam size", log_x=True) for title, value in panels]
    return figure([chart for chart in charts if isinstance(chart, Chart)])


def _lines(found: Study, value: Callable[[Outcome], float]) -> list[Line]:
    """A curve for each penalty; greedy search, which knows none, begins them all."""
    greedy = [one for one in found.outcomes if one.beam_size == 1]
    wider = [one for one in found.outcomes if one.beam_size > 1]
    names = list(dict.fromkeys(one.penalty for one in wider)) or ["none"]
    lines = []
    for i, name in enumerate(names):
        own = sorted((one for one in [*greedy, *wider] if one in greedy or one.penalty == name), key=_beam)
        lines.append(Line(name, [(float(one.beam_size), value(one)) for one in own], i % 6, dots=True))
    return lines


def _beam(one: Outcome) -> int:
    return one.beam_size
