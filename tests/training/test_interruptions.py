"""A training in processes of its own, ended in every way there is: the same command goes on and ends in the same bits.

Killed by SIGKILL at any moment, stopped by SIGTERM and Ctrl-C, out of disk, with damaged checkpoints or a damaged log.
"""

import errno
import itertools
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

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
  optimizer: {kind: adam, learning_rate: 0.05}
  schedule: {kind: plateau, patience: 0}
  max_steps: 120
  validate_every: 20
  early_stopping: {metric: bleu, patience: null}
  checkpoints: {every_steps: 2}
  log_every: 3
  precision: fp32
"""
SEED = 3
KILLS = 20
OPERATIONS = 16
"""File operations (open, mkdir, rename) of a checkpoint's write; the last one gives it its name."""


# --- trainings in processes of their own ---


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


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    """More threads would only wait for each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A run folder with its data, to be copied."""
    run = tmp_path_factory.mktemp("prepared") / "run"
    code, said = Forked("prepare", *arguments(run)[1:]).end()
    assert code == 0, said
    return run


@pytest.fixture(scope="module")
def straight(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained by the real command line, without a break."""
    run = copy(prepared, tmp_path_factory.mktemp("straight"))
    code, said = Command(*arguments(run)).end()
    assert code == 0, said
    return run


@pytest.fixture(scope="module")
def killed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed when it was about to save step 90 of 120, to be copied."""
    run = copy(prepared, tmp_path_factory.mktemp("killed"))
    code, said = Forked(*arguments(run), first=partial(die_writing, 45, 1)).end()
    assert code == -signal.SIGKILL, said
    assert checkpoint.steps(run / "checkpoints")[-2:] == [86, 88] and not partials(run)
    assert learning_rates(run)[-1] < learning_rates(run)[0], "a plateau came before the break"
    return run


def copy(run: Path, folder: Path) -> Path:
    return shutil.copytree(run, folder / "run")


# --- SIGKILL ---


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


def test_killed_twenty_times_at_random_moments(prepared: Path, straight: Path, tmp_path: Path) -> None:
    """In the write of a checkpoint, soon after one, at any time from the start on; the real command line too."""
    run, moments = copy(prepared, tmp_path), random.Random(SEED)
    kinds = ["writing"] * 8 + ["after"] * 5 + ["any"] * 4 + ["command after", "command writing"]
    moments.shuffle(kinds)
    seen, to_first = [0], 0.0
    for kind in ["after", *kinds]:
        before, command, started = seen[-1], arguments(run), time.perf_counter()
        if kind == "writing":
            process = Forked(
                *command, first=partial(die_writing, moments.randint(1, 2), moments.randint(2, OPERATIONS))
            )
        else:
            process = Command(*command) if "command" in kind else Forked(*command)
            if kind != "any":
                wait(process, lambda since=before: newest(run) > since)
                to_first = to_first or time.perf_counter() - started
            if kind == "command writing":
                wait(process, lambda: bool(partials(run)))
            else:  # not so long that the training could end
                until = time.perf_counter() + moments.uniform(0, to_first if kind == "any" else to_first / 5)
                wait(process, lambda until=until, far=before + 6: time.perf_counter() > until or newest(run) >= far)
            process.send_signal(signal.SIGKILL)
        code, said = process.end()
        assert code == -signal.SIGKILL, said
        assert kind != "writing" or partials(run), "it was not in the midst of writing"
        seen.append(newest(run))
        assert seen[-1] > before or kind in ("any", "writing")
    assert len(seen) == 1 + KILLS and seen == sorted(seen), "no checkpoint is ever lost"
    assert f"going on from step {seen[-1]} of 120" in finish(run)
    assert_same_bits(straight, run)


# --- SIGTERM and Ctrl-C ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_first(number: signal.Signals, killed: Path, straight: Path, tmp_path: Path) -> None:
    """The checkpoint is of the step that the training had come to, though none is due there."""
    run = copy(killed, tmp_path)
    before = newest(run)
    process = Command(*arguments(run, "training.checkpoints.every_steps=1000"))
    wait(process, lambda: logged(run) > logged(killed))
    process.send_signal(number)
    code, said = process.end()
    assert code == 130, said
    assert said.count("stopping after this step; saving ...") == 1 and "Traceback" not in said
    assert said.endswith("stopped; all finished work is saved, the same command goes on from there\n")
    reached = newest(run)
    assert before < logged(run) <= reached < logged(run) + 3
    assert f"going on from step {reached} of 120" in finish(run)
    assert_same_bits(straight, run)


def test_killed_while_saving_for_a_signal(killed: Path, straight: Path, tmp_path: Path) -> None:
    """What it leaves, half-written for a step that gets no checkpoint later, is cleared away."""
    run = copy(killed, tmp_path)
    before = newest(run)
    rarely = "training.checkpoints.every_steps=1000"
    process = Forked(*arguments(run, rarely), first=partial(die_writing, 1, OPERATIONS // 2))
    wait(process, lambda: logged(run) > logged(killed))
    process.send_signal(signal.SIGTERM)
    code, said = process.end()
    assert code == -signal.SIGKILL and "saving ..." in said and partials(run), said
    assert f"going on from step {before} of 120" in finish(run, rarely)
    assert_same_bits(straight, run)


# --- no room ---


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_hash(path) for path in folder.glob("step-*/*")}


def assert_told(code: int | None, said: str, path: str, reason: str) -> None:
    """One error, the last thing said: what could not be written, why, and the fix."""
    assert code == 2 and "Traceback" not in said, said
    assert said.count("error:") == 1 and said.endswith("\n")
    told = rf"error: \S*/run/{path}: cannot be written: {reason}; make room there"
    assert re.search(told, said.split("\n")[-2]), said


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))  # SIGXFSZ is ignored by Python: writing fails with EFBIG


