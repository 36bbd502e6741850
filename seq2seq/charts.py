"""Small vector charts: curves and bars as SVG, in light and dark, inline in a page or as a file of their own.

Why not a plotting library: curves drawn here have a fifth of the bytes, follow the reader's colour scheme, take the
page's fonts and can be asked for their values (docs/report.md has the measurements).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, PLOT = 380, 190
"""Of a chart, and the height of its plot, in pixels: small, so that its text can be read on a phone."""
LEFT, RIGHT, TITLE, ROW, BOTTOM, GAP = 50, 10, 22, 17, 40, 28
MAX_POINTS = 300
LEAST = 1e-300
SHIFTS = (0, -14, 14, -28, 28)
"""Pixels that a text may stand above or below its point, the nearest first."""

Point = tuple[float, float]

PALETTE = """\
:root { color-scheme: light dark;
  --card: #ffffff; --ink: #1d2126; --soft: #5a626c; --faint: #6b737d; --rule: #e4e5e2; --bar: #7f9fe6;
  --c0: #2f5fd0; --c1: #b86a00; --c2: #14805a; --c3: #b0307f; --c4: #6b4fc9; --c5: #5f6670; }
@media (prefers-color-scheme: dark) { :root {
  --card: #1a1d21; --ink: #e4e6e9; --soft: #a8afb8; --faint: #8f97a1; --rule: #2f343a; --bar: #4a68b3;
  --c0: #7da2ff; --c1: #e6ae62; --c2: #5fcf9f; --c3: #f08bc9; --c4: #b7a2ff; --c5: #a2a9b2; } }
"""
_STROKES = ("none", "7 3", "2 3", "9 3 2 3", "12 4", "1 4")
STYLE = (
    """\
.chart text { font: 11px ui-sans-serif, system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif;
  fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart .end { text-anchor: end; } .chart .middle { text-anchor: middle; } .chart .faint { fill: var(--faint); }
.chart .title { font-size: 12px; font-weight: 600; fill: var(--ink); }
.chart .value { text-anchor: middle; fill: var(--ink); }
.chart path { fill: none; } .chart path.mark { fill: var(--c1); }
.chart .grid { stroke: var(--rule); } .chart rect.bar { fill: var(--bar); }
.chart .line { stroke-width: 1.8; stroke-linejoin: round; }
"""
    + "".join(
        f".chart path.c{i}, .chart .ring.c{i} {{ stroke: var(--c{i}); stroke-dasharray: {dashes}; }} "
        f".chart .dot.c{i} {{ fill: var(--c{i}); }}\n"
        for i, dashes in enumerate(_STROKES)
    )
    + ".chart .ring { fill: none; stroke-width: 1.5; stroke-dasharray: none !important; }\n"
)
"""The charts' own rules; colours are those of PALETTE, and lines differ in dashes too."""


@dataclass(frozen=True)
class Line:
    """A curve. `style` numbers its colour and dashes, 0 to 5; `dots` marks each point; `best` is the point to ring."""

    label: str
    points: Sequence[Point]
    style: int = 0
    dots: bool = False
    best: Point | None = None


@dataclass(frozen=True)
class Bar:
    """A bar; `text` stands above it, `label` and `note` below."""

    label: str
    text: str
    note: str
    value: float


@dataclass(frozen=True)
class Spot:
    """A point with a short text beside it, a longer one to ask for, and how far its y spreads to either side."""

    text: str
    label: str
    x: float
    y: float
    spread: float = 0.0


@dataclass(frozen=True)
class Chart:
    """A drawn chart, WIDTH pixels wide."""

    title: str
    height: float
    content: Markup

    def inline(self) -> Markup:
        """For a page that has PALETTE and STYLE; as wide as its box."""
        return Markup('<svg class="chart" viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
            WIDTH, self.height, escape(self.title), self.content
        )


@dataclass(frozen=True)
class Axis:
    """From data to a share of the axis, 0 to 1. Ticks hold both ends."""

    ticks: Sequence[float]
    log: bool = False

    def at(self, value: float) -> float:
        """What lies outside is moved to the end."""
        low, high = self._scaled(self.ticks[0]), self._scaled(self.ticks[-1])
        return min(max((self._scaled(value) - low) / (high - low), 0.0), 1.0)

    def label(self, tick: float) -> str:
        """How a tick is written."""
        power = math.log10(tick) if self.log and tick > 0 else 0.0
        if abs(power) < 4 or power != round(power):
            return number(tick)
        return "10" + str(round(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, LEAST)) if self.log else value


def figure(charts: Sequence[Chart], columns: int = 3) -> str:
    """An SVG file of its own, charts side by side, on a background of the reader's colour scheme."""
    height = max(chart.height for chart in charts)
    rows = math.ceil(len(charts) / columns)
    size = columns * (WIDTH + GAP) + GAP, rows * (height + GAP) + GAP
    places = [(GAP + i % columns * (WIDTH + GAP), GAP + i // columns * (height + GAP)) for i in range(len(charts))]
    panels = Markup("").join(
        Markup('<g transform="translate({:.0f} {:.0f})">{}</g>\n').format(x, y + height - chart.height, chart.content)
        for chart, (x, y) in zip(charts, places, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}">\n'
        f"<style>\n{PALETTE}{STYLE}</style>\n"
        f'<rect width="100%" height="100%" style="fill: var(--card)"/>\n{panels}</svg>\n'
    )


def line_chart(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    log_x: bool = False,
    log_y: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> Chart | None:
    """Curves. A linear axis begins at zero; points that are not finite are left out; without any, None.

    A curve's own values stand in its attribute data-points: a page can read them off.

    Args:
        marks: places along x, within those of the curves, that are pointed at from above, each with what to say of it.
    """
    kept = [(line, _thinned([p for p in line.points if all(map(math.isfinite, p))])) for line in lines]
    kept = [(line, points) for line, points in kept if points]
    if not kept:
        return None
    xs, ys = zip(*(point for _, points in kept for point in points), strict=True)
    x = Axis(_powers(xs, 2) if log_x else ticks(min(*xs, 0), max(xs)), log_x)
    y = Axis(_powers(ys, 10) if log_y else ticks(min(*ys, 0), _ceiling(ys)), log_y)
    head, top = _head(title, [line for line, _ in kept])
    parts = [head, _grid(y, top), *(_x_ticks(x, top)), _text(WIDTH - RIGHT, top + PLOT + 34, x_label, "end faint")]
    parts += [_curve(x, y, top, line, points) for line, points in kept]
    parts += [_mark(_x(x, place), top, text) for place, text in marks]
    return Chart(title, top + PLOT + BOTTOM, Markup("").join(parts))


def bar_chart(title: str, bars: Sequence[Bar], notes: str = "") -> Chart:
    """Bars from zero; `notes` says what the notes below them count."""
    head, top = _head(title, [])
    y = Axis(ticks(0, max(1.0, *(bar.value for bar in bars))))
    slot = (WIDTH - LEFT - RIGHT) / len(bars)
    parts = [head, _grid(y, top), _text(LEFT - 7, top + PLOT + 32, notes, "end faint")]
    every = {key: _stride([getattr(bar, key) for bar in bars], slot) for key in ("label", "text", "note")}
    for i, bar in enumerate(bars):
        middle, height = LEFT + (i + 0.5) * slot, PLOT * y.at(bar.value)
        parts.append(
            Markup(
                '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"><title>{}</title></rect>'
            ).format(middle - 0.36 * slot, top + PLOT - height, 0.72 * slot, height, f"{bar.label}: {bar.text}")
        )
        for key, line, style in (("text", -height - 5, "value"), ("label", 16, "middle"), ("note", 32, "middle faint")):
            if i % every[key] == 0:
                parts.append(_text(middle, top + PLOT + line, getattr(bar, key), style))
    return Chart(title, top + PLOT + BOTTOM, Markup("").join(parts))


def scatter_chart(title: str, spots: Sequence[Spot], x_label: str) -> Chart:
    """Points; the axes hold their values and need not begin at zero."""
    head, top = _head(title, [])
    xs = [spot.x for spot in spots]
    ys = [y for spot in spots for y in (spot.y - spot.spread, spot.y + spot.spread)]
    x, y = Axis(ticks(min(xs), max(xs))), Axis(ticks(min(ys), max(ys)))
    parts = [head, _grid(y, top), *_x_ticks(x, top), _text(WIDTH - RIGHT, top + PLOT + 34, x_label, "end faint")]
    places = [(_x(x, spot.x), top + PLOT * (1 - y.at(spot.y))) for spot in spots]
    for spot, (a, b) in zip(spots, places, strict=True):
        reach = PLOT * (y.at(spot.y + spot.spread) - y.at(spot.y))
        parts.append(
            Markup(
                '<g><title>{}</title><path class="line c0" d="M{:.1f} {:.1f}v{:.1f}"/>'
                '<circle class="dot c0" cx="{:.1f}" cy="{:.1f}" r="3.5"/></g>'
            ).format(f"{spot.label}: {number(spot.x)}, {number(spot.y)}", a, b - reach, 2 * reach, a, b)
        )
    parts += _beside(places, [spot.text for spot in spots], top)
    return Chart(title, top + PLOT + BOTTOM, Markup("").join(parts))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, about `count` of them, from at or below `low` to at or above `high`; at least two."""
    span = max((high - low) or 1.0, 1e-9 * abs(low), 1e-9)
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def number(value: float) -> str:
    """Short: 1,200 or 0.05, without trailing zeros."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def text_width(text: str, size: float = 11) -> float:
    """Pixels that a text may take, generously: no font is at hand to measure it."""
    return sum(size * (1.0 if unicodedata.east_asian_width(c) in "WF" else 0.62) for c in text)


def _powers(values: Sequence[float], base: int, count: int = 6) -> list[float]:
    """Powers of the base around the values, every n-th where there are many."""
    logs = [math.log(max(value, LEAST), base) for value in values]
    low, high = math.floor(min(logs) + 1e-9), math.ceil(max(logs) - 1e-9)
    stride = max(1, math.ceil((high - low) / count))
    return [float(base) ** i for i in range(low, max(high, low + 1) + stride, stride)]


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most some hundreds of points, the first and the last among them: more cannot be seen."""
    stride = math.ceil(len(points) / MAX_POINTS)
    return points if stride <= 1 else [*points[:-1:stride], points[-1]]


def _ceiling(ys: Sequence[float]) -> float:
    """Top of the axis: a few huge losses at the start of a training must not flatten the rest."""
    ordered = sorted(ys)
    usual = ordered[int(0.95 * (len(ordered) - 1))]
    return min(ordered[-1], usual + 1.5 * (usual - ordered[0])) if usual > ordered[0] else ordered[-1]


def _stride(texts: Sequence[str], slot: float) -> int:
    """Every how many of them can be written side by side."""
    return max(1, math.ceil((max(map(text_width, texts)) + 4) / slot))


def _head(title: str, lines: Sequence[Line]) -> tuple[Markup, float]:
    """The title, and below it the names of the curves in rows; and where the plot begins."""
    lines = [] if [line.label for line in lines] == [title] else lines
    parts, x, y = [_text(0, 14, title, "title")], 0.0, TITLE + 10.0
    for line in lines:
        width = 30 + text_width(line.label) + 12
        if x and x + width > WIDTH:
            x, y = 0.0, y + ROW
        parts.append(Markup('<path class="line c{}" d="M{:.0f} {:.0f}h22"/>').format(line.style, x, y - 4))
        parts.append(_text(x + 28, y, line.label, ""))
        x += width
    return Markup("").join(parts), (y if lines else TITLE) + 14


def _x_ticks(axis: Axis, top: float) -> list[Markup]:
    labels = [axis.label(tick) for tick in axis.ticks]
    every = _stride(labels, (WIDTH - LEFT - RIGHT) / max(1, len(labels) - 1))
    return [
        _text(_x(axis, tick), top + PLOT + 17, label, "middle" if i < len(labels) - 1 else "end")
        for i, (tick, label) in enumerate(zip(axis.ticks, labels, strict=True))
        if i % every == 0
    ]


def _grid(axis: Axis, top: float) -> Markup:
    """Horizontal lines with their values."""
    parts = []
    for tick in axis.ticks:
        y = top + PLOT * (1 - axis.at(tick))
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, y, WIDTH - RIGHT))
        parts.append(_text(LEFT - 7, y + 4, axis.label(tick), "end"))
    return Markup("").join(parts)


def _curve(x: Axis, y: Axis, top: float, line: Line, points: Sequence[Point]) -> Markup:
    spots = [(_x(x, a), top + PLOT * (1 - y.at(b))) for a, b in points]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in spots)
    values = ",".join(f"{a:.6g} {b:.4g}" for a, b in points)
    curve = Markup('<path class="line c{}" data-label="{}" data-points="{}" d="{}"/>')
    parts = [curve.format(line.style, line.label, values, path)]
    dot = Markup('<circle class="{} c{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>')
    if line.dots or len(points) == 1:
        parts += [dot.format("dot", line.style, *spot, 2.4) for spot in spots]
    if line.best is not None and all(map(math.isfinite, line.best)):
        parts.append(dot.format("ring", line.style, _x(x, line.best[0]), top + PLOT * (1 - y.at(line.best[1])), 5.5))
    return Markup("").join(parts)


def _mark(x: float, top: float, text: str) -> Markup:
    """A triangle that points down at the plot."""
    return Markup('<path class="mark" d="M{:.1f} {:.1f}l-5 -8h10z"><title>{}</title></path>').format(x, top, text)


def _beside(places: Sequence[Point], texts: Sequence[str], top: float) -> list[Markup]:
    """Each text beside its point, or a little above or below with a line to it, where no other stands; else left out:
    the point's own title tells the same.
    """
    parts: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for (a, b), text in zip(places, texts, strict=True):
        width, leftwards = text_width(text), a > WIDTH / 2
        tries = [(down, left) for down in SHIFTS for left in (leftwards, not leftwards)]
        for down, left in tries:
            start, y = a - 9 - width if left else a + 9, b + 4 + down
            inside = start >= LEFT and start + width <= WIDTH and top <= y <= top + PLOT + 4
            if inside and all(abs(y - v) >= ROW - 4 or start >= u + w or start + width <= u for u, v, w in taken):
                taken.append((start, y, width))
                if down:
                    end = a - 7 if left else a + 7
                    parts.append(
                        Markup('<path class="grid" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(a, b, end, y - 4)
                    )
                parts.append(_text(a - 9 if left else a + 9, y, text, "end" if left else ""))
                break
    return parts


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.at(value) * (WIDTH - LEFT - RIGHT)


def _text(x: float, y: float, text: str, style: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(x, y, style, text)
