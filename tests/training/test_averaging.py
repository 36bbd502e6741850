"""The mean of checkpoints is their mean, and a model like any other."""

import json
from pathlib import Path

import pytest
import torch

from seq2seq.bundle import load_bundle, weights_of
from seq2seq.decoding.translator import Translator
from seq2seq.pipeline import Runner
from seq2seq.training import checkpoint
from tests.command_line import seq2seq
from tests.toy import toy_recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained toy with its three newest and two best checkpoints."""
    folder = tmp_path_factory.mktemp("averaging")
    keep = ("training.checkpoints.keep_last=3", "training.checkpoints.keep_best=2", "training.max_epochs=3")
    Runner(toy_recipe(folder, *keep)).run("train")
    return folder / "run"


@pytest.mark.parametrize(("option", "count"), [("--last", 3), ("--best", 2)])
def test_a_mean_of_checkpoints_translates(run: Path, tmp_path: Path, option: str, count: int) -> None:
    done = seq2seq("average", str(run), option, str(count), "--output", str(tmp_path / "mean"))
    assert done.code == 0, done.err
    steps = [int(word) for word in done.out.split("steps ")[1].split("\n")[0].split(", ")]
    assert len(steps) == count
    parts = [checkpoint.weights(run / "checkpoints", step) for step in steps]
    loaded = load_bundle(tmp_path / "mean", torch.device("cpu"))
    for name, weight in weights_of(loaded.model).items():
        torch.testing.assert_close(weight, torch.stack([part[name] for part in parts]).mean(0))
    assert len(Translator(loaded).translate(["one two", "three"])) == 2


def test_the_best_are_those_of_the_log(run: Path) -> None:
    records = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    scores = sorted((-r["bleu"], r["step"]) for r in records if r["kind"] == "validation")[:2]
    newest = checkpoint.load(run / "checkpoints", checkpoint.steps(run / "checkpoints")[-1])
    assert [step for _, step in newest.state["ranking"]] == [step for _, step in scores]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give --last N or --best N"),
        (("--last", "1", "--best", "1"), "give --last N or --best N"),
        (("--best", "5"), "only the 2 best can be averaged, not 5: the others are gone"),
        (("--last", "9"), "training.checkpoints.keep_last=9 --force"),
    ],
)
def test_errors(run: Path, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    done = seq2seq("average", str(run), *options, "--output", str(tmp_path / "mean"))
    assert done.code == 2 and message in done.err and not (tmp_path / "mean").exists()


def test_nothing_is_overwritten_and_no_run_is_told(run: Path, tmp_path: Path) -> None:
    assert "exists already" in seq2seq("average", str(run), "--last", "1", "--output", str(tmp_path)).err
    done = seq2seq("average", str(tmp_path / "none"), "--last", "1", "--output", str(tmp_path / "x"))
    assert done.code == 2 and "no such run folder" in done.err
