"""Small charts as inline SVG. The browser sets their text, in any script; the page's CSS gives the colours."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from seq2seq.evaluation.metrics import LengthBucket

WIDTH, HEIGHT = 520, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 30, 40
MAX_POINTS = 300

Point = tuple[float, float]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A curve. `style` is its CSS class; `dots` marks each point; `best` is the point to ring."""

    label: str
    points: Sequence[Point]
    style: str = "first"
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
class Frame:
    """The plot's area, from data to pixels. Ticks hold the ends of both axes."""

    x_ticks: Sequence[float]
    y_ticks: Sequence[float]

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self.x_ticks[0], self.x_ticks[-1]
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, about `count` of them, from at or below `low` to at or above `high`; at least two."""
    span = max((high - low) or 1.0, 1e-9 * abs(low), 1e-9)
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def learning_curves(log: Sequence[Record]) -> list[Markup]:
    """Loss of training and validation, and validation scores, over the updates; charts of nothing are left out.

    Args:
        log: records of train.jsonl, of the kinds train and validation.
    """
    train = [record for record in log if record.get("kind") == "train"]
    valid = [record for record in log if record.get("kind") == "validation"]
    losses = [
        _logged(train, _nats, "training", "second", dots=False),
        _logged(valid, _nats, "validation", "first", dots=True),
    ]
    scores = [
        _logged(valid, lambda record: record.get("bleu"), "BLEU", "first", dots=True),
        _logged(valid, lambda record: record.get("chrf"), "chrF", "second", dots=True),
    ]
    drawn = [
        line_chart("Loss, nats per token", losses, "updates"),
        line_chart("Validation scores", scores, "updates"),
        exposure_chart(valid[-1]) if valid else Markup(""),
    ]
    return [chart for chart in drawn if chart]


def exposure_chart(record: Record) -> Markup:
    """Share of right tokens by target position, fed the reference's tokens and fed the model's own."""
    lines = [
        Line(label, list(enumerate(record.get(key, []), start=1)), style)
        for label, key, style in (
            ("fed the reference", "forced_accuracy", "second"),
            ("fed its own", "free_accuracy", "first"),
        )
    ]
    return line_chart("Right tokens", lines, "position")


def length_chart(buckets: Sequence[LengthBucket], unit: str) -> Markup:
    """BLEU of short, middling and long sources."""
    bars = [Bar(bucket.span, f"{bucket.bleu:.1f}", f"{bucket.count:,}", bucket.bleu) for bucket in buckets]
    return bar_chart(f"BLEU by length of the source in {unit}", bars, "sentences")


def chrf_chart(chrf: Sequence[float]) -> Markup:
    """How many sentences are how good."""
    counts = Counter(min(int(value // 10), 9) for value in chrf)
    return bar_chart(
        "Sentences by chrF", [Bar(f"{10 * i}–{10 * i + 10}", f"{counts[i]:,}", "", counts[i]) for i in range(10)]
    )


def line_chart(title: str, lines: Sequence[Line], x_label: str) -> Markup:
    """Curves, both axes from zero. Points that are not finite are left out; without any, an empty string."""
    kept = [(line, _thinned([p for p in line.points if all(map(math.isfinite, p))])) for line in lines]
    kept = [(line, points) for line, points in kept if points]
    if not kept:
        return Markup("")
    xs, ys = zip(*(point for _, points in kept for point in points), strict=True)
    frame = Frame(ticks(min(*xs, 0), max(xs)), ticks(min(*ys, 0), _ceiling(ys)))
    marks = [_axes(frame, x_label), *(_curve(frame, line, points) for line, points in kept)]
    return _svg(title, _legend(title, [line for line, _ in kept]) + Markup("").join(marks))


def bar_chart(title: str, bars: Sequence[Bar], notes: str = "") -> Markup:
    """Bars from zero; `notes` says what the notes below them count."""
    frame = Frame([0, len(bars)], ticks(0, max(1.0, *(bar.value for bar in bars))))
    parts = [_y_axis(frame), _text(LEFT, 14, title, "title"), _text(LEFT - 7, HEIGHT - 9, notes, "end faint")]
    for i, bar in enumerate(bars):
        left, right, top = frame.x(i + 0.14), frame.x(i + 0.86), frame.y(bar.value)
        middle = (left + right) / 2
        parts.append(
            Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>').format(
                left, top, right - left, HEIGHT - BOTTOM - top
            )
        )
        parts.append(_text(middle, top - 5, bar.text, "value"))
        parts.append(_text(middle, HEIGHT - 24, bar.label, "middle"))
        parts.append(_text(middle, HEIGHT - 9, bar.note, "middle faint"))
    return _svg(title, Markup("").join(parts))


def interval_chart(value: float, low: float | None, high: float | None) -> Markup:
    """A mark on the line from 0 to 100, with the interval around it."""
    at = [min(max(v, 0.0), 100.0) for v in (value if low is None else low, value if high is None else high, value)]
    return Markup(
        '<svg class="interval" viewBox="-2 0 104 8" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="scale" d="M0 4H100"/><path class="range" d="M{:.2f} 4H{:.2f}"/>'
        '<path class="tick" d="M{:.2f} 0v8"/>'
        "</svg>"
    ).format(*at)


def number(value: float) -> str:
    """Short: 1,200 or 0.05, without trailing zeros."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _logged(
    records: Sequence[Record], value: Callable[[Record], float | None], label: str, style: str, dots: bool
) -> Line:
    """A curve over the updates; the record marked best, the last of them, is ringed."""
    points = [(float(r["step"]), float(v), bool(r.get("best"))) for r in records if (v := value(r)) is not None]
    best = [(step, v) for step, v, is_best in points if is_best]
    return Line(label, [(step, v) for step, v, _ in points], style, dots, best[-1] if best else None)


