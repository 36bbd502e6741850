"""Proof that an interrupted training ends in the same bits as a straight one, on this machine, with this recipe."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.run_folder import RunFolder

CLOCKS = {"seconds", "tokens_per_second", "loading"}
"""What in the log's records tells of the time that it took, not of the training."""


@dataclass(frozen=True)
class Comparison:
    """Two trainings, compared bit by bit."""

    weights: int
    """Tensors of the model."""
    records: int
    """Records of the log."""
    differences: list[str]
    """What is not the same."""


def verify_resume(arguments: list[str], folder: Path, kills: int, seed: int) -> Comparison:
    """Train twice in processes of their own, once straight and once killed (SIGKILL) at random moments.

    Args:
        arguments: of `seq2seq train`, from the recipe on.
        folder: new, for both run folders.

    Raises:
        UserError: the recipe does not train even straight.
    """
    straight, broken = folder / "straight", folder / "interrupted"
    _train("prepare", arguments, straight)
    shutil.copytree(straight, broken)
    started = time.perf_counter()
    say("training straight ...")
    _train("train", arguments, straight)
    took = time.perf_counter() - started
    moments = random.Random(seed)
    for kill in range(1, kills + 1):
        after = moments.uniform(0.1, 0.9) * took
        process = _start("train", arguments, broken)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        say(f"interruption {kill} of {kills}: killed after {after:.1f} of {took:.1f} seconds")
    _train("train", arguments, broken)
    return compare(straight, broken)


def compare(one: Path, other: Path) -> Comparison:
    """The models and the logs of two run folders."""
    differences = []
    weights, others = (load_file(RunFolder(path).model / "model.safetensors") for path in (one, other))
    for name in sorted(weights.keys() | others.keys()):
        if name not in weights or name not in others or not torch.equal(weights[name], others[name]):
            differences.append(f"weight {name}")
    logs = [_records(RunFolder(path).log) for path in (one, other)]
    if len(logs[0]) != len(logs[1]):
        differences.append(f"the log has {len(logs[0])} and {len(logs[1])} records")
    for number, (record, again) in enumerate(zip(*logs, strict=False), start=1):
        keys = [key for key in record.keys() | again.keys() if record.get(key) != again.get(key)]
        differences += [f"record {number} of the log: {key}" for key in sorted(keys)]
    return Comparison(len(weights), len(logs[0]), differences)


def _records(log: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").split("\n") if line]
    return [{key: value for key, value in record.items() if key not in CLOCKS} for record in records]


def _start(stage: str, arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "seq2seq", stage, *arguments, f"output_dir={json.dumps(str(folder))}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _train(stage: str, arguments: list[str], folder: Path) -> None:
    process = _start(stage, arguments, folder)
    _, errors = process.communicate()
    if process.returncode != 0:
        raise UserError(f"`seq2seq {stage}` failed:\n{errors.decode(errors='replace').strip()}")
