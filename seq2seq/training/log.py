"""A training's log: one JSON record a line, and what is said of it on stderr."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from seq2seq.console import say
from seq2seq.files import raise_if_disk_full, write_text
from seq2seq.training.gradients import warnings_of
from seq2seq.training.state import State, Window
from seq2seq.training.tracking import Tracker

SHOWN = ("loss", "perplexity", "accuracy", "bleu", "chrf", "ter")
"""Scores in the line of a validation."""


class TrainingLog:
    """train.jsonl. Checkpoints hold its lines too, so that it can be written again, whatever became of the file.

    Args:
        writes: whether this process is the one that writes.
        tracker: what records are sent on to as well.
    """

    def __init__(self, path: Path, writes: bool = True, tracker: Tracker | None = None) -> None:
        self.path, self.writes, self.tracker = path, writes, tracker
        self.lines: list[str] = []
        self._starved: set[str] = set()

    def restore(self, lines: list[str]) -> None:
        """Let the file hold these lines, those of the checkpoint that training resumes from, and no others."""
        self.lines = list(lines)
        if self.writes:
            write_text(self.path, "".join(line + "\n" for line in lines))

    def train(
        self, position: dict[str, float], state: State, learning_rate: float, gradient_norms: dict[str, float]
    ) -> None:
        """Record the steps since the last record; say which layers starve of gradient, of each once.

        Args:
            gradient_norms: of each layer, in the last of the steps.
        """
        for layer, warning in warnings_of(gradient_norms).items():
            if layer not in self._starved:
                say(f"warning: step {state.step}: {warning}")
            self._starved.add(layer)
        self._write(
            {
                "kind": "train",
                **position,
                **_means(state.window),
                "learning_rate": learning_rate,
                "gradient_norm": math.hypot(*gradient_norms.values()),
                "gradient_norms": {layer: float(f"{norm:.3g}") for layer, norm in gradient_norms.items()},
                "tokens_per_second": round(state.window.tokens / state.window.seconds),
                "loading": round(state.window.loading / state.window.seconds, 5),
                "seconds": round(state.seconds, 2),
            }
        )
        if state.step == 1:
            say(f"step 1: loss {state.window.loss / state.window.tokens:.3f}")

    def validation(
        self, position: dict[str, float], scores: dict[str, Any], warnings: list[str], best: bool, seconds: float
    ) -> None:
        """Record a validation, and say how it went."""
        record = {"kind": "validation", **position, **scores, "warnings": warnings, "best": best}
        self._write(record | {"seconds": round(seconds, 2)})
        shown = ", ".join(f"{name} {scores[name]:.{3 if name == 'loss' else 2}f}" for name in SHOWN if name in scores)
        say(f"epoch {position['epoch']:.2f}, step {position['step']}: {shown}{' (best so far)' if best else ''}")
        for warning in warnings:
            say(f"warning: {warning}")

    def _write(self, record: dict[str, Any]) -> None:
        self.lines.append(json.dumps(record))
        if self.writes:
            with raise_if_disk_full(self.path), open(self.path, "a", encoding="utf-8") as file:
                file.write(self.lines[-1] + "\n")
        if self.tracker is not None:
            self.tracker.log(record)

    def close(self) -> None:
        """No more will be recorded for now."""
        if self.tracker is not None:
            self.tracker.finish()


def _means(window: Window) -> dict[str, float]:
    """Loss and its like by token, risk by sentence."""
    means = {
        "loss": window.loss / window.tokens,
        "perplexity": math.exp(min(window.negative_log_likelihood / window.tokens, 100)),
    }
    if window.risked:
        means["risk"] = window.risk / window.risked
    if window.aligned:
        means["alignment_loss"] = window.alignment_loss / window.aligned
    return means
