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
