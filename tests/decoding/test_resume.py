"""Output that is gone on with: only what is whole, and only what the same command would write."""

from pathlib import Path

import pytest

from seq2seq.decoding.resume import Partial, signature
from seq2seq.errors import UserError


def test_whole_lines_count(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "out", "sign")
    for written, whole in ((b"one\ntwo\nthr", 0), (b"three\n", 2), (b"", 3)):
        with partial.opened() as (stream, lines):
            assert lines == whole
            stream.write(written)
    assert partial.lines() == [b"one", b"two", b"three"]
    (tmp_path / "out").write_text("old")
    Partial(tmp_path / "out", "other").path.touch()
    partial.finish()
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\nthree\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_long_line_that_is_not_whole_goes(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "out", "sign")
    partial.path.write_bytes(b"a\n" * 600_000 + b"b" * 3_000_000)
    with partial.opened() as (_, lines):
        assert lines == 600_000
    assert partial.path.stat().st_size == 1_200_000


def test_a_signature_tells_contents_and_settings_apart(tmp_path: Path) -> None:
    folder, file = tmp_path / "model", tmp_path / "in"
    folder.mkdir()
    (folder / "weights").write_text("1")
    file.write_text("x")
    first = signature([file, folder], "a", 1)
    assert first == signature([file, folder], "a", 1)
    assert first != signature([file, folder], "a", 2) != signature([file], "a", 2)
    (folder / "weights").write_text("2")
    changed = signature([file, folder], "a", 1)
    (folder / "weights").rename(folder / "weight")
    assert len({first, changed, signature([file, folder], "a", 1)}) == 3


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"--output .*none.*: No such file"),
        Partial(tmp_path / "none/out", "x").opened(),
    ):
        pass
