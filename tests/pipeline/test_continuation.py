"""A training whose limits are raised goes on; one that is another does not take its place unasked; no model is lost."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seq2seq.bundle import load_bundle
from seq2seq.files import file_hash, new_folder
from seq2seq.pipeline.continuation import raised
from tests.command_line import seq2seq
from tests.forked import Forked
from tests.toy import write_toy

LONGER = "training.max_epochs=4"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy's data and a whole run of two epochs."""
    folder = tmp_path_factory.mktemp("continuation")
    assert seq2seq("run", str(write_toy(folder))).code == 0
    return folder


def copy(done: Path, folder: Path) -> Path:
    """The run, to be changed."""
    return Path(shutil.copytree(done / "run", folder / "run"))


def command(done: Path, run: Path, *settings: str) -> tuple[str, ...]:
    return str(done / "recipe.yaml"), f"output_dir={json.dumps(str(run))}", *settings


def content(run: Path) -> dict[str, str]:
    """Every file's hash."""
    return {str(path): file_hash(path) for path in run.rglob("*") if path.is_file() and path.name != ".lock"}


def log(run: Path) -> list[dict[str, object]]:
    records = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    clocks = {"seconds", "tokens_per_second", "loading"}
    return [{key: value for key, value in record.items() if key not in clocks} for record in records]


@pytest.mark.parametrize(
    ("key", "then", "now", "expected"),
    [
        ("training.max_epochs", "2", "3", True),
        ("training.max_epochs", "3", "2", False),
        ("training.max_steps", "100", "null", True),
        ("training.max_steps", "null", "100", False),
        ("training.max_steps", None, "100", False),
        ("training.early_stopping.patience", "5", "null", True),
        ("training.early_stopping.patience", "9", "10", True),
        ("training.budget", '"90s"', '"2m"', True),
        ("training.budget", '"2m"', '"0.01h"', False),
        ("training.budget", '"20m"', "null", True),
        ("training.clip_norm", "1.0", "2.0", False),
        ("training.early_stopping.metric", '"bleu"', "null", False),
    ],
)
def test_what_counts_as_raised(key: str, then: str | None, now: str, expected: bool) -> None:
    assert raised(key, then, now) is expected


def test_a_longer_training_continues_from_the_newest_checkpoint(done: Path, tmp_path: Path) -> None:
    run, before = copy(done, tmp_path), log(done / "run")
    last = max(int(record["step"]) for record in before)  # type: ignore[call-overload]
    planned = seq2seq("plan", *command(done, run, LONGER)).out.splitlines()
    assert planned[0].split() == ["prepare", "up", "to", "date"]
    assert planned[1] == f"train      runs: training.max_epochs 2 -> 4; continues from step {last}"
    assert not any("needs --force" in line for line in planned)
    longer = seq2seq("run", *command(done, run, LONGER))
    assert longer.code == 0 and f"resuming from step {last} of {2 * last}" in longer.err, longer.err
    assert f"continued: {2 * last} steps instead of {last}; the cosine schedule" in longer.err
    told = longer.err.split("from here on: learning rate ")[1].split(" (")[0].split(" -> ")
    assert 0 < float(told[0]) < float(told[1]) < 0.01
    after = log(run)
    assert after[: len(before)] == before and after[-1]["step"] == 2 * last
    rates = {record["step"]: record["learning_rate"] for record in after if record["kind"] == "train"}
    assert rates[last // 5 * 5 + 5] > rates[last // 5 * 5]  # type: ignore[operator]
    assert "nothing to do" in seq2seq("run", *command(done, run, LONGER)).out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_continuation_keeps_the_model_and_ends_in_the_same_bits(
    done: Path, tmp_path: Path, number: signal.Signals
) -> None:
    for name in ("straight", "broken"):
        (tmp_path / name).mkdir()
    straight, broken = copy(done, tmp_path / "straight"), copy(done, tmp_path / "broken")
    assert seq2seq("train", *command(done, straight, LONGER)).code == 0
    old = file_hash(done / "run/model/model.safetensors")
    end_when("train", command(done, broken, LONGER), lambda: len(log(broken)) > len(log(done / "run")) + 1, number)
    assert file_hash(broken / "model/model.safetensors") == old
    assert "was interrupted, continues from step" in seq2seq("plan", *command(done, broken, LONGER)).out
    load_bundle(broken, torch.device("cpu"))
    assert seq2seq("train", *command(done, broken, LONGER)).code == 0
    assert file_hash(broken / "model/model.safetensors") == file_hash(straight / "model/model.safetensors")
    assert log(broken) == log(straight) and len(log(straight)) > len(log(done / "run")) + 1


def end_when(
    name: str, arguments: tuple[str, ...], ready: Callable[[], bool], number: signal.Signals = signal.SIGKILL
) -> None:
    process = Forked(name, *arguments)
    while process.running and not ready():
        pass
    process.send_signal(number)
    code, said = process.end()
    assert code in (-signal.SIGKILL, 130), said


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("model.encoder.layers=2", "model.encoder.layers 1 -> 2"),
        ("seed=7", "seed 1 -> 7"),
        ("training.max_epochs=1", "training.max_epochs 2 -> 1"),
        ("tokenizer.vocab_size=101", "tokenizer.vocab_size 100 -> 101"),
        ("data.filter.deduplicate=false", "data.filter.deduplicate true -> false"),
    ],
)
@pytest.mark.parametrize("name", ["run", "train", "prepare", "evaluate"])
def test_another_training_is_refused_and_nothing_is_touched(done: Path, name: str, setting: str, told: str) -> None:
    run = done / "run"
    before = content(run)
    refused = seq2seq(name, *command(done, run, LONGER.replace("4", "2"), setting))
    assert refused.code == 2 and f"error: {run}: {told}: that is another training" in refused.err, refused.err
    assert "discard a finished model (bleu " in refused.err and "on toy) and checkpoints of" in refused.err
    assert f"output_dir={run}-2" in refused.err and "--force" in refused.err
    assert content(run) == before
    plan = seq2seq("plan", *command(done, run, setting))
    assert plan.code == 0 and f"needs --force: {run}: {told}" in plan.out


