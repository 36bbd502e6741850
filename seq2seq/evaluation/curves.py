"""A run's charts: how the training went, and how good the translations are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import methodcaller
from typing import Any

from seq2seq.charts import Bar, Chart, Line, bar_chart, line_chart
from seq2seq.evaluation.buckets import Bucket

Record = Mapping[str, Any]


def learning_curves(log: Sequence[Record], warnings: Sequence[tuple[int, str]] = ()) -> list[Chart]:
    """Loss of training and validation, validation scores, and more, over the steps; charts of nothing are left out.

    Args:
        log: records of train.jsonl, of the kinds train and validation.
        warnings: the steps at which a sign of ill health was seen, and what was said; both charts of scores mark them.
    """
    train = [record for record in log if record.get("kind") == "train"]
    valid = [record for record in log if record.get("kind") == "validation"]
    losses = [_logged(train, _nats, "training", 1), _logged(valid, _nats, "validation", 0, dots=True)]
    scores = [
        _logged(valid, lambda record: record.get("bleu"), "BLEU", 0, dots=True),
        _logged(valid, lambda record: record.get("chrf"), "chrF", 1, dots=True),
    ]
    single = [
        line_chart(title, [_logged(train, methodcaller("get", key), title, 0)], "steps")
        for title, key in (
            ("Learning rate", "learning_rate"),
            ("Gradient norm, before clipping", "gradient_norm"),
            ("Target tokens per second", "tokens_per_second"),
        )
    ]
    last = max((record["step"] for record in (*train, *valid)), default=0)
    marks = [(float(step), f"step {step:,}: {text}") for step, text in warnings if step <= last]
    drawn = [
        line_chart("Loss, nats per token", losses, "steps", marks=marks),
        line_chart("Validation scores", scores, "steps", marks=marks),
        *single,
        exposure_chart(valid[-1]) if valid else None,
    ]
    return [chart for chart in drawn if chart is not None]


def exposure_chart(record: Record) -> Chart | None:
    """Share of right tokens by target position, fed the reference's tokens and fed the model's own."""
    lines = [
        Line(label, list(enumerate(record.get(key, []), start=1)), style)
        for label, key, style in (
            ("fed the reference", "forced_accuracy", 1),
            ("fed its own", "free_accuracy", 0),
        )
    ]
    return line_chart("Right tokens by position in the sentence", lines, "position")


def bucket_chart(kind: str, buckets: Sequence[Bucket]) -> Chart:
    """A score of what is of a kind."""
    bars = [Bar(one.label, f"{one.scores[0]:.1f}", f"{one.count:,}", one.scores[0]) for one in buckets]
    measure = buckets[0].measure
    return bar_chart(f"{measure[0].upper()}{measure[1:]}, by {kind}", bars, "count")


def chrf_chart(chrf: Sequence[float]) -> Chart:
    """How many sentences are how good."""
    counts = Counter(min(int(value // 10), 9) for value in chrf)
    bars = [Bar(f"{10 * i}–{10 * i + 10}", f"{counts[i]:,}", "", counts[i]) for i in range(10)]
    return bar_chart("Sentences by chrF", bars)


def _logged(
    records: Sequence[Record], value: Callable[[Record], float | None], label: str, style: int, dots: bool = False
) -> Line:
    """A curve over the steps; the record marked best, the last of them, is ringed."""
    points = [(float(r["step"]), float(v), bool(r.get("best"))) for r in records if (v := value(r)) is not None]
    best = [(step, v) for step, v, is_best in points if is_best]
    return Line(label, [(step, v) for step, v, _ in points], style, dots, best[-1] if best else None)


def _nats(record: Record) -> float | None:
    """Nats per target token, of the perplexity: a training record's `loss` holds label smoothing as well."""
    perplexity = record.get("perplexity")
    return math.log(perplexity) if perplexity and perplexity > 0 else record.get("loss")
