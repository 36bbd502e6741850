"""Lines with phrases of their own: how they are written, and that translations hold them."""

import json
import re
from pathlib import Path

import pytest

import seq2seq as s2s
from seq2seq.decoding.inputs import parsed
from seq2seq.errors import UserError
from tests.command_line import Result, refused, seq2seq

STORED = str(Path(__file__).parents[1] / "stored_models" / "format-2-byte-fallback")


def run(folder: Path, text: str, *options: str) -> Result:
    (folder / "in").write_text(text, encoding="utf-8")
    done = seq2seq("translate", STORED, "--input", f"{folder}/in", "--output", f"{folder}/out", "--force", *options)
    out = (folder / "out").read_text(encoding="utf-8") if done.code == 0 else ""
    return Result(done.code, out, done.err)


def test_the_three_forms() -> None:
    chunks = [["one two\tacht neun\tzwei\t", ""], ["three"]]
    assert list(parsed(iter(chunks), "text")) == [(chunks[0], [[], []]), (["three"], [[]])]
    assert list(parsed(iter(chunks), "tsv")) == [(["one two", ""], [["acht neun", "zwei"], []]), (["three"], [[]])]
    records = ['{"source": "one", "require": ["zwei"], "other": 1}', '{"source": "two"}', " "]
    assert list(parsed(iter([records]), "jsonl")) == [(["one", "two", " "], [["zwei"], [], []])]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("[" * 9999, "no JSON"),
        ("[]", 'no text under "source"'),
        ('{"source": 1}', 'no text under "source"'),
        ('{"source": "a", "require": "b"}', "no list of texts"),
        ('{"source": "a", "require": [1]}', "no list of texts"),
    ],
)
def test_what_is_no_line_is_named_by_its_number(line: str, said: str) -> None:
    with pytest.raises(UserError, match=f"line 3: .*{re.escape(said)}.*write"):
        list(parsed(iter([['{"source": "a"}', ""], [line]]), "jsonl"))


def test_phrases_of_each_line_and_of_all(tmp_path: Path) -> None:
    text = "one two three\tacht neun\nfour five\n\nsix\tnull\tzwei\n"
    done = run(tmp_path, text, "--input-format", "tsv", "decoding.require=[vier]", "--beam-size", "8")
    lines = done.out.split("\n")
    assert done.code == 0 and done.err == "" and len(lines) == 5 and lines[2] == ""
    for line, phrases in zip((lines[0], lines[1], lines[3]), (["acht neun"], [], ["null", "zwei"]), strict=True):
        for phrase in [*phrases, "vier"]:
            assert f" {phrase} " in f" {line} "
    records = '{"source": "one two", "require": ["null acht"]}\n{"source": "one two"}\n'
    options = "--input-format", "jsonl", "--format", "jsonl", "--n-best", "5", "--beam-size", "5"
    first, second = (json.loads(line) for line in run(tmp_path, records, *options).out.splitlines())
    assert all("null acht" in one["text"] for one in first["n_best"]) and first["missing"] == []
    plain = json.loads(run(tmp_path, "one two\n", *options[2:]).out)
    texts = [[one["text"] for one in record["n_best"]] for record in (second, plain)]
    assert texts[0] == texts[1]  # what stands beside a sentence changes nothing


def test_what_cannot_be_held_is_said_once_and_translated_all_the_same(tmp_path: Path) -> None:
    phrase = " ".join(["neun"] * 40)
    done = run(tmp_path, f"one two\t{phrase}\tzwei\nsix\n", "--input-format", "tsv")
    assert done.code == 0 and all(done.out.splitlines())
    assert done.err.count("\n") == 1 and phrase in done.err and "raise decoding.max_length" in done.err
    raised = run(tmp_path, f"one two\t{phrase}\n", "--input-format", "tsv", "decoding.max_length.offset=200")
    assert phrase in raised.out and raised.err == ""


def test_a_long_line_holds_them_once(tmp_path: Path) -> None:
    done = run(
        tmp_path, "one two. Three four five. Six.\tneun null\n", "--input-format", "tsv", "decoding.split=always"
    )
    assert done.out.count("neun null") == 1


def test_in_python() -> None:
    translator = s2s.Translator.load(STORED, device="cpu")
    assert "neun acht" in translator.translate("one two", phrases=["neun acht"]).text
    assert "neun acht" in translator.translate("one two", require=["neun acht"]).text
    found = translator.translate(["one two", "six"], phrases=[["null neun"], []])
    assert "null neun" in found[0].text and found[1].text == translator.translate("six").text
    for phrases in ([["a"]], ["a", "b"], [[1], []]):
        with pytest.raises(UserError, match="phrases"):
            translator.translate(["one two", "six"], phrases=phrases)  # type: ignore[arg-type]


def test_what_has_no_effect_is_refused(tmp_path: Path) -> None:
    refused(run(tmp_path, "a\n", "--input-format", "xls"), "--input-format xls", "text, tsv, jsonl, txt")
    drawn = "--beam-size", "1", "decoding.sampling={}"
    refused(run(tmp_path, "a\n", *drawn, "decoding.require=[a]"), "decoding.require", "has no effect with sampling")
    refused(run(tmp_path, "a\tb\n", *drawn, "--input-format", "tsv"), "no effect with decoding.sampling")
    refused(run(tmp_path, "a\n", "decoding.require=[' ']"), "require.0", "is blank")
    recipe = tmp_path / "x.yaml"
    recipe.write_text("name: x\n")
    refused(seq2seq("translate", str(recipe), "--input-format", "tsv"), "--input-format has no effect on a recipe")