def test_a_raised_limit_does_not_hide_another_change(done: Path) -> None:
    refused = seq2seq("train", *command(done, done / "run", LONGER, "seed=7"))
    assert refused.code == 2 and "run: seed 1 -> 7: that is another training" in refused.err


def test_an_interrupted_training_is_not_discarded_unasked(done: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    end_when("train", command(done, run), lambda: (run / "checkpoints/step-000010").exists())
    refused = seq2seq("train", *command(done, run, "seed=7"))
    assert refused.code == 2 and "seed 1 -> 7: that is another training" in refused.err
    assert "discard checkpoints of" in refused.err
    (run / "manifest.json").write_text(json.dumps({"name": "toy", "stages": {}}))
    assert "its checkpoints are of another training" in seq2seq("train", *command(done, run, "seed=7")).err
    assert seq2seq("train", *command(done, run)).err.count("resuming from step") == 1


def test_forced_the_old_model_is_there_until_the_new_one_is_whole(done: Path, tmp_path: Path) -> None:
    run = copy(done, tmp_path)
    old, arguments = file_hash(run / "model/model.safetensors"), command(done, run, "seed=7")
    end_when("train", (*arguments, "--force"), lambda: (run / "checkpoints/step-000010").exists())
    assert file_hash(run / "model/model.safetensors") == old
    load_bundle(run, torch.device("cpu"))
    again = seq2seq("train", *arguments)
    assert again.code == 0 and "resuming from step" in again.err, again.err
    assert file_hash(run / "model/model.safetensors") != old


def test_a_training_that_patience_ended_goes_on_where_patience_is_raised(done: Path, tmp_path: Path) -> None:
    recipe = (
        "training.validate_every=1",
        "training.optimizer.learning_rate=1e-30",
        "training.early_stopping.metric=loss",
    )
    first = seq2seq("train", *command(done, tmp_path / "run", *recipe, "training.early_stopping.patience=2"))
    assert "no better loss in 2 validations" in first.err, first.err
    more = seq2seq("train", *command(done, tmp_path / "run", *recipe, "training.early_stopping.patience=4"))
    assert "no better loss in 4 validations" in more.err and "resuming from step" in more.err
    assert log(tmp_path / "run")[-1]["step"] == 2 + int(first.err.split("training ended at step ")[1].split(":")[0])


def test_a_folder_that_a_kill_left_between_its_two_names_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with new_folder(path) as partial:
        (partial / "a").write_text("old")
    path.replace(tmp_path / ".model.old")
    with pytest.raises(RuntimeError), new_folder(path):
        assert (path / "a").read_text() == "old"
        raise RuntimeError
    assert (path / "a").read_text() == "old"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_model_can_be_read_by_those_whom_the_umask_lets(done: Path, tmp_path: Path, mask: int) -> None:
    run = copy(done, tmp_path)
    (run / "model/model.safetensors").unlink()
    before = os.umask(mask)
    try:
        assert seq2seq("train", *command(done, run)).code == 0
    finally:
        os.umask(before)
    for file in (run / "model").iterdir():
        assert file.stat().st_mode & 0o777 == 0o666 & ~mask, file


def test_a_stage_that_has_never_run_starts_and_its_first_loss_is_shown(done: Path, tmp_path: Path) -> None:
    first = seq2seq("run", "--until", "train", *command(done, tmp_path / "run", "training.max_steps=2"))
    assert first.code == 0 and not (tmp_path / "run/translations").exists()
    lines = first.err.splitlines()
    assert "[prepare] starts" in lines and "[train] starts" in lines and "has not run yet" not in first.err
    assert any(line.startswith("step 1: loss ") for line in lines)
    assert "no such stage" in seq2seq("run", str(done / "recipe.yaml"), "--until", "cook").err
