"""What is dropped from the training data, and how often."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seq2seq import recipe

PARTITION = 1_000_000
"""Hashes sorted in memory at a time."""


class Overlap:
    """The sentences of the validation and test sets, letter for letter but for blanks at the ends."""

    def __init__(self, held_out: Iterable[tuple[str, str]]) -> None:
        pairs = [(src.strip(), tgt.strip()) for src, tgt in held_out]
        self.src, self.tgt = {src for src, _ in pairs if src}, {tgt for _, tgt in pairs if tgt}

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair[0].strip() in self.src or pair[1].strip() in self.tgt


def unfit_text(section: recipe.Filter, src: str, tgt: str, overlap: Overlap, repeated: bool) -> str | None:
    """Why a pair is dropped by its text; None where it is kept.

    Args:
        repeated: whether the same pair stood before.
    """
    if not src.strip() or not tgt.strip():
        return "empty"
    if section.deduplicate and repeated:
        return "duplicate"
    if section.drop_test_overlap and (src, tgt) in overlap:
        return "test_overlap"
    return None


def unfit_length(section: recipe.Filter, src_tokens: int, tgt_tokens: int) -> str | None:
    """Why a pair is dropped by its length in tokens (without </s>); None where it is kept."""
    if section.max_length is not None and max(src_tokens, tgt_tokens) > section.max_length:
        return "too_long"
    shorter = max(1, min(src_tokens, tgt_tokens))
    if section.max_length_ratio is not None and max(src_tokens, tgt_tokens) > section.max_length_ratio * shorter:
        return "length_ratio"
    return None


def find_repeated(pairs: Iterable[tuple[str, str]], scratch: Path) -> npt.NDArray[np.bool_]:
    """Which pairs stood before, letter for letter: [pairs], memory-mapped in `scratch`.

    Memory does not grow with the corpus: a 128-bit hash of each pair goes to disk, and the
    hashes are sorted a partition at a time.
    """
    hashes_path, count = scratch / "hashes", 0
    with open(hashes_path, "wb") as file:
        for src, tgt in pairs:
            file.write(hashlib.blake2b(f"{src.strip()}\n{tgt.strip()}".encode(), digest_size=16).digest())
            count += 1
    repeated = np.memmap(scratch / "repeated", np.bool_, "w+", shape=(max(1, count),))
    if count:
        hashes = np.memmap(hashes_path, np.uint64, "r", shape=(count, 2))
        partitions = -(-count // PARTITION)
        for partition in range(partitions):
            rows = np.flatnonzero(hashes[:, 0] % np.uint64(partitions) == partition)
            _, first = np.unique(hashes[rows], axis=0, return_index=True)
            later = np.ones(len(rows), dtype=bool)
            later[first] = False
            repeated[rows[later]] = True
    return repeated
