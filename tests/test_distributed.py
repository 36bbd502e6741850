"""Several processes started by torchrun train as one does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seq2seq.distributed import SINGLE_PROCESS
from seq2seq.files import file_hash
from tests.toy import write_toy

LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
EXACT = ["model.decoder.dropout=0", "training.log_every=1"]


def command(processes: int, *arguments: str) -> list[str]:
    if processes == 1:
        return [sys.executable, "-m", "seq2seq", *arguments]
    return [*LAUNCHER, str(processes), "-m", "seq2seq", *arguments]


def start(processes: int, recipe: Path, *settings: str) -> subprocess.Popen[str]:
    arguments = ["train", str(recipe), "--device", "cpu", "--threads", "1", *settings]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(processes, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def train(processes: int, recipe: Path, *settings: str) -> str:
    process = start(processes, recipe, *settings)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out + err


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]


def assert_same_curve(one: Path, other: Path) -> None:
    records, others = log(one), log(other)
    assert [(r["kind"], r["step"]) for r in records] == [(r["kind"], r["step"]) for r in others]
    for record, again in zip(records, others, strict=True):
        assert again["loss"] == pytest.approx(record["loss"], rel=1e-5)
    assert others[-1]["bleu"] == pytest.approx(records[-1]["bleu"], abs=1.0)


def wait_for_checkpoint(run: Path, process: subprocess.Popen[str], name: str = "step-*") -> None:
    while not list((run / "checkpoints").glob(name)):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


PAPERS = [
    "training.normalization=sentences",
    "training.optimizer={kind: adagrad, learning_rate: 0.05}",
    "training.switch_optimizer={after_steps: 12, optimizer: {kind: sgd, learning_rate: 0.1, momentum: 0.5}}",
    "training.schedule={kind: exponential, after: 0.5, every: 0.5}",
]
CUT_ANEW = ["tokenizer={kind: bpe, vocab_size: 300}", "training.bpe_dropout=0.2"]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param([], id="plain"),
        pytest.param(["training.batch.accumulate=3"], id="accumulated", marks=pytest.mark.slow),
        pytest.param(CUT_ANEW, id="split again", marks=pytest.mark.slow),
        pytest.param(PAPERS, id="papers", marks=pytest.mark.slow),
    ],
)
def test_two_processes_have_the_loss_curve_of_one(tmp_path: Path, settings: list[str]) -> None:
    recipe = write_toy(tmp_path)
    train(1, recipe, *EXACT, *settings, f"output_dir={tmp_path}/one")
    said = train(2, recipe, *EXACT, *settings, f"output_dir={tmp_path}/two")
    assert_same_curve(tmp_path / "one", tmp_path / "two")
    assert said.count("epoch 1.00") == 1 and said.count("translate: echo") == 1  # one of them speaks
    weights, others = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("one", "two"))
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    settings = [*EXACT, "training.max_epochs=8"]
    train(1, recipe, *settings, f"output_dir={tmp_path}/one")
    process = start(2, recipe, *settings, f"output_dir={tmp_path}/two")
    wait_for_checkpoint(tmp_path / "two", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode != 0 and err.count("stopping after this step") == 1, err
    assert "resuming from step" in train(1, recipe, *settings, f"output_dir={tmp_path}/two")
    assert_same_curve(tmp_path / "one", tmp_path / "two")


FINISHED, LONGER = [*EXACT, "training.max_epochs=1"], [*EXACT, "training.max_epochs=6"]


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy, a finished run `one` of one process, and `longer`: the same, gone on with by one process."""
    folder = tmp_path_factory.mktemp("longer")
    train(1, write_toy(folder), *FINISHED, f"output_dir={folder}/one")
    shutil.copytree(folder / "one", folder / "longer")
    train(1, folder / "recipe.yaml", *LONGER, f"output_dir={folder}/longer")
    return folder


