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
    assert kinds == {
        "length of the source in words",
        "count of the rarest word in the training data",
        "words that the training data lack",
        "place in the sentence",
    }


def test_runs_are_listed_the_best_first(runs: Path) -> None:
    lines = json.loads(seq2seq("runs", str(runs), "--sort", "chrf", "--json").out)
    assert {line["run"] for line in lines} == {"a", "b", "c"}
    scored = [line for line in lines if line["test_set"]]
    values = [next(s["value"] for s in line["scores"] if s["metric"] == "chrf") for line in scored]
    assert len(values) == 2 and values == sorted(values, reverse=True)
    table = seq2seq("runs", str(runs)).out
    assert "prepare" in table and "BLEU" in table and max(map(len, table.split("\n"))) <= 80
    page = runs.parent / "pages" / "runs.html"
    (runs / "a/report/report.html").write_text("")
    assert seq2seq("runs", str(runs), "--html", str(page)).code == 0
    text = page.read_text()
    assert 'href="../all/a/report/report.html"' in text and "b/report" not in text and "Not scored yet" in text
    assert text.index(f"{values[0]:.2f}") > 0 and "chrF" in text
    assert "no such folder" in seq2seq("runs", str(runs / "none")).err
    assert "--sort x: must be one of" in seq2seq("runs", str(runs), "--sort", "x").err


def test_runs_without_a_test_set_in_common(runs: Path) -> None:
    done = seq2seq("compare", str(runs / "a"), str(runs / "c"))
    assert done.code == 2 and "no test set that all of them have translated" in done.err


def test_a_report_stands_beside_named_runs_and_the_run_before(tmp_path: Path, runs: Path) -> None:
    recipe, mine = str(runs.parent / "recipe.yaml"), tmp_path / "mine"
    settings = ("training.max_steps=2", f"output_dir={mine}", f"report.compare_to=[{runs / 'a'}]")
    options = ("--device", "cpu", "--threads", "1")
    done = seq2seq("run", recipe, *settings, *options)
    assert done.code == 0, done.err
    page = (mine / "report" / "report.html").read_text()
    assert "Beside other runs" in page and str(runs / "a") in page and "this run" in page
    assert "the run before had" not in page and "Every sentence" in page and f"seq2seq run {mine}/recipe.yaml" in page
    before = json.loads((mine / "report" / "scores.json").read_text())["toy"][0]["value"]
    done = seq2seq("run", recipe, "training.max_steps=90", *settings[1:], *options)
    assert done.code == 0, done.err
    assert f"the run before had {before:.1f}" in (mine / "report" / "report.html").read_text()
    planned = seq2seq("plan", recipe, "training.max_steps=90", settings[1], f"report.compare_to=[{runs / 'b'}]").out
    assert "report     runs: report.compare_to.0" in planned
    done = seq2seq("plan", recipe, "report.compare_to=[nowhere]")
    assert done.code == 2 and "report.compare_to.0: nowhere: no run folder" in done.err
