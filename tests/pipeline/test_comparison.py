"""Two real runs, compared and listed from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import seq2seq
from tests.toy import write_toy


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two short runs, and one that has only prepared its data."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = str(write_toy(folder))
    for name, command, steps in (("a", "evaluate", 4), ("b", "evaluate", 60), ("c", "prepare", 4)):
        settings = (f"training.max_steps={steps}", f"output_dir={folder / 'all' / name}")
        done = seq2seq(command, recipe, *settings, "--device", "cpu", "--threads", "1")
        assert done.code == 0, done.err
    return folder / "all"


def test_runs_are_compared(runs: Path) -> None:
    done = seq2seq("compare", str(runs / "a"), str(runs / "b"), "--samples", "50", "--json")
    assert done.code == 0, done.err
    assert "one random seed" in done.err
    plain = json.loads(done.out)
    assert plain["differences"]["training.max_steps"] == ["4", "60"]
    assert "tokenizer.kind" not in plain["differences"]
    stored = [json.loads((runs / name / "report" / "scores.json").read_text())["toy"] for name in "ab"]
    for i, scores in enumerate(stored):
        for score in scores:
            assert plain["test_sets"]["toy"]["metrics"][score["metric"]]["results"][i]["value"] == score["value"]
    kinds = {bucket["kind"] for bucket in plain["test_sets"]["toy"]["buckets"]}
    assert kinds == {"length of the source in words", "count of the rarest token in the training data"}


def test_runs_are_listed_the_best_first(runs: Path) -> None:
    lines = json.loads(seq2seq("runs", str(runs), "--sort", "chrf", "--json").out)
    assert {line["run"] for line in lines} == {"a", "b", "c"}
    scored = [line for line in lines if line["test_set"]]
    values = [next(s["value"] for s in line["scores"] if s["metric"] == "chrf") for line in scored]
    assert len(values) == 2 and values == sorted(values, reverse=True)
    table = seq2seq("runs", str(runs)).out
    assert "prepare" in table and "BLEU" in table and max(map(len, table.split("\n"))) <= 80
    assert "no such folder" in seq2seq("runs", str(runs / "none")).err
    assert "--sort x: must be one of" in seq2seq("runs", str(runs), "--sort", "x").err


def test_runs_without_a_test_set_in_common(runs: Path) -> None:
    done = seq2seq("compare", str(runs / "a"), str(runs / "c"))
    assert done.code == 2 and "no test set that all of them have translated" in done.err
