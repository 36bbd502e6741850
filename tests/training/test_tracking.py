"""Experiment trackers: what they are sent is what the log holds; what goes wrong there ends no training."""

import json
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from seq2seq.recipe import TrackerName
from seq2seq.training.tracking import NOT_SENT, Tracker
from tests.command_line import refused, seq2seq
from tests.toy import toy_recipe

RECORDS = [
    {"kind": "train", "step": 5, "epoch": 0.5, "loss": 2.0, "gradient_norms": {"a": 1.0}},
    {"kind": "validation", "step": 9, "bleu": 3, "warnings": [], "best": True},
]
SENT = [({"train/epoch": 0.5, "train/loss": 2.0}, 5), ({"validation/bleu": 3.0}, 9)]


class Fake:
    """A tracker's library, that notes what it is asked for."""

    def __init__(self, **earlier: Any) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.earlier = [SimpleNamespace(info=SimpleNamespace(run_id="17"))] if earlier else []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args[0] if args and not kwargs else (args, kwargs)))
            return self.earlier if name == "search_runs" else None

        return call


def tracked(monkeypatch: pytest.MonkeyPatch, kind: TrackerName, library: Any) -> None:
    monkeypatch.setitem(sys.modules, kind, library)
    tracker = Tracker(kind, "recipe", "run", {"seed": "1"})
    for record in RECORDS:
        tracker.log(record)
    tracker.finish()


@pytest.mark.parametrize("kind", ["trackio", "wandb"])
def test_two_libraries_are_alike(monkeypatch: pytest.MonkeyPatch, kind: TrackerName) -> None:
    library = Fake()
    tracked(monkeypatch, kind, library)
    (first, (_, options)), *sent, last = library.calls
    assert first == "init" and options.pop("id", "recipe-run") == "recipe-run"
    assert options == {"project": "recipe", "name": "run", "config": {"seed": "1"}, "resume": "allow"}
    assert sent == [("log", ((values,), {"step": step})) for values, step in SENT]
    assert last == ("finish", ((), {}))


@pytest.mark.parametrize("again", [False, True])
def test_mlflow(monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    library = Fake(**({"earlier": True} if again else {}))
    tracked(monkeypatch, "mlflow", library)
    calls = dict(library.calls[:-3])
    assert calls["set_experiment"] == "recipe"
    assert calls["start_run"] == ((), {"run_id": "17" if again else None, "run_name": "run"})
    assert calls.get("log_params") == (None if again else {"seed": "1"})
    assert library.calls[-3:-1] == [("log_metrics", ((values,), {"step": step})) for values, step in SENT]
    assert library.calls[-1][0] == "end_run"


def test_a_tracker_that_fails_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no(*_: Any, **__: Any) -> None:
        raise OSError("the network\nis away")

    library = SimpleNamespace(init=lambda **_: None, log=no, finish=no)
    tracked(monkeypatch, "trackio", library)
    told = capsys.readouterr().err
    assert told.count("warning") == 1 and "trackio: the network is away; no more is sent" in told


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch, recipe: Path) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"training\.track: wandb is not installed: pip install wandb"):
        Tracker("wandb", "a", "b", {})
    refused(seq2seq("validate", str(recipe), "training.track=comet"), "training.track", "trackio")


def test_trackios_own_store_holds_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of two commands: what is trained later goes on where it was."""
    trackio_utils = pytest.importorskip("trackio.utils", reason="needs trackio: pip install trackio")
    monkeypatch.setattr(trackio_utils, "TRACKIO_DIR", tmp_path / "store")
    for module in [name for name in sys.modules if name.startswith("trackio")]:
        if hasattr(sys.modules[module], "TRACKIO_DIR"):
            monkeypatch.setattr(sys.modules[module], "TRACKIO_DIR", tmp_path / "store")
    for epochs in (1, 2):
        made = toy_recipe(
            tmp_path, "training.track=trackio", f"training.max_epochs={epochs}", "training.schedule={kind: constant}"
        )
        Runner(made).run("train")
    log = [json.loads(line) for line in (tmp_path / "run/train.jsonl").read_text().splitlines()]
    (store,) = (tmp_path / "store").glob("*.db")
    with sqlite3.connect(store) as database:
        rows = database.execute("select run_name, step, metrics from metrics order by id").fetchall()
    assert {name for name, _, _ in rows} == {"run"}
    sent = [(step, json.loads(values)) for _, step, values in rows]
    expected = [
        (record["step"], {f"{record['kind']}/{key}": value for key, value in record.items()
                          if key not in NOT_SENT and isinstance(value, int | float)})
        for record in log
    ]  # fmt: skip
    assert [(step, {key: pytest.approx(value) for key, value in values.items()}) for step, values in expected] == sent
    assert not Runner(toy_recipe(tmp_path, "training.max_epochs=2", "training.schedule={kind: constant}")).run("train")
