"""Filters: what each drops, in which order, and that nothing else is lost."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data import cleaning
from seq2seq.data.cleaning import Cleaner, Duplicates, Overlap, drop_by_length
from seq2seq.recipe import FilterConfig

TEXT = st.sampled_from(["", " ", "a", " a", "a ", "b", "c", "d\u2028e", "f\r"])
PAIRS = st.lists(st.tuples(st.integers(0, 1), TEXT, TEXT, st.sampled_from(["", "0-0", "0-1 1-0"])), max_size=30)
Rows = list[tuple[int, str, str, str]]
EVALUATION = [("a", "x"), ("y", "b"), ("", "")]


def slow(config: FilterConfig, pairs: Rows) -> tuple[Rows, dict[str, list[int]]]:
    """The filters, told plainly."""
    kept, seen = [], set()
    dropped = {name: [0, 0] for name in ("empty", "duplicate", "overlap")}
    for number, src, tgt, alignment in pairs:
        pair = src.strip(), tgt.strip()
        if not all(pair):
            dropped["empty"][number] += 1
        elif config.deduplicate and pair in seen:
            dropped["duplicate"][number] += 1
        elif config.drop_test_overlap and (pair[0] in ("a", "y") or pair[1] in ("x", "b")):
            dropped["overlap"][number] += 1
        else:
            kept.append((number, src, tgt, alignment))
        seen.add(pair)
    return kept, dropped


@given(pairs=PAIRS, deduplicate=st.booleans(), overlap=st.booleans(), chunk=st.sampled_from([1, 3, 1000]))
def test_cleaner_is_the_plain_filters(
    tmp_path_factory: pytest.TempPathFactory,
    pairs: Rows,
    deduplicate: bool,
    overlap: bool,
    chunk: int,
) -> None:
    config = FilterConfig(deduplicate=deduplicate, drop_test_overlap=overlap)
    with (
        pytest.MonkeyPatch.context() as patch,
        Cleaner(config, tmp_path_factory.mktemp("x"), 2, EVALUATION) as cleaner,
    ):
        patch.setattr(cleaning, "CHUNK", chunk)
        for pair in pairs:
            cleaner.add(*pair)
        left = cleaner.finish()
        expected, dropped = slow(config, pairs)
        assert list(cleaner) == expected == list(cleaner)
        assert list(cleaner.texts(1)) == [tgt for _, _, tgt, _ in expected]
    assert left == len(expected)
    for source, samples in enumerate(cleaner.samples):
        of_source = [[src, tgt] for number, src, tgt, _ in pairs if number == source]
        assert {name: len(found) for name, found in samples.items()} == {
            name: min(3, counts[source]) for name, counts in dropped.items() if counts[source]
        }
        assert all(pair in of_source for found in samples.values() for pair in found)
    assert {name: cleaner.dropped[name].tolist() for name in dropped} == dropped
    assert cleaner.read.tolist() == [sum(row[0] == i for row in pairs) for i in (0, 1)]


def test_a_text_as_long_as_a_book_is_dropped(tmp_path: Path) -> None:
    with Cleaner(FilterConfig(max_length=None), tmp_path, 1, []) as cleaner:
        for pair in [("a", "x" * 10_001), ("y" * 10_001, "b"), ("c" * 10_000, "d")]:
            cleaner.add(0, *pair)
        assert cleaner.finish() == 1 and cleaner.dropped["too_long"].tolist() == [2]


def test_duplicates_among_many(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).integers(0, 3000, 5000).tolist()
    duplicates = Duplicates(tmp_path)
    for number in numbers:
        duplicates.add(f"s{number}", f"t{number % 7}")
    _, first = np.unique(numbers, return_index=True)
    assert np.flatnonzero(~duplicates.find()).tolist() == sorted(first.tolist())


def test_sides_are_not_run_together(tmp_path: Path) -> None:
    duplicates = Duplicates(tmp_path)
    for pair in [("a b", "c"), ("a", "b c"), ("c", "a b"), ("a b", " c ")]:
        duplicates.add(*pair)
    assert duplicates.find().tolist() == [False, False, False, True]


def test_overlap_counts_a_sets_sentences() -> None:
    overlap = Overlap([("a", "x"), ("b", "y"), ("c", ""), ("d", "z")])
    added = [overlap.add(*pair) for pair in [("a ", "x"), ("b", "x"), ("q", "y"), ("", ""), ("A", "X"), ("x", "a")]]
    assert added == [True, True, True, False, False, False]
    assert overlap.count([("a", "x"), ("b", " y"), ("c", ""), ("d", "z")]) == {"sources": 2, "targets": 2, "pairs": 1}
    assert overlap.count([]) == {"sources": 0, "targets": 0, "pairs": 0}


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300))))
def test_lengths(pairs: list[tuple[int, int]]) -> None:
    src, tgt = np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64)
    too_long, uneven = drop_by_length(FilterConfig(max_length=100, max_length_ratio=2.0), src, tgt)
    assert too_long.tolist() == [max(pair) > 100 for pair in pairs]
    assert uneven.tolist() == [max(p) <= 100 and max(p) > 2 * max(1, min(p)) for p in pairs]
    assert not any(
        side.any() for side in drop_by_length(FilterConfig(max_length=None, max_length_ratio=None), src, tgt)
    )
