"""The built-in corpus: determinism, disjoint splits, clean text, all kinds of phrases, errors."""

import os
import re
import subprocess
import sys
import tracemalloc
import unicodedata
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from babel.localedata import locale_identifiers
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.builtin import SPLITS, phrases
from seq2seq.errors import UserError
from tests.command_line import seq2seq

LANGUAGES = [
    "ar",
    "fa",
    "zh",
    "ja",
    "th",
    "hi",
    "sw",
    "de",
    "fr",
    "fi",
    "ru",
    "tr",
    "vi",
    "he",
    "pt_BR",
    "zh-Hant",
]
CODES = sorted(code for code in locale_identifiers() if "_" not in code and code != "en")
PROGRAM = """
from seq2seq.data.builtin import phrases
for split in ("train", "valid"):
    for pair in phrases("en", "ko", split, 150, seed=7):
        print(ascii(pair))
"""


def test_same_pairs_whatever_the_process_hash_seed_time_zone_and_locale() -> None:
    def output(hash_seed: str, zone: str, lang: str) -> str:
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": lang, "LANG": lang}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    first = output("1", "Asia/Seoul", "C")
    assert first.count("\n") == 300
    assert first == output("2", "America/New_York", "de_DE.UTF-8")


def test_a_shorter_corpus_is_the_beginning_of_a_longer_one_and_seeds_differ() -> None:
    long = list(phrases("en", "ko", "train", 300, seed=3))
    assert list(phrases("en", "ko", "train", 100, seed=3)) == long[:100]
    assert list(phrases("en", "ko", "train", 300, seed=4)) != long
    assert list(phrases("en", "ko", "train", 0)) == []


@pytest.mark.parametrize(("src", "tgt"), [("en", "ko"), ("en", "de"), ("fi", "ar"), ("zh", "ja")])
def test_splits_are_disjoint_on_each_side_across_seeds(src: str, tgt: str) -> None:
    counts = {"train": 1200, "valid": 50, "test": 50}
    for side in (0, 1):
        texts = [
            {pair[side].casefold() for seed in (1, 2) for pair in phrases(src, tgt, split, count, seed)}
            for split, count in counts.items()
        ]
        assert sum(map(len, texts)) == len(set.union(*texts))


@settings(max_examples=25)
@given(st.sampled_from(CODES), st.booleans(), st.integers(0, 2**40))
def test_any_language_gives_clean_text(code: str, reverse: bool, seed: int) -> None:
    src, tgt = (code, "en") if reverse else ("en", code)
    check_clean(list(phrases(src, tgt, "train", 20, seed)), 20)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_enough_to_say(code: str) -> None:
    pairs = list(phrases("en", code, "train", 400))
    check_clean(pairs, 400)
    assert len(set(pairs)) > 380
    assert len(dict(pairs)) == len(set(pairs))  # a source has one translation


def check_clean(pairs: list[tuple[str, str]], count: int) -> None:
    assert len(pairs) == count
    for text in (text for pair in pairs for text in pair):
        assert text and text == " ".join(text.split()) == unicodedata.normalize("NFC", text)
        assert not re.search("[\u00a0\u202f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]", text)
        assert len(text) < 200
    assert all(source != target for source, target in pairs)


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_kind_of_phrase(split: str) -> None:
    kinds = {
        "full date": r"^\w+day, \w+ \d+, \d{4}$",
        "long date": r"^\w{5,} \d+, \d{4}$",
        "medium date": r"^\w{3} \d+, \d{4}$",
        "short date": r"^\d+/\d+/\d\d$",
        "date with time": r"\d{4}, \d+:\d\d(:\d\d)? [AP]M$",
        "period": r"^\w{3} \d+ – (\w{3} )?\d+, \d{4}$",
        "relative time": r"^(in \d+ \w+|\d+ \w+ ago), \d+:\d\d",
        "amount": r"^\D{1,4}[\d,.]+$",
        "named amount": r"^[\d,.]+ \w+ (dollars|pounds|pesos|korunas)$",
        "measure": r"^[\d,.]+ (kilo|milli|centi)?(meter|gram|watt)s?$",
        "list of amounts": r"\d, .*\d.*(and|or) .*\d",
        "list of names": r"^[^\d,]+, [^\d,]+,( [^\d,]+,)? (and|or) [^\d,]+$",
    }
    sources = [source for source, _ in phrases("en", "ko", split, 3000 if split == "train" else 300)]
    found = Counter(kind for kind, pattern in kinds.items() for source in sources if re.search(pattern, source))
    assert set(found) == set(kinds)