def test_no_room_for_the_weights_of_a_checkpoint(killed: Path, straight: Path, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    before = hashes(run / "checkpoints")
    size = (run / "checkpoints" / f"step-{newest(run):06d}" / checkpoint.TENSORS).stat().st_size
    for _ in range(2):
        code, said = Forked(*arguments(run), first=partial(limit_files, size - 10_000)).end()
        assert_told(code, said, r"checkpoints/step-\d+", "File too large")
        assert hashes(run / "checkpoints") == before and not partials(run)
    finish(run)
    assert_same_bits(straight, run)


def refuse(path: str) -> None:
    """Have the disk be full for all paths that contain this."""

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if event == "open" and path in str(values[0]) and values[2] & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.addaudithook(watch)


def test_no_room_for_anything_else(killed: Path, straight: Path, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    for path, told in [
        ("/.manifest.json", "manifest.json"),
        ("/train.jsonl", "train.jsonl"),
        ("/.checksums.json", r"checkpoints/step-\d+"),
        ("/.model.partial/", "model"),
    ]:
        code, said = Forked(*arguments(run), first=partial(refuse, path)).end()
        assert_told(code, said, told, "No space left on device")
    finish(run)
    assert_same_bits(straight, run)


ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size="$size" tmpfs "$disk"
cp -r "$from" "$disk/run"
"$@" >"$out/said" 2>&1 || echo $? >"$out/code"
cp -r "$disk/run/checkpoints" "$out/checkpoints"
mount -o remount,size=100m "$disk"
"$@" >"$out/said.again" 2>&1
cp -r "$disk/run" "$out/run"
"""
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def can_mount() -> bool:
    """Whether this user may mount a tmpfs in a namespace of their own."""
    if shutil.which("unshare") is None:
        return False
    mount = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def test_a_full_disk(killed: Path, straight: Path, tmp_path: Path) -> None:
    """A real one, with room for half a checkpoint; then it is made larger."""
    if not can_mount():
        pytest.skip("no disk can be mounted here without being root (unshare --user --mount)")
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    out.mkdir()
    pages = sum(-(-path.stat().st_size // 4096) for path in killed.rglob("*") if path.is_file())
    settings = {"size": f"{pages * 4 + 80}k", "disk": str(disk), "from": str(killed), "out": str(out)}
    command = [sys.executable, "-m", "seq2seq", *arguments(out / "run", f"output_dir={disk / 'run'}")]
    done = subprocess.run(
        [*NAMESPACE, "bash", "-c", ON_A_SMALL_DISK, "bash", *command],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, said = int((out / "code").read_text()), (out / "said").read_text()
    assert_told(code, said, r"checkpoints/step-\d+", "No space left on device")
    assert hashes(out / "checkpoints") == hashes(killed / "checkpoints") and not partials(out)
    assert f"going on from step {newest(killed)} of 120" in (out / "said.again").read_text()
    assert_same_bits(straight, out / "run")


# --- damage ---


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x81  # no longer ASCII either
    path.write_bytes(content)


@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, checkpoint.CHECKSUMS])
def test_a_flipped_byte_in_the_newest_checkpoint(name: str, killed: Path, straight: Path, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    *_, before, last = checkpoint.steps(run / "checkpoints")
    damaged = run / "checkpoints" / f"step-{last:06d}"
    flip_a_byte(damaged / name)
    said = finish(run)
    assert f"{damaged if name == checkpoint.CHECKSUMS else damaged / name} is damaged" in said
    assert "; going on from the one before\n" in said and said.count("is damaged") == 1
    assert f"going on from step {before} of 120" in said
    assert_same_bits(straight, run)


def test_all_checkpoints_damaged(killed: Path, straight: Path, tmp_path: Path) -> None:
    """Each is named; training begins from scratch, and says so."""
    run = copy(killed, tmp_path)
    there = checkpoint.steps(run / "checkpoints")
    for step, name in zip(there, itertools.cycle([checkpoint.TENSORS, checkpoint.STATE]), strict=False):
        flip_a_byte(run / "checkpoints" / f"step-{step:06d}" / name)
    said = finish(run)
    for step in there:
        assert f"step-{step:06d}" in said
    assert said.count("going on from the one before") == len(there) - 1
    assert said.count("there is none before it: training begins from scratch") == 1 and "going on from step" not in said
    assert_same_bits(straight, run)


@pytest.mark.parametrize("damage", ["half a line more", "cut in a line", "gone"])
def test_a_damaged_log(damage: str, killed: Path, straight: Path, tmp_path: Path) -> None:
    run = copy(killed, tmp_path)
    log = run / "train.jsonl"
    content = log.read_bytes()
    if damage == "half a line more":
        log.write_bytes(content + content[:100])
    elif damage == "cut in a line":
        log.write_bytes(content[: content.index(b"\n", len(content) // 2) - 50])
    else:
        log.unlink()
    finish(run)
    assert_same_bits(straight, run)
