"""Experiment trackers: the log's numbers, sent on to trackio, Weights & Biases or MLflow; train.jsonl stays the record.

What goes wrong there never ends a training: it is said once, and no more is sent.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.recipe import TrackerName

NOT_SENT = {"step", "kind", "best"}


class Tracker:
    """A run of a tracker.

    Args:
        project, name: what the run is called, and among which others it stands. One of that name is resumed.
        config: what it was trained with, by dotted keys.

    Raises:
        UserError: the tracker is not installed.
    """

    def __init__(self, kind: TrackerName, project: str, name: str, config: Mapping[str, Any]) -> None:
        self._kind = kind
        try:
            self._library: ModuleType | None = importlib.import_module(kind)
        except ImportError:
            raise UserError(f"training.track: {kind} is not installed: pip install {kind}; or remove the key") from None
        self._do(self._begin, self._library, project, name, dict(config))

    def log(self, record: Mapping[str, Any]) -> None:
        """Send a record of the log: its numbers, named by its kind (`train/loss`)."""
        numbers = {
            f"{record['kind']}/{key}": float(value)
            for key, value in record.items()
            if key not in NOT_SENT and isinstance(value, int | float)
        }
        if self._library is not None:
            send = self._library.log_metrics if self._kind == "mlflow" else self._library.log
            self._do(send, numbers, step=int(record["step"]))

    def finish(self) -> None:
        """All is sent."""
        if self._library is not None:
            self._do(self._library.end_run if self._kind == "mlflow" else self._library.finish)

    def _begin(self, library: ModuleType, project: str, name: str, config: dict[str, Any]) -> None:
        if self._kind == "mlflow":
            library.set_experiment(project)
            earlier = library.search_runs(filter_string=f"attributes.run_name = '{name}'", output_format="list")
            library.start_run(run_id=earlier[0].info.run_id if earlier else None, run_name=name)
            if not earlier:
                library.log_params(config)
        elif self._kind == "wandb":
            library.init(project=project, name=name, id=f"{project}-{name}", config=config, resume="allow")
        else:
            library.init(project=project, name=name, config=config, resume="allow")

    def _do(self, call: Any, *args: Any, **kwargs: Any) -> None:
        try:
            call(*args, **kwargs)
        except Exception as error:  # whatever a network, a service and a library of others raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            say(f"warning: training.track: {self._kind}: {reason}; no more is sent there, train.jsonl goes on")
            self._library = None