def test_known_translations() -> None:
    weekdays = {"Sunday": "일요일", "Monday": "월요일", "Tuesday": "화요일", "Wednesday": "수요일"}
    found = Counter[str]()
    for source, target in phrases("en", "ko", "train", 4000):
        if match := re.fullmatch(r"(\w+day), \w+ (\d+), (\d{4})", source):
            weekday, day, year = match.groups()
            assert re.fullmatch(rf"{year}년 \d+월 {day}일 {weekdays.get(weekday, r'.요일')}", target)
            found["date"] += 1
        if match := re.fullmatch(r"([\d.,]+) kilometers?", source):
            assert target == f"{match[1]}킬로미터"
            found["measure"] += 1
    assert len(found) == 2


def test_the_target_shows_no_weekday_that_the_source_hides() -> None:
    dates = [target for _, target in phrases("vo", "en", "train", 1000) if re.search(r"\d{4}$", target)]
    assert len(dates) > 50  # Volapük's full date has no weekday
    assert not any(re.match(r"\w+day,", target) for target in dates)


def test_it_streams_in_constant_memory() -> None:
    endless = phrases("en", "ko", "train", 10**9)
    next(endless)
    sum(1 for _ in islice(endless, 2000))
    tracemalloc.start()
    sum(1 for _ in islice(endless, 2000))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 100_000


@pytest.mark.parametrize(
    ("src", "tgt", "split", "message"),
    [
        ("en", "kr", "train", "unknown language 'kr': did you mean ko?"),
        ("english", "ko", "train", "unknown language 'english': did you mean en "),
        ("en", "koo", "train", "did you mean ko "),
        ("en", "", "train", "use a CLDR code such as"),
        ("../etc", "ko", "train", "unknown language"),
        ("en", "ko", "dev", "unknown split 'dev': use one of train, valid, test"),
        ("en", "en", "train", "same language"),
        ("en", "en-GB", "train", "same language"),
        ("zh", "zh_Hans_CN", "train", "same language"),
    ],
)
def test_errors_come_at_the_call_and_name_the_fix(src: str, tgt: str, split: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        phrases(src, tgt, split, 1)


def test_two_scripts_of_one_language_are_a_pair() -> None:
    assert len(list(phrases("zh_Hans", "zh_Hant", "train", 20))) == 20


def test_the_seed_of_a_recipe_changes_the_training_alone(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: x\ndata: {src: en, tgt: ko, train: {builtin: cldr, pairs: 300}, valid: {builtin: cldr, pairs: 9}, "
        "test: {cldr: {builtin: cldr, pairs: 9}}}\ntokenizer: {vocab_size: 600}\n"
    )

    def prepared(*settings: str) -> dict[str, bytes]:
        folder = tmp_path / "-".join(("run", *settings))
        result = seq2seq("prepare", str(recipe), f"output_dir={folder}", *settings)
        assert result.code == 0, result
        names = ("train.arrow", "valid.arrow", "test-cldr.arrow", "tokenizer.json")
        return {name: (folder / "data" / name).read_bytes() for name in names}

    first, second, others = prepared("seed=1"), prepared("seed=2"), prepared("data.test.cldr.seed=2")
    assert first == second
    assert first["test-cldr.arrow"] != others["test-cldr.arrow"] and first["valid.arrow"] == others["valid.arrow"]
    plan = seq2seq("plan", str(recipe), f"output_dir={tmp_path / 'run-seed=1'}", "seed=2").out.splitlines()
    assert plan[0].split() == ["prepare", "up", "to", "date"]
