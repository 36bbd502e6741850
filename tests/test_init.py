"""`seq2seq init`: from a user's files to a recipe that runs."""

import io
import os
from pathlib import Path

import pytest

from seq2seq.recipe.file import load_recipe
from tests.command_line import refused, seq2seq
from tests.toy import write_toy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of 300, 20 and 20 pairs; the current folder is beside them."""
    (tmp_path / "data").mkdir()
    write_toy(tmp_path / "data").unlink()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_a_folder_becomes_a_recipe_that_runs(folder: Path) -> None:
    result = seq2seq("init", "own/first.yaml", "--src", "en", "--tgt", "de", "--train", "../data", "--budget", "9m")
    assert (
        result.code == 0 and "data.train: 300 pairs read" in result.out and "seq2seq run own/first.yaml" in result.out
    )
    recipe = load_recipe("own/first.yaml")
    assert recipe.name == "first" and recipe.training.budget == "9m"
    assert 'train: {files: "../../data/train.{lang}"}' in Path("own/first.yaml").read_text()
    assert list(recipe.data.test) == ["test"] and "data/valid" in str(recipe.data.valid)
    settings = [
        "tokenizer.vocab_size=300",
        "training.max_steps=2",
        "model.encoder.hidden_size=8",
        "model.decoder.hidden_size=8",
    ]
    assert seq2seq("train", "own/first.yaml", *settings, "model.embedding.size=8").code == 0
    refused(seq2seq("init", "own/first.yaml"), "own/first.yaml: exists", "--force")


def test_what_is_missing_is_set_aside(folder: Path) -> None:
    result = seq2seq("init", "a.yaml", "--src", "en", "--tgt", "de", "--train", "../data/train.en")
    assert result.code == 0 and "a-held-out/test.{lang}: 15 pairs, set aside" in result.out
    assert seq2seq("validate", "a.yaml").out.count("15 pairs read") == 2
    lines = [set(Path(f"a-held-out/{name}.en").read_text().splitlines()) for name in ("valid", "test")]
    assert not lines[0] & lines[1] and lines[0] | lines[1] <= set(Path("../data/train.en").read_text().splitlines())
    assert "30 overlap" in seq2seq("validate", "a.yaml").out
    given = ["--valid", "../data/valid.en", "--test", "../data/test.de", "--force"]
    assert seq2seq("init", "a.yaml", "--src", "en", "--tgt", "de", "--train", "../data/train.en", *given).code == 0
    assert "held-out" not in Path("a.yaml").read_text()


def test_it_asks_at_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.StringIO("en\nde\n../data\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stdin)
    result = seq2seq("init", "a.yaml")
    assert result.code == 0 and "The source language's code" in result.err
    assert load_recipe("a.yaml").data.tgt == "de"


def test_a_data_set_of_the_hub_is_not_fetched(folder: Path) -> None:
    assert seq2seq("init", "a.yaml", "--src", "en", "--tgt", "de", "--train", "hub:no/such").code == 0
    text = Path("a.yaml").read_text()
    assert 'valid: {hub: "no/such"}' in text and "whose size was not looked at" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.txt"], ["a.txt", "ends in .yaml"]),
        (["a.yaml"], ["--src is needed"]),
        (["a.yaml", "--src", "english", "--tgt", "de"], ["--src english", "no language's code"]),
        (["a.yaml", "--src", "en", "--tgt", "de"], ["--train is needed"]),
        (["a.yaml", "--src", "en", "--tgt", "de", "--train", "none"], ["none: no such file"]),
        (["a.yaml", "--src", "en", "--tgt", "de", "--train", "../data", "--budget", "soon"], ["a.yaml", "budget"]),
        (["a.yaml", "--src", "en", "--tgt", "de", "--train", "few.{lang}"], ["100 pairs are too few"]),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, arguments: list[str], words: list[str]) -> None:
    for lang in ("en", "de"):
        Path(f"few.{lang}").write_text("a b\n" * 100)
    result = seq2seq("init", *arguments)
    assert result.code == 2 and result.err.startswith("error: ")
    assert all(word in result.err for word in words), result.err
    assert not any(name.endswith(".yaml") for name in os.listdir())
