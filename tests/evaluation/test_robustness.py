"""The suite against translators that are perfect, or fail in one way each: that way is counted, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict

import pytest

from seq2seq.evaluation.robustness import SENTENCES, Finding, Robustness, checks, robustness

PLACES = "garden street bridge market tower river forest castle".split()
SOURCES = [f"Some people, {name}, walk through the {place}." for place in PLACES for name in ("Anna", "Ben", "Clara")]


def findings(translate: Callable[[str], str], sources: list[str] = SOURCES) -> dict[str, Finding]:
    found = robustness(lambda lines: [translate(line) for line in lines], "toy", sources, sources, "en")
    return {one.name: one for one in found.findings}


def failing(found: dict[str, Finding]) -> set[str]:
    return {name for name, one in found.items() if one.passed is not None and one.passed < one.count}


def test_one_that_copies_passes_all() -> None:
    found = findings(lambda line: line)
    assert not failing(found)
    assert {"numbers", "URLs", "e-mails", "emoji", "single words", "repeated lines", "very long lines"} == {
        name for name, one in found.items() if one.passed is not None
    }
    assert found["upper case"].consistency == found["upper case"].chrf_unchanged == 100  # chrF is blind to case there
    assert found["letters swapped"].chrf is not None and 50 < found["letters swapped"].chrf < 100
    assert found["numbers"].count == len(SOURCES) and found["numbers"].consistency is None


@pytest.mark.parametrize(
    ("translate", "expected"),
    [
        (lambda line: re.sub(r" \d+\.$", ".", line), {"numbers"}),
        (lambda line: line.replace("https://", ""), {"URLs"}),
        (lambda line: line.replace("@", " at "), {"e-mails"}),
        (lambda line: line.encode("ascii", "ignore").decode(), {"emoji"}),
        (lambda line: line if " " in line else f"{line}, {line.lower()}", {"single words"}),
        (lambda line: "" if " " not in line else line, {"single words"}),
        (lambda line: line[:200], {"very long lines"}),
        (lambda line: line if len(line) < 200 else line + " and on" * 5, {"very long lines"}),
        (lambda line: line if len(line) < 200 else line + "又是又是又是又是又是", {"very long lines"}),
    ],
    ids=["numbers", "urls", "emails", "emoji", "doubled", "nothing", "cut off", "words in circles", "signs in circles"],
)
def test_what_one_does_wrong_is_counted(translate: Callable[[str], str], expected: set[str]) -> None:
    found = findings(translate)
    assert failing(found) == expected
    (name,) = expected
    assert found[name].examples and all(translate(text) == output for text, output in found[name].examples)


def test_a_line_that_is_translated_in_several_ways_is_counted() -> None:
    times: dict[str, int] = {}

    def moody(line: str) -> str:
        times[line] = times.get(line, 0) + 1
        return line + "!" * (times[line] > 2)

    assert failing(findings(moody)) == {"repeated lines"}


def test_consistency_and_loss_are_told_apart() -> None:
    """One that cannot read capitals, and one that is bad at all: both consistent or not, better or worse unchanged."""
    blind = findings(lambda line: "nothing" if line.isupper() else line)["upper case"]
    assert blind.consistency is not None and blind.chrf_unchanged == 100 and blind.consistency < 20
    assert blind.examples[0][1] == "nothing" and blind.examples[0][0].isupper()
    bad = findings(lambda line: "nothing")["upper case"]
    assert bad.consistency == 100 and bad.chrf == bad.chrf_unchanged and not bad.examples


def test_the_suite_is_the_same_each_time_and_leaves_out_what_cannot_be_changed() -> None:
    assert [[c.text for c in one.cases] for one in checks(SOURCES)] == [
        [c.text for c in one.cases] for one in checks(SOURCES)
    ]
    chinese = {one.name for one in checks(["这是一只狗", "那是一只猫"])}
    assert not chinese & {"lower case", "upper case", "title case", "no punctuation"} and "URLs" in chinese


def test_blank_lines_are_left_out_and_many_are_too_many() -> None:
    assert not robustness(lambda lines: list(lines), "toy", ["", " "], ["a", "b"], "en").findings
    many = [f"sentence {i}" for i in range(3 * SENTENCES)]
    found = robustness(lambda lines: list(lines), "toy", many, many, "en")
    assert found.sentences == SENTENCES and found.findings[0].count == SENTENCES


def test_it_comes_back_from_json() -> None:
    found = robustness(lambda lines: [line[:9] for line in lines], "toy", SOURCES, SOURCES, "en")
    assert Robustness.from_dict(json.loads(json.dumps(asdict(found)))) == found
