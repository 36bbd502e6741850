"""A search instead of a grid: what decides, what is shared, resumed, refused; and one that really trains."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seq2seq.errors import UserError
from seq2seq.pipeline.sweep import search
from seq2seq.pipeline.sweep.grid import Row, read_sweep
from seq2seq.pipeline.sweep.jobs import Workers
from seq2seq.pipeline.sweep.search import Outcome, Search, outcome
from seq2seq.recipe.file import load_recipe
from seq2seq.run_folder import RunFolder
from tests.command_line import refused, seq2seq
from tests.toy import write_toy

pytest.importorskip("optuna", reason="needs the extra [optuna]")

RATE = "training.optimizer.learning_rate={low: 0.0001, high: 1.0, log: true}"
CELLS = "model.encoder.cell+model.decoder.cell=gru,lstm,rnn"


class Fake:
    """In place of training: rows are noted, and their scores computed from their recipes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[str] = []
        self.finished: list[str] = []
        self.most = 1000
        for name in ("train", "outcome", "finish"):
            monkeypatch.setattr(search, name, getattr(self, name))

    def train(self, rows: Sequence[Row], workers: Workers, beside: Sequence[Row]) -> dict[str, str]:
        for row in rows:
            if len(self.trained) == self.most:
                raise KeyboardInterrupt
            self.trained.append(row.label)
        return {row.label: "no room" for row in rows if "0.9" in row.label}

    def outcome(self, row: Row, metric: str) -> Outcome | None:
        recipe = row.recipe
        off = abs(recipe.training.optimizer.learning_rate - 0.01) / 0.01 + (recipe.model.decoder.cell.kind != "lstm")
        return Outcome(off if metric == "loss" else 100 - off, 60.0) if row.label in self.trained else None

    def finish(self, rows: Sequence[Row], workers: Workers, failed: dict[str, str]) -> list[Row]:
        self.finished = [row.label for row in rows]
        return list(rows)


def a_search(folder: Path, *settings: str, trials: int = 12) -> Search:
    more = {"search": {"trials": trials}, "output_dir": str(folder / "s")}
    config = read_sweep(folder / "recipe.yaml", settings or (RATE, CELLS, "training.max_steps=9"), more)
    assert config.search is not None
    return Search(config, config.search)


