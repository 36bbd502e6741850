"""Kinds of sentences and of words: which are of a kind, and what their score is."""

from __future__ import annotations

import pytest

from seq2seq.evaluation.buckets import WORDS_FOUND, Bucket, Rarity, Texts, buckets
from seq2seq.evaluation.metrics import score_group

SOURCES = ["We saw Paris and Rome in 2021 .", "It rained on 3 days .", "We met Anna in May .", "she sleeps ."]
REFERENCES = ["Wir sahen Paris und Rom 2021 .", "Es regnete an 3 Tagen .", "Wir trafen Anna im Mai .", "sie schläft ."]
GOOD, BAD = REFERENCES, ["Wir sahen Rom .", "Es regnete .", "Wir trafen Anna im Mai .", "sie ."]


def of(kind: str, **rarity: list[int] | None) -> dict[str, Bucket]:
    known = Rarity(str(rarity.pop("unit", "word")), **rarity) if rarity else None  # type: ignore[arg-type]
    found = buckets(Texts(SOURCES, REFERENCES, "en", "de", known), [GOOD, BAD])
    return {one.label: one for one in found if one.kind == kind}


def test_scores_are_bleu_of_the_sentences_that_are_so() -> None:
    found = of("numbers and names in the source")
    for label, chosen in (("a number", [0, 1]), ("a name", [0, 2]), ("neither", [3])):
        assert found[label].count == len(chosen)
        assert found[label].scores == [score_group(lines, REFERENCES, chosen, "de") for lines in (GOOD, BAD)]
    assert found["a number"].scores[0] == pytest.approx(100) and found["a number"].scores[1] < 50


def test_words_that_the_training_data_hardly_know() -> None:
    rarity = {"rarest": [0, 1200, 5, 0], "unknown": [3, 0, 0, 1]}
    counts = {label: one.count for label, one in of("count of the rarest word in the training data", **rarity).items()}
    assert counts == {"0": 2, "1–9": 1, "≥ 1,000": 1}
    lacking = of("words that the training data lack", **rarity)
    assert {label: one.count for label, one in lacking.items()} == {"none": 2, "1": 1, "2 or more": 1}
    assert lacking["1"].scores[1] == score_group(BAD, REFERENCES, [3], "de")
    assert not of("words that the training data lack", rarest=[1, 1, 1, 1], unknown=None)


def test_the_end_of_sentences_is_where_words_are_missing() -> None:
    references = ["a b c d e f g h", "i j k l", "x y"]
    found = buckets(Texts(None, references, "en", "de"), [references, ["a b c d", "i j", "x"], ["h g", "", "y"]])
    assert {one.measure for one in found} == {WORDS_FOUND} and [one.count for one in found] == [3, 3, 3, 3]
    assert [one.scores[:2] for one in found] == [[100, 100], [100, 100], [100, 0], [100, 0]]
    assert sum(one.scores[2] for one in found) == pytest.approx(100 / 3)  # in order: either h or g


def test_a_language_without_spaces_is_counted_in_characters() -> None:
    found = buckets(Texts(["一二三四五六七八"] * 2, ["一二三四五六七八", "九"], "zh", "zh"), [["一二三四五", "九"]])
    places = [one for one in found if one.measure == WORDS_FOUND]
    assert [one.scores[0] for one in places] == [100, 100, 50, 0] and [one.count for one in places] == [2, 2, 2, 2]
    assert "length of the source in characters" in {one.kind for one in found}