def test_two_processes_go_on_with_what_one_has_finished(longer: Path, tmp_path: Path) -> None:
    run = shutil.copytree(longer / "one", tmp_path / "run")
    said = train(2, longer / "recipe.yaml", *LONGER, f"output_dir={run}")
    assert said.count("resuming from step 12 of 72") == said.count("continued: 72 steps instead of 12") == 1, said
    assert_same_curve(longer / "longer", run)


@pytest.mark.slow
def test_a_finished_model_stays_until_two_processes_that_go_on_have_ended(longer: Path, tmp_path: Path) -> None:
    recipe, output = longer / "recipe.yaml", f"output_dir={tmp_path}/run"
    train(2, recipe, *FINISHED, output)
    finished = file_hash(tmp_path / "run/model/model.safetensors")
    process = start(2, recipe, *LONGER, output)
    wait_for_checkpoint(tmp_path / "run", process, "step-000015")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode != 0 and "resuming from step 12 of 72" in err, err
    assert file_hash(tmp_path / "run/model/model.safetensors") == finished
    assert "resuming from step" in train(1, recipe, *LONGER, output)
    assert_same_curve(longer / "longer", tmp_path / "run")
    assert file_hash(tmp_path / "run/model/model.safetensors") != finished


@pytest.mark.slow
def test_two_processes_go_on_where_budget_patience_and_steps_are_raised(longer: Path, tmp_path: Path) -> None:
    still = ["training.optimizer.learning_rate=1e-30", "training.early_stopping.metric=loss"]
    settings = [*still, "training.validate_every=1", f"output_dir={tmp_path}/run"]

    def limits(budget: str, patience: int, steps: int) -> list[str]:
        patient = f"training.early_stopping.patience={patience}"
        return [f"training.budget={budget}", patient, f"training.max_steps={steps}"]

    said = train(2, longer / "recipe.yaml", *settings, *limits("0.001s", 1, 2))
    assert said.count("training ended at step 1: budget of 0.001s spent") == 1, said
    said = train(2, longer / "recipe.yaml", *settings, *limits("1h", 2, 9))
    assert said.count("resuming from step 1 of 9") == 1, said
    assert said.count("training ended at step 3: no better loss in 2 validations") == 1, said


def test_a_process_that_dies_takes_the_training_down_with_a_message(tmp_path: Path) -> None:
    recipe, settings = write_toy(tmp_path), [*EXACT, "training.max_epochs=15", f"output_dir={tmp_path}/run"]
    process = start(2, recipe, *settings)
    wait_for_checkpoint(tmp_path / "run", process)
    workers = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(workers[-1]), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "another process of this training is gone" in err and "resumes from the last checkpoint" in err, err
    assert "resuming from step" in train(2, recipe, *settings)


WAITING = """
import functools, time, torch
import torch.distributed as dist
from datetime import timedelta
from seq2seq.distributed import Processes

dist.init_process_group = functools.partial(dist.init_process_group, timeout=timedelta(seconds=1))
processes = Processes.join(torch.device("cpu"))
if processes.first:
    time.sleep(3)
print("received:", processes.broadcast("the data"))
"""


def test_the_others_wait_for_the_data_longer_than_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(WAITING)
    done = subprocess.run([*LAUNCHER, "2", tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count("received: the data") == 2, done.stderr


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    process = start(2, write_toy(tmp_path), "training.max_epoch=3")
    _, err = process.communicate()
    assert process.returncode != 0 and err.count("training.max_epoch: unknown key") == 1, err


def test_alone_a_process_has_everything() -> None:
    assert SINGLE_PROCESS.first and SINGLE_PROCESS.share([1, 2, 3]) == [1, 2, 3]
    assert (
        SINGLE_PROCESS.sum([1.5, 2]) == [1.5, 2]
        and SINGLE_PROCESS.gather(["a"]) == ["a"]
        and SINGLE_PROCESS.broadcast("x") == "x"
    )
