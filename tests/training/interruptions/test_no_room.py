"""Out of disk: one error, no half-written thing, and the same command resumes and ends in the same bits."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seq2seq.training import checkpoint
from tests.forked import Forked
from tests.training.interruptions.processes import (
    arguments,
    assert_same_bits,
    assert_told,
    copy,
    finish,
    hashes,
    newest,
    partials,
)


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
    assert f"resuming from step {newest(killed)} of 120" in (out / "said.again").read_text()
    assert_same_bits(straight, out / "run")
