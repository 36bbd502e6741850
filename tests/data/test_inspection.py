"""What is shown of the data, and what is warned of: only what is wrong."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from seq2seq.data import inspection
from seq2seq.data.inspection import Inspection, dropped_lines, shown
from seq2seq.data.sources import Pair, make_source
from seq2seq.recipe import AnySource
from tests.command_line import seq2seq
from tests.toy import write_toy

GOOD = [(f"a house of {word}s", f"ein Haus aus {word}en") for word in "stone brick wood glass straw paper mud".split()]


def looked(given: Iterable[Pair] | None = None, src: str = "en", tgt: str = "de", **source: Any) -> Inspection:
    config = TypeAdapter[AnySource](AnySource).validate_python(source or {"tsv": "x"})
    opened = make_source(config, "train", src, tgt, "data.train")
    result = Inspection(opened)
    assert list(result.watch(given)) == given if given is not None else all(result.watch(opened.pairs()))
    return result


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (
            [(str(i), en) for i, (en, _) in enumerate(GOOD)],
            "the sources look like ids or numbers (6); check src_column",
        ),
        ([(en, f"doc-{i:04}") for i, (en, _) in enumerate(GOOD)], "the targets look like ids or numbers (doc-0006);"),
        ([("en", de) for _, de in GOOD], "100% of the sources are the same (en); check src_column and tgt_column"),
        ([("English", "Deutsch"), *GOOD], "looks like a header (english | deutsch); set `header: true`"),
        ([("id", "en"), *GOOD], "looks like a header (id | en)"),
        ([*GOOD, *[(en, en) for en, _ in GOOD]], "source and target are equal in 50% of the pairs"),
        ([(en, 5 * de) for en, de in GOOD], "the targets are 5.9 times as long as the sources"),
        ([(5 * en, de) for en, de in GOOD], "the sources are 4.2 times as long as the targets"),
        (
            [(en, "дом") for en, _ in GOOD[:2]] + [(en, "дом из камня") for en, _ in GOOD],
            "only 0% of the letters of the",
        ),
        (4 * [(en, de * (6 if i == 3 else 1)) for i, (en, de) in enumerate(GOOD)], "in 14% of the pairs one side is"),
    ],
)
def test_what_looks_wrong_is_told(pairs: list[Pair], words: str) -> None:
    (warning,) = looked(pairs).warnings()
    assert words in warning
    assert f"warning: data.train: {warning}" in list(looked(pairs).lines())


def test_nothing_is_told_of_good_data() -> None:
    assert looked(GOOD).warnings() == looked([("12 kg", "12 kg"), *GOOD]).warnings() == looked([]).warnings() == []


def test_nothing_is_told_of_real_text(multi30k: Path) -> None:
    for lang in ("de", "fr"):
        assert looked(tgt=lang, files=f"{multi30k}/train.{{lang}}").warnings() == []
    assert looked(files=[f"{multi30k}/train.en", f"{multi30k}/train.fr"], tgt="ru").warnings() != []


@pytest.mark.parametrize("code", "ar fa zh ja th hi sw de fr fi ru tr vi he pt_BR zh-Hant ko el ka am bn".split())
def test_nothing_is_told_of_the_builtin_corpus(code: str) -> None:
    assert looked(tgt=code, builtin="cldr", pairs=300).warnings() == []
    assert looked(src=code, tgt="en", builtin="cldr", pairs=300).warnings() == []


def test_a_script_is_that_of_the_language() -> None:
    pairs = [("Привет, мир", "hello world")] * 2
    assert looked(pairs, "ru", "en").warnings() == looked(pairs, "sr", "en").warnings() == []
    assert (
        "0% of the letters of the sources are Latin, in which sr_Latn" in looked(pairs, "sr_Latn", "en").warnings()[0]
    )
    assert "are Cjk or Hangul, in which ko is written; most are Cyrillic" in looked(pairs, "ko", "en").warnings()[0]
    assert looked(pairs, "xx", "en").warnings() == []  # of a language that nobody knows


@given(st.integers(0, 100), st.integers(3, 9))
def test_the_sample_is_small_and_even(count: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inspection, "SAMPLE", size)
        looked_at = looked([(f"s{i}", f"t{i}") for i in range(count)])
    assert looked_at.pairs == count
    numbers = [int(src[1:]) for src, _ in looked_at._sample]
    assert len(numbers) < 2 * size and len({b - a for a, b in itertools.pairwise(numbers)}) <= 1
    assert len(numbers) >= min(count, size)
    assert len(looked_at.samples) == min(3, count) and (count == 0 or looked_at.samples[0] == ("s0", "t0"))


def test_a_text_is_shown_harmless_and_short() -> None:
    assert shown("a\x1b[31mb\u202e") == "a·[31mb·"
    assert shown("x" * 71) == "x" * 69 + "…" and shown("x" * 70) == "x" * 70


def test_what_filters_dropped() -> None:
    dropped = {"empty": 1, "duplicate": 0, "overlap": 0, "too_long": 3, "length_ratio": 0}
    assert list(dropped_lines("data.train", 40, dropped)) == [
        "data.train: 36 of 40 pairs kept; dropped: 1 empty, 3 too long"
    ]
    assert (
        "warning: data.train: 11% of the pairs were dropped, most as too long: raise"
        in list(dropped_lines("data.train", 35, dropped))[1]
    )
    assert list(dropped_lines("data.train", 3, dict.fromkeys(dropped, 0))) == ["data.train: 3 of 3 pairs kept"]


def test_wrong_columns_do_not_pass(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path, train=40)
    sides = [(tmp_path / f"train.{lang}").read_text(encoding="utf-8").split("\n")[:-1] for lang in ("en", "de")]
    rows = ["id\tenglish\tgerman", *(f"{i}\t{src}\t{tgt}" for i, (src, tgt) in enumerate(zip(*sides, strict=True)))]
    (tmp_path / "a.tsv").write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    table = f"data.train={{tsv: '{tmp_path}/a.tsv'}}"
    result = seq2seq("validate", str(recipe), table)
    assert result.code == 0
    for words in (
        "data.train: 41 pairs read\n    id  |  english\n    19  |  ",
        "warning: data.train: the first pair looks like a header (id | english); set `header: true` on this source",
        "warning: data.train: the sources look like ids or numbers (39); check src_column and tgt_column",
        "data.train: 41 of 41 pairs kept",
        "data.valid: 20 pairs read",
        "a valid recipe",
    ):
        assert words in result.out, result.out
    result = seq2seq("prepare", str(recipe), table)
    assert "warning: data.train: the sources look like ids" in result.err
    (entry,) = json.loads((tmp_path / "run/data/audit.json").read_text())["train"]["sources"]
    assert len(entry["warnings"]) == 2 and entry["samples"][0] == ["id", "english"]
    right = f"{table[:-1]}, header: true, src_column: english, tgt_column: german}}"
    result = seq2seq("prepare", str(recipe), right)
    assert "warning" not in result.err and "data.train: 40 of 40 pairs kept" in result.err
