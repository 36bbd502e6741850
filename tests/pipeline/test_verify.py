"""Runs that are what they say, and runs that are not; runs that come out again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.command_line import refused, seq2seq
from tests.toy import write_toy

STEPS = ("training.max_steps=12", "evaluation.bootstrap=10")
OPTIONS = ("--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two seeds' runs."""
    folder = tmp_path_factory.mktemp("verified")
    done = seq2seq("run", str(write_toy(folder, train=60)), *STEPS, "seeds=[1, 2]", *OPTIONS)
    assert done.code == 0, done.err
    return folder / "run"


@pytest.fixture
def single(run: Path, tmp_path: Path) -> Path:
    """A copy of one of them, to be damaged."""
    return Path(shutil.copytree(run / "seed-1", tmp_path / "copy"))


def edit_scores(run: Path, change: float) -> None:
    path = run / "report" / "scores.json"
    scores = json.loads(path.read_text())
    scores["toy"][0]["value"] += change
    path.write_text(json.dumps(scores))


def test_a_run_and_all_its_seeds_are_as_recorded(run: Path) -> None:
    done = seq2seq("verify", str(run))
    assert done.code == 0 and done.out.endswith("all as recorded\n"), done.out
    checked = json.loads(seq2seq("verify", str(run / "seed-1"), "--json").out)
    assert checked["faults"] == [] and checked["checked"]["number"] == 3 * 6  # metrics, and what is told of each
    assert checked["checked"]["file"] > 10 and checked["checked"]["chain"] == 4


def test_translations_are_written_again(run: Path, single: Path) -> None:
    done = seq2seq("verify", str(run), "--translate", *OPTIONS)
    assert done.code == 0 and "3 test sets translated again: all as recorded" in done.out, done.out
    for folder in (single, whole := Path(shutil.copytree(run, single.parent / "whole"))):
        path = folder / "translations/toy.de"
        lines = path.read_text(encoding="utf-8").split("\n")
        path.write_text("\n".join([*lines[:2], "another line", *lines[3:]]), encoding="utf-8")
    for folder in (single, whole):
        found = json.loads(seq2seq("verify", str(folder), "--translate", "--json", *OPTIONS).out)
        fault = {"run": str(folder), "kind": "translations", "what": "translations of toy"}
        assert fault | {"fault": "1 of 20 lines come out otherwise, the first is line 3"} in found["faults"]
    refused(seq2seq("verify", str(run), *OPTIONS), "no effect without --translate")


@pytest.mark.parametrize(
    "file",
    ["data/train.arrow", "data/tokenizer.json", "model/model.safetensors", "model/tokenizer.json", "model/README.md",
     "translations/toy.de", "report/report.html"],
)  # fmt: skip
def test_a_changed_byte_is_found(single: Path, file: str) -> None:
    content = bytearray((single / file).read_bytes())
    content[len(content) // 2] ^= 1
    (single / file).write_bytes(content)
    done = seq2seq("verify", str(single))
    assert done.code == 1 and f"{single}: {file}: has other bytes than were written\n" in done.out
    if file == "data/train.arrow":
        (single / file).unlink()
        assert f"{file}: is missing" in seq2seq("verify", str(single)).out


def test_a_number_that_is_not_that_of_the_translations_is_found(run: Path, single: Path) -> None:
    edit_scores(single, 0.001)
    done = seq2seq("verify", str(single))
    assert done.code == 1 and "toy bleu value: scores.json says" in done.out
    whole = Path(shutil.copytree(run, single.parent / "whole"))
    edit_scores(whole, -0.001)
    done = seq2seq("verify", str(whole))
    assert done.code == 1 and f"{whole}: toy bleu value: scores.json says" in done.out


def test_results_of_another_training_are_found(single: Path) -> None:
    manifest = json.loads((single / "manifest.json").read_text())
    manifest["stages"]["train"]["inputs"]["seed"] = "7"
    (single / "manifest.json").write_text(json.dumps(manifest))
    assert "translate from stage train: was made from another one" in seq2seq("verify", str(single)).out


def test_the_runs_of_a_sweep_are_checked_but_for_those_that_failed(single: Path) -> None:
    (single.parent / "sweep.yaml").write_text("")
    (single.parent / "failed").mkdir()
    (single.parent / "failed" / "manifest.json").write_text('{"name": "failed", "stages": {}}')
    assert seq2seq("verify", str(single.parent)).code == 0
    edit_scores(single, 0.5)
    assert f"{single}: toy bleu value" in seq2seq("verify", str(single.parent)).out


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    refused(seq2seq("verify", str(tmp_path)), "no run folder")
    refused(seq2seq("reproduce", str(tmp_path)), "no run folder")


def test_a_run_comes_out_again(run: Path, tmp_path: Path) -> None:
    again = seq2seq("reproduce", str(run / "seed-2"), "--output", str(tmp_path / "again"), "--json", *OPTIONS)
    assert again.code == 0, again.err
    results = json.loads(again.out)["results"]
    names = [one["what"] for one in results]
    assert {"data/train.arrow", "data/test-toy.arrow", "model", "translations/toy.de"} < set(names)
    assert any(name.startswith("toy BLEU") for name in names) and "warning: not what" not in again.err
    refused(seq2seq("reproduce", str(run), "--output", str(run)), "that is the run itself")


def test_what_did_not_come_out_again_is_told(run: Path, single: Path, tmp_path: Path) -> None:
    edit_scores(single, 5.0)
    manifest = json.loads((single / "manifest.json").read_text())
    manifest["stages"]["train"]["versions"]["torch"] = "1.0"
    (single / "manifest.json").write_text(json.dumps(manifest))
    shutil.copytree(run / "seed-1", tmp_path / "again")  # as if it had run already
    done = seq2seq("reproduce", str(single), "--output", str(tmp_path / "again"), *OPTIONS)
    assert done.code == 1 and "not what the run was made from: torch 1.0 ->" in done.err
    assert "differs toy BLEU" in done.out and "equal   model" in done.out
