"""Words that translations use too rarely, or too often."""

from __future__ import annotations

from seq2seq.evaluation.word_use import WordUse, rare_and_frequent, signs_in_words

REFERENCES = ["Ein Mann, ein Hund.", "Ein Mann schläft.", "Der Ball-Junge läuft!"]
HYPOTHESES = ["Ein Hund Hund.", "Ein Hund schläft.", "Der Ball-Junge läuft"]


def test_words_are_counted_without_their_punctuation() -> None:
    rare, frequent = rare_and_frequent(HYPOTHESES, REFERENCES, "de")
    assert rare == [WordUse("Mann", 0, 2), WordUse("ein", 0, 1)] and frequent == [WordUse("Hund", 3, 1)]
    assert rare_and_frequent(["一二三"], ["一三三。"], "zh")[0] == [WordUse("三", 1, 2)]
    assert rare_and_frequent(REFERENCES, REFERENCES, "de") == ([], [])


def test_the_greatest_difference_comes_first() -> None:
    lines = [f"w{i} " * (i + 1) for i in range(20)]
    rare, _ = rare_and_frequent([""] * 20, lines, "de")
    assert [one.word for one in rare] == [f"w{i}" for i in range(19, 11, -1)] and rare[0].references == 20


def test_signs_are_told() -> None:
    told = signs_in_words(["a", "b"], ["x x x", "b"], ["xxxx", "yyyy"])
    assert "Length: 75 % of the references' characters" in told and "50.0 % are their source" in told
    assert "50.0 % of the translations say a phrase three times in a row" in told and "100 % of the number" in told