def _nats(record: Record) -> float | None:
    """Nats per target token, of the perplexity: a training record's `loss` holds label smoothing as well."""
    perplexity = record.get("perplexity")
    return math.log(perplexity) if perplexity and perplexity > 0 else record.get("loss")


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most some hundreds of points, the first and the last among them: more cannot be seen."""
    stride = math.ceil(len(points) / MAX_POINTS)
    return points if stride <= 1 else [*points[:-1:stride], points[-1]]


def _ceiling(ys: Sequence[float]) -> float:
    """Top of the axis: a few huge losses at the start of a training must not flatten the rest."""
    ordered = sorted(ys)
    usual = ordered[int(0.95 * (len(ordered) - 1))]
    return min(ordered[-1], usual + 1.5 * (usual - ordered[0])) if usual > ordered[0] else ordered[-1]


def _axes(frame: Frame, x_label: str) -> Markup:
    parts = [_y_axis(frame)]
    for tick in frame.x_ticks:
        parts.append(_text(frame.x(tick), HEIGHT - 22, number(tick), "middle"))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 6, x_label, "end faint"))
    return Markup("").join(parts)


def _y_axis(frame: Frame) -> Markup:
    parts = []
    for tick in frame.y_ticks:
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, frame.y(tick), WIDTH - RIGHT))
        parts.append(_text(LEFT - 7, frame.y(tick) + 4, number(tick), "end"))
    return Markup("").join(parts)


def _curve(frame: Frame, line: Line, points: Sequence[Point]) -> Markup:
    top = frame.y_ticks[-1]
    places = [(frame.x(x), frame.y(min(y, top))) for x, y in points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    parts = [Markup('<path class="line {}" d="{}"/>').format(line.style, path)]
    if line.dots or len(points) == 1:
        for (x, y), (step, value) in zip(places, points, strict=True):
            dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.6"><title>{}</title></circle>')
            parts.append(dot.format(line.style, x, y, f"{number(step)}: {value:.2f}"))
    if line.best is not None and all(map(math.isfinite, line.best)):
        x, y = frame.x(line.best[0]), frame.y(min(line.best[1], top))
        parts.append(Markup('<circle class="ring {}" cx="{:.1f}" cy="{:.1f}" r="6"/>').format(line.style, x, y))
    return Markup("").join(parts)


def _legend(title: str, lines: Sequence[Line]) -> Markup:
    """The title and the names of the curves in a row; their widths can only be guessed, so generously."""
    parts, x = [_text(LEFT, 14, title, "title")], LEFT + 24 + 7.2 * len(title)
    for line in lines:
        parts.append(Markup('<path class="line {}" d="M{:.0f} 10h16"/>').format(line.style, x))
        parts.append(_text(x + 22, 14, line.label, "legend"))
        x += 40 + 7.2 * len(line.label)
    return Markup("").join(parts)


def _text(x: float, y: float, text: str, style: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(x, y, style, text)


def _svg(title: str, content: Markup) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, escape(title), content
    )
