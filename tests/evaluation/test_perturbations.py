"""Sentences are changed as they should be, in any language, and no further."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.evaluation import perturbations as subject
from seq2seq.evaluation.perturbations import WORD, Change

ANY = st.text(max_size=60)


def chance() -> random.Random:
    return random.Random(3)


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (subject.lowered, "A Dog", "a dog"),
        (subject.uppered, "der große Hund", "DER GROSSE HUND"),
        (subject.titled, "don't let (it) go on", "Don't Let (it) Go On"),
        (subject.unpunctuated, "Well, it's 3.5 well-known dogs (or so)!", "Well it's 3.5 well-known dogs or so"),
        (subject.unpunctuated, "这是一只狗。", "这是一只狗"),
        (subject.lowered, "这是一只狗。", "这是一只狗。"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_change_is_this(change: Change, before: str, after: str) -> None:
    assert change(before, chance()) == after


@given(ANY)
def test_typing_errors_stay_within_words(text: str) -> None:
    swapped, lacking = subject.swapped(text, chance()), subject.lacking(text, chance())
    long = [word for word in WORD.findall(text) if len(word) >= subject.SHORTEST]
    wrong = max(1, round(subject.TYPOS * len(long))) if long else 0
    assert sorted(swapped) == sorted(text) and len(lacking) == len(text) - wrong
    for one, other in zip(WORD.findall(text), WORD.findall(swapped), strict=True):
        assert (one[0], one[-1]) == (other[0], other[-1])
        assert one == other or len(one) >= subject.SHORTEST
    for one, other in zip(WORD.findall(text), WORD.findall(lacking), strict=True):
        assert (one[0], one[-1]) == (other[0], other[-1])


@given(ANY)
def test_a_thing_stands_once_and_the_sentence_goes_on(text: str) -> None:
    changed = subject.with_thing(text, "x1y2z3")
    assert changed.count("x1y2z3") == 1 + text.count("x1y2z3")
    assert "".join(changed.replace("x1y2z3", "", 1).split()) == "".join(text.split()) or "x1y2z3" in text


def test_a_thing_stands_before_the_final_punctuation() -> None:
    assert subject.with_thing("Look there!", "😀") == "Look there 😀!"
    assert subject.with_thing("", "7") == "7"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("57,779.50", "57.779,50", True),
        ("5000 and 7", "7 5,000", True),
        ("6/5/99", "99. 6. 5.", True),
        ("٣٤", "34", True),
        ("05", "5", True),
        ("12", "1 2", False),
        ("3.5", "35", False),
        ("1 1", "1", False),
    ],
)
def test_numbers_are_the_same_however_they_are_written(one: str, other: str, same: bool) -> None:
    assert (subject.runs_of_digits(one) == subject.runs_of_digits(other)) is same


def test_a_sentence_with_a_number_keeps_it_and_others_get_one() -> None:
    assert subject.numbered("5 dogs", chance()) == "5 dogs"
    assert len(subject.runs_of_digits(subject.numbered("dogs.", chance()))) == 1
