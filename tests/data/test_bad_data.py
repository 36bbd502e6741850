"""Every mistake in the data ends with exit code 2 and one message that says where, what, and the fix."""

import gzip
import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from seq2seq.recipe.sources import TsvSourceConfig
from tests.command_line import refused, seq2seq


def data_error(recipe: Path, tmp_path: Path, train: str, *words: str) -> None:
    """`prepare` with this as training data is refused."""
    refused_prepare(recipe, tmp_path, f"data.train={train}", *words)


def refused_prepare(recipe: Path, tmp_path: Path, setting: str, *words: str) -> None:
    """`prepare` with this setting is refused, and leaves no half-made data."""
    run = tmp_path / "run"
    result = seq2seq("prepare", str(recipe), setting, f"output_dir={run}")
    assert result.code == 2 and "Traceback" not in result.err, result
    message = result.err[result.err.index("error: ") :]
    for word in words:
        assert word in message, message
    assert not (run / "data").exists()


def test_bad_text_files(recipe: Path, tmp_path: Path) -> None:
    def write(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    good = write("good.de", b"eins\nzwei\n")
    data_error(
        recipe, tmp_path, f"{{files: '{recipe.parent}/trian.{{lang}}'}}", "data.train: ", "trian.en", "did you mean"
    )
    data_error(recipe, tmp_path, f"{{files: ['{tmp_path}', '{good}']}}", "data.train: ", "folder")
    data_error(recipe, tmp_path, f"{{files: ['{tmp_path}/no/such.en', '{good}']}}", "such.en", "no such file")
    longer = write("longer.en", b"one\ntwo\nthree\n")
    data_error(recipe, tmp_path, f"{{files: ['{longer}', '{good}']}}", "longer.en has 3 lines", "good.de has 2 lines")
    empty = write("empty.en", b"")
    data_error(recipe, tmp_path, f"{{files: ['{empty}', '{empty}']}}", "empty.en", "no sentence pairs")
    broken = write("broken.en", b"one\n\xff\xfe\n")
    data_error(recipe, tmp_path, f"{{files: ['{broken}', '{good}']}}", "broken.en:2", "not UTF-8")
    cut = write("cut.en.gz", gzip.compress(b"one\ntwo\n" * 999)[:-20])
    data_error(recipe, tmp_path, f"{{files: ['{cut}', '{good}']}}", "cut.en.gz")
    given = f"data.train={{files: ['{longer}', '{good}']}}"
    refused(seq2seq("validate", str(recipe), given), "data.train: ", "longer.en has 3 lines", "good.de has 2 lines")
    blank = write("blank.en", b"\n \n")
    data_error(recipe, tmp_path, f"{{files: ['{blank}', '{good}']}}", "data.train", "2 empty", "data.filter")
    refused_prepare(
        recipe, tmp_path, f"data.valid={{files: ['{empty}', '{empty}']}}", "data.valid", "no sentence pairs"
    )


@pytest.mark.parametrize("setting", ["data.train", "data.valid", "data.test.toy"])
def test_data_without_an_end(recipe: Path, tmp_path: Path, setting: str) -> None:
    """Pipes, devices, endless lines, bombs: each is told of, by every command; and texts over 10,000 characters."""
    good = tmp_path / "good.de"
    good.write_text("eins\nzwei\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "line").write_bytes(b"one\n" + b"x" * 1_000_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"word of a bomb " * 6 + b"\n" + bytes(32 << 20)))
    for name, words in (
        (str(tmp_path / "pipe"), "pipe: a pipe, which cannot be read twice; write it to a file"),
        ("/dev/zero", "/dev/zero: a device, which"),
        (str(tmp_path / "line"), "line:2: this line has more than 100,000 bytes"),
        (str(tmp_path / "bomb.gz"), "bomb.gz:2: this line has more than"),
        (str(tmp_path), "a folder; name a file in it"),
    ):
        given = f"{setting}={{files: ['{name}', '{good}']}}"
        refused(seq2seq("validate", str(recipe), given), setting, words)
        refused_prepare(recipe, tmp_path, given, setting, words)
    (tmp_path / "line").write_bytes(b"one\n" + b"x" * 10_001 + b"\n")
    result = seq2seq("validate", str(recipe), f"{setting}={{files: ['{tmp_path / 'line'}', '{good}']}}")
    if setting == "data.train":
        assert result.code == 0 and "data.train: 1 of 2 pairs kept; dropped: 1 too long" in result.out
    else:
        refused(result, f"{setting}: pair 2: a text of 10,001 characters; 10,000 are the most; split it")


@pytest.mark.parametrize("bad", ["\0", "\ud800"])
def test_characters_that_no_path_holds(recipe: Path, bad: str) -> None:
    for given in (f"data.train={{tsv: 'a{bad}b'}}", f'data.train={{tsv: "a{ascii(bad)[1:-1]}b"}}'):
        result = seq2seq("validate", str(recipe), given)
        assert result.code == 2 and "Traceback" not in result.err, result
    with pytest.raises(ValidationError, match=r"which no path can; remove it|string_unicode"):
        TsvSourceConfig(tsv=f"a{bad}b")


def test_bad_alignments(recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.align"
    files = f"{{files: '{recipe.parent}/train.{{lang}}', alignments: '{path}'}}"

    def refused_with(*words: str) -> None:
        settings = [f"data.train={files}", "training.guided_alignment=0.1", f"output_dir={tmp_path}/run"]
        result = seq2seq("prepare", str(recipe), *settings)
        assert result.code == 2 and "Traceback" not in result.err, result
        for word in ("error: data.train", *words):
            assert word in result.err, result.err

    refused_with("bad.align", "no such file")
    good = (recipe.parent / "train.align").read_text().splitlines()
    for lines, words in (
        (good[:-2], "bad.align has 48 lines, and the text 50"),
        ([*good, ""], "bad.align has 51 lines, and the text 50"),
        ([good[0], "0-0 1:1", *good[2:]], "bad.align:2: '1:1' is no link of two words"),
        ([good[0], "7-0", *good[2:]], "bad.align:2: 7-0 names source word 7"),
    ):
        path.write_text("".join(line + "\n" for line in lines))
        refused_with(words)


def test_bad_tables(recipe: Path, tmp_path: Path) -> None:
    def write(name: str, content: str) -> Path:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    data_error(
        recipe, tmp_path, f"{{tsv: '{write('a.tsv', 'one' + chr(9) + 'eins' + chr(10) + 'two' + chr(10))}'}}", "a.tsv:2"
    )
    first = json.dumps({"en": "one", "de": "eins"}) + "\n"
    data_error(recipe, tmp_path, f"{{jsonl: '{write('a.jsonl', first + '{broken')}'}}", "a.jsonl:2")
    data_error(
        recipe, tmp_path, f"{{jsonl: '{write('b.jsonl', json.dumps({'en': 'one'}))}'}}", "b.jsonl:1", "no field de"
    )
    data_error(
        recipe, tmp_path, f"{{jsonl: '{write('c.jsonl', json.dumps({'en': 'one', 'de': 1}))}'}}", "c.jsonl:1", "de"
    )
    data_error(recipe, tmp_path, f"{{jsonl: '{write('d.jsonl', '[]')}'}}", "d.jsonl:1")


def test_languages_that_the_builtin_corpus_does_not_know(recipe: Path, tmp_path: Path) -> None:
    run = f"output_dir={tmp_path}/run"
    result = seq2seq("prepare", str(recipe), "data.src=xq", "data.valid={builtin: cldr}", run)
    assert result.code == 2 and "xq" in result.err and "Traceback" not in result.err
    refused(
        seq2seq("validate", str(recipe), "data.src=xq", "data.valid={builtin: cldr}", "data.train={builtin: cldr}"),
        "xq",
    )


def test_a_hub_data_set_that_cannot_be_loaded(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data_error(recipe, tmp_path, "{hub: nobody/no-such-data-set}", "data.train: ", "nobody/no-such-data-set")
