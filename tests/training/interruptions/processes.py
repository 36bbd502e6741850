"""A training in processes of its own, to be ended in every way there is; the same command resumes from there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seq2seq.files import file_hash
from seq2seq.training import checkpoint
from seq2seq.training.verification import compare
from tests.forked import Forked

RECIPE = """\
name: tiny
data:
  src: en
  tgt: de
  train: {builtin: cldr, pairs: 300}
  valid: {builtin: cldr, pairs: 10}
  test:
    cldr: {builtin: cldr, pairs: 5}
tokenizer: {kind: bpe, vocab_size: 300, byte_fallback: false}
model:
  embedding: {size: 8}
  encoder: {cell: gru, hidden_size: 8}
  decoder: {cell: gru, hidden_size: 8, dropout: 0.3}
training:
  batch: {tokens: 100}
  optimizer: {kind: adam, learning_rate: 0.00001}  # so little that no translation changes: a plateau is sure
  schedule: {kind: plateau, patience: 0}
  max_steps: 120
  validate_every: 20
  early_stopping: {metric: bleu, patience: null}
  checkpoints: {every_steps: 2}
  log_every: 3
  precision: fp32
"""
OPERATIONS = 16
"""File operations (open, mkdir, rename) of a checkpoint's write; the last one gives it its name."""


def arguments(run: Path, *settings: str) -> list[str]:
    """Of the command that trains in this run folder; its recipe lies beside it."""
    recipe = run.parent / "recipe.yaml"
    if not recipe.exists():
        recipe.write_text(RECIPE, encoding="utf-8")
    return ["train", str(recipe), "--device", "cpu", "--threads", "1", f"output_dir={run}", *settings]


class Command:
    """The real command line, as `Forked` is used."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seq2seq", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        said, _ = self.process.communicate()
        return self.process.returncode, said


def newest(run: Path) -> int:
    return max(checkpoint.steps(run / "checkpoints"), default=0)


def logged(run: Path) -> int:
    """The last step that the log tells of."""
    return max(json.loads(line)["step"] for line in (run / "train.jsonl").read_text("utf-8").split("\n")[:-1])


def learning_rates(run: Path) -> list[float]:
    records = map(json.loads, (run / "train.jsonl").read_text("utf-8").splitlines())
    return [record["learning_rate"] for record in records if record["kind"] == "train"]


def partials(run: Path) -> list[str]:
    return [path.name for path in (run / "checkpoints").glob(".step-*.partial")]


def wait(process: Forked | Command, ready: Callable[[], bool]) -> None:
    while process.running and not ready():
        time.sleep(0.001)


def finish(run: Path, *settings: str) -> str:
    code, said = Forked(*arguments(run, *settings)).end()
    assert code == 0, said
    return said


def assert_same_bits(straight: Path, run: Path) -> None:
    """Every weight, log record, moment of the optimizer and running mean; and nothing half-written lies about."""
    assert compare(straight, run).differences == []
    assert newest(straight) == newest(run) == 120
    last = Path("checkpoints", "step-000120", checkpoint.TENSORS)
    assert file_hash(straight / last) == file_hash(run / last)
    assert {path.name for path in run.rglob(".*")} == {".lock"}


def copy(run: Path, folder: Path) -> Path:
    return shutil.copytree(run, folder / "run")


def die_writing(number: int, operation: int) -> None:
    """Have this process kill itself right before a file operation of the write of its n-th checkpoint."""
    steps: dict[str, int] = {}

    def watch(event: str, values: tuple[Any, ...]) -> None:
        found = re.search(r"/checkpoints/[.](step-[0-9]+)[.]partial", str(values[:1]))
        if found is None or event not in ("open", "os.mkdir", "os.rename"):
            return
        steps[found[1]] = steps.get(found[1], 0) + 1
        if len(steps) == number and steps[found[1]] == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_hash(path) for path in folder.glob("step-*/*")}


def assert_told(code: int | None, said: str, path: str, reason: str) -> None:
    """One error, the last thing said: what could not be written, why, and the fix."""
    assert code == 2 and "Traceback" not in said, said
    assert said.count("error:") == 1 and said.endswith("\n")
    told = rf"error: \S*/run/{path}: cannot be written: {reason}; make room there"
    assert re.search(told, said.split("\n")[-2]), said
