"""Filters for the training data; each counts what it drops, in the order of `DROPPED_BY`.

A text of more than `MAX_TEXT` characters is too long whatever the filter says.

Memory does not grow with the corpus: texts and hashes wait on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt

from seq2seq.data.lines import MAX_TEXT
from seq2seq.recipe import FilterConfig

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

DROPPED_BY = ("empty", "duplicate", "overlap", "too_long", "length_ratio")
SAMPLES, SAMPLE_LENGTH = 3, 300
"""Of the pairs that a filter drops from a source, so many are kept to look at, up to so many characters."""
PARTS = 64
CHUNK = 100_000


class Overlap:
    """Which sentences of the validation and test sets stand in the training data, letter for letter.

    Args:
        pairs: those of all these sets. Blanks around a text do not count, nor do blank texts.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        stripped = {(src.strip(), tgt.strip()) for src, tgt in pairs}
        self._sources = {src for src, _ in stripped if src}
        self._targets = {tgt for _, tgt in stripped if tgt}
        self._seen: set[tuple[str, str]] = set()

    def add(self, src: str, tgt: str) -> bool:
        """Note a training pair; returns whether its source or its target is in one of the sets."""
        src, tgt = src.strip(), tgt.strip()
        one, other = src in self._sources, tgt in self._targets
        if one or other:
            self._seen.add((src if one else "", tgt if other else ""))
        return one or other

    def seen(self) -> tuple[set[str], set[str]]:
        """The sources and the targets that have been noted."""
        return {src for src, _ in self._seen} - {""}, {tgt for _, tgt in self._seen} - {""}

    def count(self, pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
        """How many of a set's `sources`, `targets` and whole `pairs` have been noted."""
        sources, targets = self.seen()
        stripped = [(src.strip(), tgt.strip()) for src, tgt in pairs]
        return {
            "sources": sum(src in sources for src, _ in stripped),
            "targets": sum(tgt in targets for _, tgt in stripped),
            "pairs": sum(pair in self._seen for pair in stripped if all(pair)),
        }


class Duplicates:
    """Finds pairs that came before, by 128-bit hashes, sorted on disk one part at a time."""

    RECORD = np.dtype([("one", "<u8"), ("two", "<u8"), ("number", "<u8")])

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = [open(folder / f"hashes.{part}", "wb") for part in range(PARTS)]  # noqa: SIM115 - see close
        self._count = 0

    def add(self, src: str, tgt: str) -> None:
        """The next pair; neither text holds a line end."""
        digest = blake2b(f"{src.strip()}\n{tgt.strip()}".encode(), digest_size=16).digest()
        self._files[digest[0] % PARTS].write(digest + self._count.to_bytes(8, "little"))
        self._count += 1

    def close(self) -> None:
        """No more pairs come."""
        for file in self._files:
            file.close()

    def find(self) -> Bools:
        """Whether each pair came before [pairs], a file mapped into memory."""
        self.close()
        found: Bools = np.memmap(self._folder / "duplicates", np.bool_, "w+", shape=(max(1, self._count),))
        for file in self._files:
            records = np.fromfile(file.name, self.RECORD)
            records = records[np.lexsort((records["number"], records["two"], records["one"]))]
            same = (records["one"][1:] == records["one"][:-1]) & (records["two"][1:] == records["two"][:-1])
            found[records["number"][1:][same]] = True
        return found[: self._count]


class Cleaner:
    """The training pairs, on disk, and the filters that look at their text.

    Use it as a context; `add` each pair, `finish`, then iterate (source's number, src, tgt, alignment) as often as
    needed.

    Args:
        folder: for scratch files; it can go when the cleaner is done with.
        sources: how many sources the pairs come from.
        evaluation: pairs of the validation and test sets.
    """

    RECORD = np.dtype([("source", "<i2"), ("overlap", "?")])

    def __init__(self, config: FilterConfig, folder: Path, sources: int, evaluation: list[tuple[str, str]]) -> None:
        self._section, self._folder = config, folder
        self.read = np.zeros(sources, np.int64)
        self.dropped: dict[str, Ints] = {name: np.zeros(sources, np.int64) for name in DROPPED_BY}
        self.samples: list[dict[str, list[list[str]]]] = [{} for _ in range(sources)]
        self.overlap = Overlap(evaluation)
        self._duplicates = Duplicates(folder)
        self._texts = _open_texts(folder, "w")
        self._records = open(folder / "records", "wb")  # noqa: SIM115 - see __exit__
        self._keep: Bools = np.zeros(0, np.bool_)

    def __enter__(self) -> Cleaner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (*self._texts, self._records, self._duplicates):
            file.close()

    def add(self, source: int, src: str, tgt: str, alignment: str = "") -> None:
        """The next pair, from source number `source`; its words' alignment shares its fate."""
        self.read[source] += 1
        overlaps = self.overlap.add(src, tgt)
        if not src.strip() or not tgt.strip():
            self.dropped["empty"][source] += 1
            self.sample("empty", source, src, tgt)
            return
        if len(src) > MAX_TEXT or len(tgt) > MAX_TEXT:
            self.dropped["too_long"][source] += 1
            self.sample("too_long", source, src, tgt)
            return
        self._duplicates.add(src, tgt)
        self._texts[0].write(src + "\n")
        self._texts[1].write(tgt + "\n")
        self._texts[2].write(alignment + "\n")
        self._records.write(source.to_bytes(2, "little") + overlaps.to_bytes(1, "little"))

    def finish(self) -> int:
        """Judge all pairs; returns how many are left."""
        self.__exit__(None, None, None)
        duplicate = self._duplicates.find()
        self._keep = np.memmap(self._folder / "keep", np.bool_, "w+", shape=(max(1, len(duplicate)),))[: len(duplicate)]
        wanted: dict[int, tuple[str, int]] = {}
        with open(self._folder / "records", "rb") as file:
            for start in range(0, len(duplicate), CHUNK):
                records = np.fromfile(file, self.RECORD, CHUNK)
                second = duplicate[start : start + CHUNK] & self._section.deduplicate
                overlap = records["overlap"] & self._section.drop_test_overlap & ~second
                self.drop("duplicate", records["source"][second])
                self.drop("overlap", records["source"][overlap])
                self._keep[start : start + CHUNK] = ~(second | overlap)
                for name, drops in (("duplicate", second), ("overlap", overlap)):
                    for source in np.unique(records["source"][drops]).tolist():
                        places = np.flatnonzero(drops & (records["source"] == source))[:SAMPLES]
                        wanted |= {start + int(place): (name, source) for place in places}
        self._sample_at(wanted)
        return int(self._keep.sum())

    def drop(self, name: str, sources: npt.NDArray[np.int16]) -> None:
        """Count dropped pairs, given where each came from."""
        self.dropped[name] += np.bincount(sources, minlength=len(self.read))

    def sample(self, name: str, source: int, src: str, tgt: str) -> None:
        """Keep a dropped pair to look at, if it is one of the first."""
        samples = self.samples[source].setdefault(name, [])
        if len(samples) < SAMPLES:
            samples.append([src[:SAMPLE_LENGTH], tgt[:SAMPLE_LENGTH]])

    def _sample_at(self, wanted: dict[int, tuple[str, int]]) -> None:
        """Samples by their places among the pairs on disk, with why and from which source they were dropped."""
        src, tgt, alignments = _open_texts(self._folder, "r")
        with src, tgt, alignments:
            for i, (one, other) in zip(range(max(wanted, default=-1) + 1), zip(src, tgt, strict=True), strict=False):
                if i in wanted:
                    self.sample(*wanted[i], one[:-1], other[:-1])

    def __iter__(self) -> Iterator[tuple[int, str, str, str]]:
        src, tgt, alignments = _open_texts(self._folder, "r")
        with src, tgt, alignments, open(self._folder / "records", "rb") as records:
            for start in range(0, len(self._keep), CHUNK):
                sources = np.fromfile(records, self.RECORD, CHUNK)["source"].tolist()
                kept = self._keep[start : start + CHUNK].tolist()
                for keep, source, one, other, alignment in zip(kept, sources, src, tgt, alignments, strict=False):
                    if keep:
                        yield source, one[:-1], other[:-1], alignment[:-1]

    def texts(self, side: int) -> Iterator[str]:
        """The sources (0) or targets (1) of the pairs left."""
        for _, *pair in self:
            yield pair[side]


def _open_texts(folder: Path, mode: str) -> tuple[IO[str], IO[str], IO[str]]:
    """The files of the pairs' two sides and of their alignments, a pair a line."""
    names = "src", "tgt", "alignments"
    src, tgt, alignments = (open(folder / name, mode, encoding="utf-8", newline="\n") for name in names)  # noqa: SIM115
    return src, tgt, alignments


def drop_by_length(config: FilterConfig, src: Ints, tgt: Ints) -> tuple[Bools, Bools]:
    """The pairs that are too long, and of the others those whose lengths differ too much.

    Args:
        src, tgt: tokens of each pair's sides [pairs], without </s>.
    """
    longer, shorter = np.maximum(src, tgt), np.maximum(1, np.minimum(src, tgt))
    limit, ratio = config.max_length, config.max_length_ratio
    too_long = longer > limit if limit is not None else np.zeros(len(src), np.bool_)
    uneven = longer > ratio * shorter if ratio is not None else np.zeros(len(src), np.bool_)
    return too_long, uneven & ~too_long
