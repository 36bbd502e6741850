"""Glossaries: which phrases are found in a line, that translations hold them, and what is wrong with a file."""

import json
import random
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seq2seq as s2s
from seq2seq.decoding.glossary import Terms, pairs
from seq2seq.errors import UserError
from tests.command_line import refused, seq2seq
from tests.decoding.test_inputs import STORED, run
from tests.toy import write_toy

GLOSSARY = {"dog": "Hund", "dog house": "Hütte", "US": "USA", "mr.": "Herr", "New York": "Neu-York", "c": "C"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A dog.", ["Hund"]),
        ("DOG, dogs, dog", ["Hund"]),
        ("the dog  house and the dog", ["Hütte", "Hund"]),
        ("between us, US", ["USA"]),
        ("Mr. X", ["Herr"]),
        ("Mr X in new york", []),
        ("New\tYork!", ["Neu-York"]),
        ("abc d_c", []),
        ("", []),
    ],
)
def test_what_is_found(line: str, expected: list[str]) -> None:
    assert Terms(GLOSSARY, spaced=True).required(line) == expected


def test_languages_without_spaces() -> None:
    terms = Terms({"东京": "Tokyo", "东京塔": "Tokyo Tower", "AI": "KI"}, spaced=False)
    assert terms.required("我在东京塔。") == ["Tokyo Tower"]
    assert terms.required("我在东京用AI") == ["Tokyo", "KI"] and terms.required("PAID") == []


@given(st.lists(st.sampled_from("a b c d".split()), max_size=12), st.integers(0, 99))
def test_the_longest_from_the_left_against_a_regular_expression(words: list[str], seed: int) -> None:
    rng = random.Random(seed)
    sources = {" ".join(rng.choices("abc", k=rng.randint(1, 3))) for _ in range(5)}
    longest = sorted(sources, key=len, reverse=True)
    expected = re.findall("|".join(rf"\b{re.escape(one)}\b" for one in longest), " ".join(words))
    found = Terms({one: one.upper() for one in sources}, spaced=True).required(" ".join(words))
    assert found == [one.upper() for one in dict.fromkeys(expected)]


def test_translations_hold_the_targets(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("one\tacht neun\n\ntwo three\tnull\n", encoding="utf-8")
    text = "One two\ntwo three\nfour\n\none five\tvier\n"
    done = run(tmp_path, text, "--glossary", f"{tmp_path}/terms.tsv", "--beam-size", "8", "--input-format", "tsv")
    lines = done.out.split("\n")
    assert done.code == 0 and done.err == ""
    assert "acht neun" in lines[0] and "null" in lines[1].split() and lines[3] == ""
    assert "acht neun" in lines[4] and "vier" in lines[4].split()
    assert lines[2] == run(tmp_path, "four\n", "--beam-size", "8").out.strip()
    translator = s2s.Translator.load(STORED, device="cpu")
    for glossary in ({"one": "acht neun"}, str(tmp_path / "terms.tsv")):
        assert "acht neun" in translator.translate("one", glossary=glossary).text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\tb\nc\n", ":2: 1 column; write a source phrase, a tab, and its target phrase"),
        (b"a\tb\tc\n", ":1: 3 columns; write"),
        (b"a\t \n", ":1: a phrase is missing; write"),
        (b"a\tb\na\tc\n", ":2: 'a' has the target 'b' already; keep one"),
        (b"\xff\tb\n", ":1: not UTF-8"),
        (b"a\t" + b"b" * 2000, ":1: a phrase of more than 1,000 characters"),
        (b"".join(b"%d\tb\n" % i for i in range(10_001)), ":10001: more than 10,000 pairs"),
        (None, ": no such file"),
    ],
    ids=range(8),
)
def test_a_bad_file_is_told_with_place_and_fix(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "terms.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as error:
        pairs(str(path))
    assert f"decoding.glossary: {path}{said}" in str(error.value)
    refused(run(tmp_path, "a\n", "--glossary", str(path)), f"{path}{said}")


def test_the_model_of_a_run_carries_its_glossary(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path, train=60)
    (tmp_path / "terms.tsv").write_text("one\tneun neun\n")
    settings = "decoding.glossary=terms.tsv", "training.max_epochs=1", "--device", "cpu"
    assert seq2seq("translate", str(recipe), *settings).code == 0
    planned = seq2seq("plan", str(recipe), *settings[:2]).out
    (tmp_path / "terms.tsv").write_text("one\tacht acht\n")
    assert seq2seq("plan", str(recipe), *settings[:2]).out != planned  # its contents count
    (tmp_path / "terms.tsv").unlink()
    moved = shutil.move(tmp_path / "run" / "model", tmp_path / "moved")
    assert json.loads((tmp_path / "moved" / "config.json").read_text())["decoding"]["glossary"] == {"one": "neun neun"}
    assert "neun neun" in s2s.Translator.load(moved, device="cpu").translate("one two three").text
    assert seq2seq("plan", str(recipe), *settings[:2]).code == 2
