"""Alignment error rates as they are worked out by hand; gold alignments that are no such thing are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq.analysis.gold import Gold, agreement, read_gold
from seq2seq.errors import UserError


def gold(sure: set[tuple[int, int]], possible: set[tuple[int, int]] | None = None) -> Gold:
    return Gold(frozenset(sure), frozenset(sure | (possible or set())))


def test_the_rate_is_that_of_och_and_ney() -> None:
    found = agreement([[(0, 0), (1, 1), (2, 2), (3, 0)]], [gold({(0, 0), (1, 2)}, {(2, 2)})])
    assert (found.precision, found.recall) == (2 / 4, 1 / 2)
    assert found.error_rate == pytest.approx(1 - (1 + 2) / (4 + 2))


def test_all_right_is_0_and_all_wrong_is_1() -> None:
    links = [{(0, 0), (1, 1)}, {(0, 1)}]
    assert agreement(links, map(gold, links)).error_rate == 0
    assert agreement([[(5, 5)], []], map(gold, links)).error_rate == 1
    possible = agreement([[(0, 0), (1, 1)]], [gold({(0, 0)}, {(1, 1)})])
    assert (possible.error_rate, possible.precision, possible.recall) == (0, 1, 1)


def test_it_is_counted_over_all_sentences_together() -> None:
    found = agreement([[(0, 0)], [(0, 0), (1, 1), (2, 2)]], [gold({(1, 1)}), gold({(0, 0), (1, 1), (2, 2)})])
    assert found.error_rate == pytest.approx(1 - 6 / 8)


def test_nothing_aligned_is_no_division_by_nothing() -> None:
    assert agreement([[]], [gold(set())]).precision == 0


def written(folder: Path, text: str) -> Path:
    (folder / "gold").write_text(text)
    return folder / "gold"


@pytest.mark.parametrize("text", ["0-1 1p0 2?2\n\n", "1-2 2p1 3?3\n\n"], ids=["from 0", "from 1"])
def test_sure_and_possible_links_are_read(tmp_path: Path, text: str) -> None:
    first, second = read_gold(written(tmp_path, text), ["a b c", "x"], ["d e f", "y"], from_one=text[0] == "1")
    assert first == gold({(0, 1)}, {(1, 0), (2, 2)}) and second == gold(set())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0-0\n", "1 lines, but 2 pairs"),
        ("0-0\n0:0\n", "gold:2: '0:0' is no link"),
        ("0-0\n3-0\n", "gold:2: 3-0 names a word that is not there: 1 source and 1 target"),
        ("0-0\n0-1\n", "--from-one"),
        ("-1-0\n\n", "is no link"),
    ],
    ids=["short", "sign", "source", "target", "negative"],
)
def test_what_is_no_alignment_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_gold(written(tmp_path, text), ["a b", "x"], ["c d", "y"])
