"""Which lines of many requests are translated together, and in what order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from seq2seq.decoding.translation import Candidate, Translation
from seq2seq.serving.batching import BATCHES, Batcher, Way


class Slow:
    """A pair that writes lines in capitals, not before it may."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Event()

    def lengths(self, lines: Sequence[str]) -> list[int]:
        return [len(line.split()) for line in lines]

    def translate(self, lines: Sequence[str], n_best: int, align: bool) -> list[Translation]:
        self.go.wait(10)
        self.batches.append(list(lines))
        if "bad" in lines:
            raise ValueError("bad")
        return [Translation(line, [Candidate(line.upper(), 0.0, 0.0)]) for line in lines]


async def together(requests: list[list[str]], batch_size: int) -> tuple[list[list[str]], list[Any]]:
    """The batches, and what each request was answered; the first request is in work when the others come."""
    pair: Any = Slow()
    batcher = Batcher(batch_size, 1000, lambda *args: None)
    working = asyncio.create_task(batcher.work())
    first = asyncio.create_task(batcher.translate(requests[0], Way(pair)))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(batcher.translate(lines, Way(pair))) for lines in requests[1:]]
    await asyncio.sleep(0)
    pair.go.set()
    found = await asyncio.gather(first, *others, return_exceptions=True)
    working.cancel()
    await asyncio.wait([working])
    assert batcher.lines == 0
    return pair.batches, [one if isinstance(one, Exception) else [each.text for each in one] for one in found]


def test_those_that_are_about_as_long_share_a_batch() -> None:
    lines = ["a a a a a a", "b", "c c c c c", "d d"]
    batches, found = asyncio.run(together([["first"], *([line] for line in lines)], 2))
    assert batches == [["first"], ["b", "d d"], ["c c c c c", "a a a a a a"]]
    assert found == [["FIRST"], *([line.upper()] for line in lines)]


def test_a_long_text_holds_no_short_one_up() -> None:
    """The n-th line of a request comes with the n-th of others."""
    long = [f"x{i} x" for i in range(40)]
    batches, found = asyncio.run(together([["first"], long, ["y"]], 4))
    assert "y" in [line for batch in batches[1 : 1 + BATCHES] for line in batch]
    assert found[1:] == [[line.upper() for line in long], ["Y"]] and max(map(len, batches)) == 4


@pytest.mark.parametrize("batch_size", [1, 4])
def test_what_cannot_be_translated_takes_nothing_with_it(batch_size: int) -> None:
    _, found = asyncio.run(together([["first"], ["a"], ["bad"], ["c"]], batch_size))
    assert [*found[:2], found[3]] == [["FIRST"], ["A"], ["C"]] and isinstance(found[2], ValueError)
