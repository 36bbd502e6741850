"""Charts hold whatever points they are given."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import charts

finite = st.floats(-1e6, 1e6)


@given(finite, finite)
@settings(max_examples=200)
def test_ticks_hold_the_ends(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    ticks = charts.ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), 1e-3)
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 12
    assert all(x < y for x, y in pairwise(ticks))


values = st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.lists(st.tuples(st.floats(0, 1e5), values), max_size=20), st.booleans(), st.booleans())
def test_a_chart_of_any_points(points: list[tuple[float, float]], log_x: bool, log_y: bool) -> None:
    chart = charts.line_chart("Loss", [charts.Line("<training>", points, dots=True)], "steps", log_x, log_y)
    assert (chart is None) == (not any(math.isfinite(y) for _, y in points))
    if chart is None:
        return
    svg = ElementTree.fromstring(chart.inline())
    assert "nan" not in chart.content and "inf" not in chart.content
    for dot in svg.iter("circle"):
        assert charts.LEFT - 0.1 <= float(dot.get("cx", "nan")) <= charts.WIDTH - charts.RIGHT + 0.1
        assert 0 <= float(dot.get("cy", "nan")) <= chart.height


def test_a_value_is_drawn_where_its_axis_says() -> None:
    linear, log = charts.Axis([0, 5, 10]), charts.Axis([1e-4, 1e-2, 1], log=True)
    assert [linear.at(v) for v in (-1, 0, 2.5, 10, 11)] == [0, 0, 0.25, 1, 1]
    assert [round(log.at(v), 9) for v in (0, 1e-4, 1e-3, 1, 9)] == [0, 0, 0.25, 1, 1]
    assert [log.label(tick) for tick in log.ticks] == ["10⁻⁴", "0.01", "1"]


def test_lines_differ_in_more_than_colour() -> None:
    dashes = [charts.STYLE.split(f"path.c{i}")[1].split("stroke-dasharray: ")[1].split(";")[0] for i in range(6)]
    assert len(set(dashes)) == 6


def test_a_figure_is_a_file_of_its_own() -> None:
    chart = charts.bar_chart("Sentences", [charts.Bar("0–10", "3", "", 3), charts.Bar("10–20", "5", "", 5)])
    figure = charts.figure([chart] * 5, columns=3)
    root = ElementTree.fromstring(figure)
    assert len([g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("transform")]) == 5
    assert "prefers-color-scheme: dark" in figure and "href" not in figure


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3), st.floats(0, 10)), min_size=1, max_size=20))
def test_spots_lie_within_their_chart(points: list[tuple[float, float, float]]) -> None:
    spots = [charts.Spot(str(i), "<row>", *point) for i, point in enumerate(points)]
    chart = charts.scatter_chart("BLEU", spots, "minutes")
    svg = ElementTree.fromstring(chart.inline())
    dots = list(svg.iter("circle"))
    assert len(dots) == len(points) and "nan" not in chart.content
    for dot in dots:
        assert charts.LEFT - 0.1 <= float(dot.get("cx", "nan")) <= charts.WIDTH - charts.RIGHT + 0.1
        assert 0 <= float(dot.get("cy", "nan")) <= chart.height


def test_texts_of_spots_close_together_do_not_touch() -> None:
    spots = [charts.Spot(str(i), "row", 5.0, 30 + 0.1 * i, 20.0) for i in range(30)]
    svg = ElementTree.fromstring(charts.scatter_chart("BLEU", spots, "minutes").inline())
    texts = [t for t in svg.iter("text") if t.get("class") in ("", "end") and t.text in {spot.text for spot in spots}]
    places = [(float(t.get("x", 0)), float(t.get("y", 0))) for t in texts if float(t.get("x", 0)) > charts.LEFT]
    assert len(places) == len(charts.SHIFTS)  # at the left edge: to the right alone
    for i, (x, y) in enumerate(places):
        assert all(abs(y - v) >= 12 or abs(x - u) >= 12 for u, v in places[:i])
