"""TensorBoard reads back what the log holds."""

import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.command_line import seq2seq

RECORDS = [
    {"kind": "train", "step": 5, "epoch": 0.5, "loss": 3.0, "tokens_per_second": 100},
    {"kind": "validation", "step": 5, "epoch": 0.5, "loss": 2.5, "bleu": 7.5, "best": True, "warnings": ["short"]},
    {"kind": "train", "step": 10, "epoch": 1.0, "loss": 2.0, "tokens_per_second": 120},
]


def test_curves_are_those_of_the_log_however_often_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    for _ in range(2):
        done = seq2seq("tensorboard", str(tmp_path))
        assert done.code == 0 and "3 records" in done.out, done.err
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(5, 3.0), (10, 2.0)]
    assert [(e.step, e.value) for e in events.Scalars("validation/bleu")] == [(5, 7.5)]
    assert set(events.Tags()["scalars"]) == {
        "train/loss", "train/tokens_per_second", "validation/loss", "validation/bleu"
    }  # fmt: skip


def test_without_a_log_there_is_a_clear_error(tmp_path: Path) -> None:
    done = seq2seq("tensorboard", str(tmp_path))
    assert done.code == 2 and "train the recipe first" in done.err