def workers(folder: Path, count: int = 1) -> Workers:
    return Workers(count, 1, "cpu", folder / "logs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_toy(tmp_path, train=20)
    return tmp_path


def test_the_best_by_validation_and_the_recipe_as_it_is_are_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, found = Fake(monkeypatch), a_search(folder)
    report = found.run(workers(folder)).search
    assert report is not None and report.metric == "bleu" and len(fake.trained) == 13
    scores = [one.score for one in report.trials]
    assert len(scores) == 12 and scores == sorted(scores, reverse=True)
    assert fake.finished == ["recipe", report.best] and report.best == report.trials[0].label
    assert found.first.recipe.training.max_steps == 9 and report.as_it_is == 99.0  # of the toy's rate, and a GRU
    assert f"validation BLEU {scores[0]:.2f}; the recipe as it is: 99.00" in report.verdict
    assert report.trials[0].label.startswith(f"trial-{report.trials[0].number:03} cell=")


def test_of_loss_the_lowest_is_the_best(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(monkeypatch)
    by_bleu = a_search(folder).run(workers(folder)).search
    (folder / "s/trials.json").unlink()
    settings = (RATE, CELLS, "training.max_steps=9", "training.early_stopping.metric=loss")
    by_loss = a_search(folder, *settings).run(workers(folder)).search
    assert by_bleu is not None and by_loss is not None and by_loss.label == "loss"
    assert [one.label for one in by_loss.trials] == [one.label for one in by_bleu.trials]
    assert by_loss.trials[0].score == min(one.score for one in by_loss.trials)


def test_a_row_has_the_mean_over_its_seeds_of_the_models_that_were_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(folder / "recipe.yaml", ["seeds=[1, 2]"])
    row = Row("two", recipe)
    assert outcome(row, "bleu") is None
    monkeypatch.setattr(search, "is_done", lambda runner, stage: stage == "train")
    for seed, best, seconds in ((1, 20.0, 60), (2, 30.0, 100)):
        log = [{"bleu": 10.0, "best": True}, {"bleu": best, "best": True}, {"bleu": 5.0}, {"seconds": seconds}]
        (folder / f"run/seed-{seed}").mkdir(parents=True)
        (folder / f"run/seed-{seed}/train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in log))
    runners = [(str(seed), SimpleNamespace(folder=RunFolder(folder / f"run/seed-{seed}"))) for seed in (1, 2)]
    monkeypatch.setattr(search, "runners_of", lambda rows: runners)
    assert outcome(row, "bleu") == Outcome(25.0, 80.0)
    (folder / "run/seed-2/train.jsonl").write_text('{"bleu": NaN, "best": true, "seconds": 100}\n')
    assert outcome(row, "bleu") == Outcome(None, 80.0)


@pytest.mark.parametrize("count", [1, 3])
def test_interrupted_it_goes_on_as_it_would_have(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    fake = Fake(monkeypatch)
    whole = a_search(folder).run(workers(folder, count)).search
    stored = json.loads((folder / "s/trials.json").read_text())
    (folder / "s/trials.json").unlink()
    fake.trained, fake.most = [], 8
    with pytest.raises(KeyboardInterrupt):
        a_search(folder).run(workers(folder, count))
    assert len(json.loads((folder / "s/trials.json").read_text())["trials"]) in (8, 9)
    again = a_search(folder)
    assert [due for _, due in again.plan()].count([]) == 8 and again.plan()[-1][0].endswith(" more trials")
    fake.most = 1000
    assert again.run(workers(folder, count)).search == whole and len(fake.trained) == 13
    assert json.loads((folder / "s/trials.json").read_text()) == stored
    more = a_search(folder, trials=15).run(workers(folder, count)).search
    assert more is not None and whole is not None and len(more.trials) == 15
    assert {one.label for one in whole.trials} < {one.label for one in more.trials}


def test_values_that_do_not_fit_together_are_told_and_trials_that_fail_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Fake(monkeypatch)
    layers = "model.encoder.layers={low: 1, high: 3}"
    others = "model.bridge=copy", "model.encoder.hidden_size=32", "model.encoder.direction=forward"
    found = a_search(
        folder, layers, "model.decoder.layers=1,2,3", "model.decoder.dropout={low: 0.0, high: 0.95}", *others
    )
    done = found.run(workers(folder))
    assert done.search is not None and done.search.refused and done.search.trials
    assert all("bridge" in why for why in done.search.refused.values()), done.search.refused
    assert len(done.search.refused) + len(done.search.trials) + len(done.failed) >= 12


@pytest.mark.parametrize(
    ("settings", "more", "words"),
    [
        ([RATE], {}, "a range is for a search; add --trials N"),
        ([RATE], {"trials": 3, "match": "parameters"}, "match: cannot be kept in a search"),
        ([CELLS], {"trials": 3}, "there are only 3 combinations; leave the search out"),
        (["training.early_stopping.metric=bleu,chrf", RATE], {"trials": 3}, "trials are compared by this metric"),
        (["seed={low: 1, high: 9}"], {"trials": 3}, "search.ranges.seed: a sweep sets this itself"),
        (["model.encoder.layers={low: 2, high: 1}"], {"trials": 3}, "high: must be above low, 2"),
        (["model.encoder.layers={low: 1}"], {"trials": 3}, "model.encoder.layers.high: this key is missing"),
        (["training.label_smoothing={low: 0, high: 0.2, log: true}"], {"trials": 3}, "low: must be above 0 with log"),
        (["model.encoder.layers={low: 1, high: 3, step: 0.5}"], {"trials": 3}, "step: must be whole"),
        (["training.label_smoothing={low: 0.1, high: 0.2, log: true, step: 1}"], {"trials": 3}, "no effect with log"),
        (["model.encoder.layer={low: 1, high: 3}"], {"trials": 3}, "did you mean `layers`?"),
        (["model.encoder.layers={low: -3, high: 0}"], {"trials": 3}, "model.encoder.layers"),
        (["training.early_stopping.metric=loss", "tokenizer.vocab_size={low: 50, high: 90}"], {"trials": 3},
         "validation loss is not comparable between tokenizers"),
    ],
)  # fmt: skip
def test_searches_that_make_no_sense(folder: Path, settings: list[str], more: dict[str, Any], words: str) -> None:
    options = [word for name, value in more.items() for word in (f"--{name}", str(value))]
    result = seq2seq("sweep", str(folder / "recipe.yaml"), *settings, *options, "--output", str(folder / "s"))
    refused(result, words)
    assert not (folder / "s").exists()


def test_damaged_trials_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(monkeypatch)
    a_search(folder).run(workers(folder))
    (folder / "s/trials.json").write_text("[")
    with pytest.raises(UserError, match=r"trials\.json: damaged; remove"):
        a_search(folder)


def test_a_search_that_trains(tmp_path: Path) -> None:
    """From a file of its own; then asked for one trial more."""
    write_toy(tmp_path, train=60)
    rates = "{training.optimizer.learning_rate: {low: 0.0001, high: 0.1, log: true}}"
    text = f"recipe: recipe.yaml\ngrid: {{training.max_steps: [6]}}\nsearch: {{trials: 2, ranges: {rates}}}\n"
    (tmp_path / "rates.yaml").write_text(text)
    arguments = ("sweep", str(tmp_path / "rates.yaml"), "--output", str(tmp_path / "s"), "--threads", "1")
    options = ("--jobs", "2", "--device", "cpu")
    done = seq2seq(*arguments, *options)
    assert done.code == 0, done.err
    assert re.search(r"\[search\] trial-002 learning_rate=\S+ \(2 of 2\)", done.err)
    told = re.search(r"(trial-00\d) learning_rate=\S+ is the best of 2 trials: validation BLEU", done.out)
    assert told is not None and max(map(len, done.out.split("\n")[:3])) <= 80
    first = told[1]
    again = seq2seq(*arguments, *options, "--trials", "3", "--json")
    assert again.code == 0, again.err
    found = json.loads(again.out)
    best = found["search"]["best"].split()[0]
    assert [row["label"].split()[0] for row in found["rows"]] == ["recipe", best]
    assert found == json.loads((tmp_path / "s/comparison.json").read_text())
    for trial in found["search"]["trials"]:
        run = tmp_path / "s" / trial["label"].split()[0]
        log = [json.loads(line) for line in (run / "train.jsonl").read_text().split("\n")[:-1]]
        assert trial["score"] == [record for record in log if record.get("best")][-1]["bleu"]
        rate = trial["values"]["training.optimizer.learning_rate"]
        assert f"learning_rate: {rate}\n" in (run / "recipe.yaml").read_text()
        assert (run / "translations").exists() == (run.name in (best, first))
    page = (tmp_path / "s/comparison.html").read_text()
    assert "Search</h2>" in page and "validation BLEU against learning_rate" in page and found["search"]["best"] in page
    assert len({path.stat().st_ino for path in tmp_path.glob("s/*/data/train.arrow")}) == 1
    assert "starts" not in seq2seq(*arguments, *options, "--trials", "3").err
