"""The stages of a run: up to date or not and why, killed and taken up again, whole or absent."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import ANY

import pytest
import torch

from seq2seq.bundle import load_bundle
from seq2seq.errors import UserError
from seq2seq.files import file_hash
from seq2seq.pipeline import Runner
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.runner import needed
from seq2seq.pipeline.stages.evaluate import read_scores
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from tests.toy import toy_recipe, write_toy

CPU = torch.device("cpu")

NAMES = [stage.name for stage in needed("report")]


def reasons(recipe: Recipe) -> dict[str, list[str]]:
    """By stage, why it would run; those up to date are left out."""
    return {verdict.stage: verdict.reasons for verdict in Runner(recipe).plan() if verdict.reasons}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy's data and a whole run of it."""
    folder = tmp_path_factory.mktemp("toy")
    assert Runner(toy_recipe(folder)).run()
    return folder


def test_a_run_leaves_all_that_the_design_promises(done: Path) -> None:
    run = done / "run"
    for name in (
        "recipe.yaml",
        "manifest.json",
        "train.jsonl",
        "data/audit.json",
        "data/train.arrow",
        "data/tokenizer.json",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "translations/toy.de",
        "report/report.html",
        "report/report.md",
        "report/scores.json",
    ):
        assert (run / name).is_file(), name
    assert not list(run.rglob("*.partial")) and not list(run.rglob("*.pt"))
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    assert list(stages) == list(NAMES)
    assert len((run / "translations/toy.de").read_text().split("\n")) == 21
    records = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert {record["kind"] for record in records} == {"train", "validation"}


def test_a_second_run_does_nothing(done: Path) -> None:
    recipe = load_recipe(done / "recipe.yaml")
    before = {path: path.stat().st_mtime_ns for path in (done / "run").rglob("*") if path.name != ".lock"}
    assert reasons(recipe) == {}
    assert not Runner(recipe).run()
    assert before == {path: path.stat().st_mtime_ns for path in (done / "run").rglob("*") if path.name != ".lock"}


def test_the_resolved_recipe_is_the_same_run(done: Path) -> None:
    assert reasons(load_recipe(done / "run" / "recipe.yaml")) == {}


@pytest.mark.parametrize(
    ("setting", "first", "reason"),
    [
        ("decoding.beam_size=4", "translate", "decoding.beam_size 2 -> 4"),
        ("evaluation.metrics=[bleu]", "evaluate", "evaluation.metrics"),
        ("training.label_smoothing=0.2", "train", "training.label_smoothing 0.1 -> 0.2"),
        ("model.encoder.layers=2", "train", "model.encoder.layers 1 -> 2"),
        ("data.train.0.weight=2.0", "train", "data.train.weight 1.0 -> 2.0"),
        ("tokenizer.vocab_size=101", "prepare", "tokenizer.vocab_size 100 -> 101"),
        ("data.filter.max_length=50", "prepare", "data.filter.max_length 100 -> 50"),
        ("seed=2", "train", "seed 1 -> 2"),
    ],
)
def test_a_changed_key_runs_what_depends_on_it(done: Path, setting: str, first: str, reason: str) -> None:
    found = reasons(load_recipe(done / "recipe.yaml", [setting]))
    assert list(found) == list(NAMES[NAMES.index(first) :])  # type: ignore[arg-type]
    assert any(reason in text for text in found[first]), found


@pytest.mark.parametrize("setting", ["training.log_every=7", "training.checkpoints.every_steps=9"])
def test_what_changes_no_result_runs_nothing(done: Path, setting: str) -> None:
    assert reasons(load_recipe(done / "recipe.yaml", [setting])) == {}


