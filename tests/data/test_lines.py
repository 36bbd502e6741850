"""Whatever a path leads to, reading it ends soon, in little memory, with one clear message."""

import bz2
import gzip
import lzma
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq.data import lines
from seq2seq.data.lines import MAX_LINE, MAX_RATIO, hash_of, read_lines
from seq2seq.errors import UserError

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda content: lzma.compress(content, preset=0),  # with a small dictionary
}


def message(path: Path, pipe: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        list(read_lines(path, "data.train", pipe))
    assert str(caught.value).startswith("data.train: ") and "\n" not in str(caught.value)
    return str(caught.value)


def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        assert f"{path}: {what}, which cannot be read twice; write it to a file" in message(path)
        with pytest.raises(UserError, match=what):
            hash_of(path, "data.train")
    assert "a folder; name a file in it" in message(tmp_path)
    assert "a device" in message(Path("/dev/zero"), pipe=True)


def test_a_pipe_is_read_where_it_may_be_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("one\ntwo\n",))
    writer.start()
    assert list(read_lines(tmp_path / "pipe", pipe=True)) == ["one", "two"]
    writer.join()


@pytest.mark.parametrize("name", ["nul\0.en", "half\ud800.en", "n" * 300])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    text = message(tmp_path / name)
    assert text.encode() and ("cannot be a file's name" in text or "unreadable" in text)
    with pytest.raises(UserError):
        hash_of(tmp_path / name, "data.train")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine"
    path.write_text("x\n")
    path.chmod(0)
    if os.geteuid() == 0:  # root may read all: the system's answer is played
        monkeypatch.setattr("seq2seq.data.lines.open", raise_permission, raising=False)
    assert "may not be read; check its permissions" in message(path)


def raise_permission(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_longest_line(tmp_path: Path, end: bytes) -> None:
    (tmp_path / "long").write_bytes(b"short\n" + b"x" * MAX_LINE + end)
    assert list(read_lines(tmp_path / "long")) == ["short", "x" * MAX_LINE]
    (tmp_path / "long").write_bytes(b"short\n" + b"x" * (MAX_LINE + 1) + end)
    assert "long:2: this line has more than 100,000 bytes" in message(tmp_path / "long")


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("unit", [b"\0", b"word of 100 bytes" * 6 + b"\n"], ids=["line", "lines"])
def test_bombs(tmp_path: Path, suffix: str, unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "FREE_BYTES", 1 << 18)
    size, path = 8 << 20, tmp_path / f"bomb{suffix}"
    path.write_bytes(PACKERS[suffix](unit * (size // len(unit))))
    assert path.stat().st_size * MAX_RATIO < size
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"bomb.*(more than 100,000 bytes|unpacks to more than 100 times its size)"):
            for _ in read_lines(path):
                pass
        assert tracemalloc.get_traced_memory()[1] < size // 2
    finally:
        tracemalloc.stop()


def test_a_large_packed_text_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "FREE_BYTES", 1000)
    texts = [os.urandom(30).hex() for _ in range(1000)]
    path = tmp_path / "text.gz"
    path.write_bytes(gzip.compress("".join(text + "\n" for text in texts).encode()))
    assert list(read_lines(path)) == texts


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Größe\n".encode("utf-16"))
    assert "a:1: not UTF-8" in message(tmp_path / "a") and "iconv -f UTF-16 -t UTF-8" in message(tmp_path / "a")
