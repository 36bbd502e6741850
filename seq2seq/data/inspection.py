"""What was read from a source: how many pairs, some of them to look at, and signs that they are not what they should.

The signs are looked for in an even sample of at most `2 * SAMPLE` pairs, so that time and memory stay small.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from seq2seq.data.sources import DataSource, Pair
from seq2seq.languages import expected_scripts, names_of, script_of

SAMPLE = 1000
SHOWN = 70
"""Characters of a text that is shown."""
MANY = 0.9
"""Share of a side's texts that must look alike to be told of."""
EQUAL = 0.05
"""Share of pairs whose sides may be equal: names, numbers."""
RATIO, PAIR_RATIO, UNEVEN = 2.5, 4.0, 0.1
"""How many times as long as the other a side may be in all, and in a pair; the share of pairs that may be above."""
DROPPED = 0.1
"""Share of a source's pairs that filters may drop."""

_ID = re.compile(r"[!-~]*\d[!-~]*")
_HEADERS = {"src", "source", "tgt", "trg", "target", "text", "sentence", "id", "translation", "reference"}


class Inspection:
    """Looks at a source's pairs while they go by."""

    def __init__(self, source: DataSource[Any]) -> None:
        self.source = source
        self.pairs = 0
        self.equal = 0
        self._sample: list[Pair] = []
        self._stride = 1

    def watch(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """The pairs, each of them noted."""
        for pair in pairs:
            if self.pairs % self._stride == 0:
                self._sample.append(pair)
                if len(self._sample) == 2 * SAMPLE:
                    self._sample, self._stride = self._sample[::2], 2 * self._stride
            self.pairs += 1
            self.equal += pair[0] == pair[1]
            yield pair

    @property
    def samples(self) -> list[Pair]:
        """Three pairs to look at: the first, one from the middle, one from the end."""
        count = len(self._sample)
        return [self._sample[i] for i in sorted({0, count // 2, count - 1})] if count else []

    def warnings(self) -> list[str]:
        """What looks wrong, and what to do."""
        if not self._sample:
            return []
        sides = list(self._sides())
        found = [*self._header(), *(sides or self._lengths())]
        if self.equal > max(2, EQUAL * self.pairs):
            share = self.equal / self.pairs
            found.append(f"source and target are equal in {share:.0%} of the pairs; {self.source.fix}")
        return found

    def audit(self) -> dict[str, Any]:
        """`samples` and `warnings`, for audit.json."""
        return {"samples": [list(pair) for pair in self.samples], "warnings": self.warnings()}

    def lines(self) -> Iterator[str]:
        """What the user is told."""
        key = self.source.key
        preview = self.source.preview
        if preview == 0 and not self.pairs:
            yield f"{key}: {self.source.name}: {self.source.later}"
            return
        first = "the first " if self.pairs == preview else ""
        yield f"{key}: {first}{self.pairs:,} pairs read"
        for src, tgt in self.samples:
            yield f"    {shown(src)}  |  {shown(tgt)}"
        for warning in self.warnings():
            yield f"warning: {key}: {warning}"

    def _header(self) -> Iterator[str]:
        first = [text.strip().lower() for text in self._sample[0]]
        if all(text in _HEADERS | names_of(self.source.src) | names_of(self.source.tgt) for text in first):
            yield f"the first pair looks like a header ({' | '.join(first)}); {self.source.header_fix}"

    def _sides(self) -> Iterator[str]:
        for side, (name, code) in enumerate((("sources", self.source.src), ("targets", self.source.tgt))):
            texts = [pair[side].strip() for pair in self._sample if pair[side].strip()]
            if not texts:
                continue
            (most, times), ids = (
                Counter(texts).most_common(1)[0],
                sum(_ID.fullmatch(text) is not None for text in texts),
            )
            if ids >= MANY * len(texts):
                yield f"the {name} look like ids or numbers ({shown(texts[-1], 30)}); {self.source.fix}"
            elif times >= max(3, MANY * len(texts)):
                yield f"{times / len(texts):.0%} of the {name} are the same ({shown(most, 30)}); {self.source.fix}"
            else:
                yield from self._script(name, code, texts)

    def _script(self, name: str, code: str, texts: list[str]) -> Iterator[str]:
        expected = expected_scripts(code)
        scripts = Counter(script_of(c) for text in texts for c in text[:200] if c.isalpha())
        share = sum(scripts[script] for script in expected) / max(1, scripts.total())
        if expected and scripts and share < 0.5:
            most = scripts.most_common(1)[0][0]
            right = " or ".join(sorted(script.title() for script in expected))
            what = f"{share:.0%} of the letters of the {name} are {right}"
            yield f"only {what}, in which {code} is written; most are {most.title()}; {self.source.fix}"

    def _lengths(self) -> Iterator[str]:
        widths = [(_width(src), _width(tgt)) for src, tgt in self._sample if src.strip() and tgt.strip()]
        if not widths:
            return
        ratio = sum(tgt for _, tgt in widths) / sum(src for src, _ in widths)
        uneven = sum(max(pair) > PAIR_RATIO * min(pair) for pair in widths) / len(widths)
        if not 1 / RATIO <= ratio <= RATIO:
            one, other, times = ("targets", "sources", ratio) if ratio > 1 else ("sources", "targets", 1 / ratio)
            yield f"the {one} are {times:.1f} times as long as the {other}; {self.source.fix}"
        elif uneven > UNEVEN and len(widths) > 20:
            what = f"in {uneven:.0%} of the pairs one side is more than {PAIR_RATIO:.0f} times as long as the other"
            yield f"{what}: are they translations of each other?"


def dropped_lines(key: str, read: int, dropped: dict[str, int]) -> Iterator[str]:
    """What the user is told of what filters dropped from a source of training data."""
    total = sum(dropped.values())
    reasons = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in dropped.items() if count)
    yield f"{key}: {read - total:,} of {read:,} pairs kept{f'; dropped: {reasons}' if total else ''}"
    if warning := dropped_warning(read, dropped):
        yield f"warning: {key}: {warning}"


def dropped_warning(read: int, dropped: dict[str, int]) -> str | None:
    """Where filters dropped a large share."""
    most = max(dropped, key=lambda name: dropped[name])
    fixes = {
        "empty": "pairs with a blank side teach nothing",
        "duplicate": "pairs that come again; keep them with data.filter.deduplicate: false",
        "overlap": "they hold sentences of the validation or test data, which would make the scores worthless",
        "too_long": "raise data.filter.max_length to keep them",
        "length_ratio": "their sides may be no translations of each other; else raise data.filter.max_length_ratio",
    }
    if sum(dropped.values()) <= DROPPED * read:
        return None
    return (
        f"{sum(dropped.values()) / read:.0%} of the pairs were dropped, most as {most.replace('_', ' ')}: {fixes[most]}"
    )


def shown(text: str, limit: int = SHOWN) -> str:
    """A text as a terminal can show it, not too long."""
    text = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return "".join(c if c.isprintable() else "·" for c in text)


def _width(text: str) -> float:
    """Of a text, so that translations are about as wide: a character of East Asia says as much as 2.5 letters."""
    if text.isascii():
        return len(text)
    return len(text) + 1.5 * sum(unicodedata.east_asian_width(c) in "WF" for c in text)