def test_a_changed_line_of_data_runs_all_and_moved_data_nothing(done: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in done.glob("*.[ed][ne]"):
        (elsewhere / file.name).write_bytes(file.read_bytes())
    recipe = elsewhere / "recipe.yaml"
    recipe.write_text((done / "recipe.yaml").read_text())
    assert reasons(load_recipe(recipe)) == {}
    lines = (elsewhere / "train.de").read_text().split("\n")
    lines[3] = "acht"
    (elsewhere / "train.de").write_text("\n".join(lines))
    found = reasons(load_recipe(recipe))
    assert list(found) == list(NAMES)
    assert "data.train (target text)" in found["prepare"][0]


def test_a_missing_or_cut_output_is_made_again(done: Path, tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    copy = tmp_path / "copy"
    shutil.copytree(done / "run", copy)
    (copy / "report" / "scores.json").unlink()
    (copy / "model" / "model.safetensors").write_bytes(b"cut")
    found = reasons(load_recipe(done / "recipe.yaml", [f"output_dir={copy}"]))
    assert list(found) == ["train", "evaluate"]


def test_a_folder_of_another_recipe_is_refused(done: Path) -> None:
    with pytest.raises(UserError, match="belongs to the recipe 'toy'"):
        Runner(load_recipe(done / "recipe.yaml", ["name=other", f"output_dir={done}/run"]))


def test_a_run_folder_in_use_is_refused(done: Path) -> None:
    runner = Runner(load_recipe(done / "recipe.yaml"))
    with alone(runner.folder.root), pytest.raises(UserError, match="another seq2seq is at work"):
        runner.run()


def kill_when(recipe: Path, ready: Callable[[], bool], number: int = signal.SIGKILL) -> tuple[int, str]:
    """Run the recipe in a process of its own and end it when `ready`; its exit code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "seq2seq", "run", str(recipe), "training.max_epochs=4", "--threads", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    while process.poll() is None and not ready():
        time.sleep(0.002)
    process.send_signal(number)
    _, errors = process.communicate()
    return process.returncode, errors.decode()


def test_killed_in_any_stage_a_run_goes_on_and_ends_in_the_same_bits(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    straight.mkdir()
    broken.mkdir()
    assert kill_when(write_toy(straight), lambda: False) == (0, ANY)
    recipe, run = write_toy(broken), broken / "run"
    for ready in (
        lambda: (run / ".data.partial").exists(),
        lambda: (run / "checkpoints" / "step-000005").exists(),
        lambda: (run / "checkpoints" / ".step-000015.partial").exists(),
        lambda: (run / "checkpoints" / "step-000025").exists(),
    ):
        code, _ = kill_when(recipe, ready)
        assert code == -signal.SIGKILL
    code, said = kill_when(recipe, lambda: (run / "checkpoints" / "step-000036").exists(), signal.SIGTERM)
    assert "was interrupted, continues from step" in reasons(load_recipe(recipe, ["training.max_epochs=4"]))["train"][0]
    assert "training.max_epochs 4 -> 3" in str(Runner(load_recipe(recipe, ["training.max_epochs=3"])).obstacle())
    assert code == 130 and "resuming from step" in said and "the same command resumes" in said
    code, _ = kill_when(recipe, lambda: False)
    assert code == 0
    for name in ("model/model.safetensors", "translations/toy.de", "report/scores.json"):
        assert file_hash(straight / "run" / name) == file_hash(run / name), name
    assert without_times(straight / "run" / "train.jsonl") == without_times(run / "train.jsonl")


def without_times(log: Path) -> list[dict[str, object]]:
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second", "loading")} for r in records]


def test_a_small_model_learns_a_slice_of_real_text(multi30k: Path, tmp_path: Path) -> None:
    """Sixty sentence pairs, learnt by heart: the whole way from files to BLEU works, or it could not."""
    for language in ("en", "de"):
        lines = (multi30k / f"train.{language}").read_text(encoding="utf-8").split("\n")[:60]
        (tmp_path / f"slice.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"""
name: slice
output_dir: {tmp_path}/run
data:
  src: en
  tgt: de
  train: {{files: "slice.{{lang}}"}}
  valid: {{files: "slice.{{lang}}"}}
  test: {{slice: {{files: "slice.{{lang}}"}}}}
  filter: {{drop_test_overlap: false}}
tokenizer: {{kind: bpe, vocab_size: 750}}
model:
  embedding: {{size: 64}}
  encoder: {{hidden_size: 64}}
  decoder: {{hidden_size: 128}}
training:
  optimizer: {{kind: adam, learning_rate: 0.01}}
  schedule: {{kind: constant}}
  label_smoothing: 0.0
  ema_decay: 0.9
  max_epochs: 80
  validate_every: 40
"""
    )
    runner = Runner(load_recipe(recipe))
    runner.run()
    bleu = read_scores(runner.folder)["slice"][0]
    assert bleu.metric == "bleu" and bleu.value > 90


OWN_CELL = """
import torch
from seq2seq.nn.cells import Cell


class Leaky(Cell):
    def __init__(self, section, input_size, hidden_size, leak=0.5):
        super().__init__(section, input_size, hidden_size)
        self.leak = leak

    def step(self, projected, state, mask=None):
        (h,) = state
        return (self.leak * h + (1 - self.leak) * torch.tanh(projected + self.recur(h, mask)),)
"""


def test_a_cell_of_ones_own_trains_and_translates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file beside the recipe; a change of it trains again; elsewhere the error says what is missing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaky_cells.py").write_text(OWN_CELL)
    cell = "model.encoder.cell={kind: leaky_cells:Leaky, options: {leak: 0.3}}"
    recipe = toy_recipe(tmp_path, cell, "model.encoder.recurrent_dropout=0.1", "training.max_epochs=1")
    Runner(recipe).run("evaluate")
    assert not any(verdict.reasons for verdict in Runner(recipe).plan()[:4])
    (tmp_path / "leaky_cells.py").write_text(OWN_CELL.replace("leak=0.5", "leak=0.4"))
    train = Runner(recipe).plan()[1]
    assert train.stage == "train" and "model.encoder.cell (code)" in train.reasons[0]
    monkeypatch.delitem(sys.modules, "leaky_cells")
    (tmp_path / "leaky_cells.py").unlink()
    with pytest.raises(UserError, match="leaky_cells:Leaky: importing leaky_cells failed"):
        load_bundle(tmp_path / "run", torch.device("cpu"))
