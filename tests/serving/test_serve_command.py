"""The command: what it refuses, and what it says."""

import importlib.util
import socket
from pathlib import Path

import pytest

from tests.command_line import refused, seq2seq


def test_what_is_missing_is_said_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    refused(seq2seq("serve", "run"), "serving needs uvicorn", "pip install 'seq2seq[serve]'")


def test_a_pair_is_served_by_one_model(toys: dict[str, Path]) -> None:
    run = str(toys["en-de"])
    refused(seq2seq("serve", run, str(toys["de-en"]), run, "--device", "cpu"), "translates en-de as", run)


def test_an_address_that_is_taken_is_said(toys: dict[str, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(seq2seq("serve", str(toys["en-de"]), "--port", str(port), "--device", "cpu"), str(port), "in use")
    refused(seq2seq("serve", str(toys["en-de"]), "--host", "no such host", "--device", "cpu"), "--host no such host")


def test_a_run_that_is_not_there_and_options_without_effect(tmp_path: Path) -> None:
    refused(seq2seq("serve", str(tmp_path / "none"), "--device", "cpu"), "no such run folder")
    (tmp_path / "keys").write_text("secret 10\n")
    refused(
        seq2seq("serve", "run", "--keys", str(tmp_path / "keys"), "--rate", "5"), "--rate has no effect with --keys"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "holds no key"), ("# none\n", "holds no key"), ("a b c\n", "line 1"), ("a\n\nb x\n", "line 3"),
     ("a 0\n", "line 1"), (None, "cannot be read")],
)  # fmt: skip
def test_a_file_of_keys_that_is_wrong(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    refused(seq2seq("serve", "run", "--keys", str(path)), str(path), said)
