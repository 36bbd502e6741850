"""A run's charts."""

from __future__ import annotations

from seq2seq.evaluation.curves import learning_curves
from tests.evaluation.test_report import records


def test_the_exposure_gap_is_drawn_where_it_was_measured() -> None:
    assert len(learning_curves(records())) == 2
    measured = {
        "kind": "validation",
        "step": 9,
        "loss": 1.0,
        "forced_accuracy": [0.9, 0.8],
        "free_accuracy": [0.9, 0.4],
    }
    drawn = learning_curves([*records(), measured])
    assert len(drawn) == 3 and "fed its own" in drawn[2].content


def test_warnings_are_marked_where_they_arose() -> None:
    log = [{"kind": "validation", "step": step, "loss": 1.0, "bleu": 2.0} for step in (100, 200)]
    charts = learning_curves(log, [(100, "too <short>"), (900, "of a training that went on")])
    assert len(charts) == 2
    for chart in charts:
        assert chart.content.count('class="mark"') == 1 and "step 100: too &lt;short&gt;" in chart.content
    assert all('class="mark"' not in chart.content for chart in learning_curves(log))
