"""The runs in a folder and their scores: a leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.evaluation.metrics import METRICS, Score
from seq2seq.pipeline.manifest import Manifest
from seq2seq.pipeline.runner import SEEDS
from seq2seq.pipeline.stages.evaluate import read_scores
from seq2seq.run_folder import MANIFEST, RunFolder


@dataclass(frozen=True)
class RunLine:
    """A run and one of its test sets.

    Attributes:
        stage: the last one that has ended; "" where none has.
        test_set: "" where nothing is scored yet.
    """

    run: str
    stage: str
    test_set: str
    scores: list[Score]

    def value(self, metric: str) -> float | None:
        """Its score by a metric."""
        return next((score.value for score in self.scores if score.metric == metric), None)


def list_runs(folder: Path, sort: str) -> list[RunLine]:
    """The runs right below a folder, test set by test set, the best by a metric first.

    Raises:
        UserError: the folder or the metric does not exist.
    """
    if sort not in METRICS:
        raise UserError(f"--sort {sort}: must be one of {', '.join(METRICS)}")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds the run folders")
    lines = []
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        run = RunFolder(path.parent)
        stages = list(Manifest.read(path).stages)
        scores = read_scores(run) if {"evaluate", SEEDS} & set(stages) and run.scores.exists() else {}
        stage = stages[-1] if stages else ""
        lines += [RunLine(run.root.name, stage, name, found) for name, found in scores.items()] or [
            RunLine(run.root.name, stage, "", [])
        ]
    sign = 1 if METRICS[sort].lower_is_better else -1

    def rank(line: RunLine) -> tuple[str, bool, float]:
        value = line.value(sort)
        return line.test_set, value is None, 0.0 if value is None else sign * value

    return sorted(lines, key=rank)
