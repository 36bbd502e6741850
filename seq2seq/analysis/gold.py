"""Word alignments made by people, and how far a model's are from them: the alignment error rate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.data.lines import read_lines
from seq2seq.errors import UserError

Link = tuple[int, int]
"""Places of a source word and a target word, from 0."""

ENTRY = re.compile(r"([0-9]{1,6})([-p?])([0-9]{1,6})")


@dataclass(frozen=True)
class Gold:
    """A sentence pair's links.

    Attributes:
        possible: those that may be made; the sure ones among them.
    """

    sure: frozenset[Link]
    possible: frozenset[Link]


@dataclass(frozen=True)
class Agreement:
    """Alignments against gold ones (Och & Ney 2003).

    Attributes:
        error_rate: 1 - (|A and S| + |A and P|) / (|A| + |S|), of a model's links A, sure links S and possible ones P.
        precision: |A and P| / |A|.
        recall: |A and S| / |S|.
    """

    error_rate: float
    precision: float
    recall: float


def read_gold(path: Path, sources: Sequence[str], targets: Sequence[str], from_one: bool = False) -> list[Gold]:
    """A line a pair, in the Pharaoh format: `0-1` is a sure link, `0p1` or `0?1` a possible one.

    Args:
        from_one: whether words are counted from 1.

    Raises:
        UserError: there are not as many lines as pairs, or a line does not fit its pair.
    """
    lines = list(read_lines(path))
    if len(lines) != len(sources):
        raise UserError(f"--gold {path}: {len(lines):,} lines, but {len(sources):,} pairs; each pair needs its line")
    found = [_parsed(line, f"{path}:{i}", from_one) for i, line in enumerate(lines, 1)]
    for i, (gold, *pair) in enumerate(zip(found, sources, targets, strict=True), 1):
        counts = [len(text.split()) for text in pair]
        for link in gold.possible:
            if any(not 0 <= word < count for word, count in zip(link, counts, strict=True)):
                shown = f"{link[0] + from_one}-{link[1] + from_one}"
                raise UserError(f"--gold {path}:{i}: {shown} names a word that is not there: {counts[0]} source and "
                                f"{counts[1]} target words between blanks, counted from {int(from_one)}"
                                f"{'' if from_one else ' (from 1: --from-one)'}")  # fmt: skip
    return found


def _parsed(line: str, place: str, from_one: bool) -> Gold:
    sure, possible = set[Link](), set[Link]()
    for entry in line.split():
        match = ENTRY.fullmatch(entry)
        if match is None:
            raise UserError(f"--gold {place}: {entry[:30]!r} is no link; it must look like 0-2, or 0p2 where it is "
                            "only possible")  # fmt: skip
        link = int(match[1]) - from_one, int(match[3]) - from_one
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return Gold(frozenset(sure), frozenset(possible))


def agreement(found: Iterable[Iterable[Link]], gold: Iterable[Gold]) -> Agreement:
    """Over all sentences together.

    Args:
        found: of each sentence the model's links.
    """
    made = sure = in_sure = in_possible = 0
    for links, one in zip(map(set, found), gold, strict=True):
        made, sure = made + len(links), sure + len(one.sure)
        in_sure, in_possible = in_sure + len(links & one.sure), in_possible + len(links & one.possible)
    error_rate = 1 - (in_sure + in_possible) / max(1, made + sure)
    return Agreement(error_rate, in_possible / max(1, made), in_sure / max(1, sure))
