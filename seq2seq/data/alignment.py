"""Word alignments: read beside the text, carried over from words to pieces, and as the attention's targets.

A target piece is aligned to all pieces of all source words that its word is aligned to, each with the same share.
</s> is aligned to nothing, nor is anything to it.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.lines import Faults, text_lines
from seq2seq.data.sources import Pairs
from seq2seq.errors import UserError

Links = Sequence[tuple[int, int]]
"""Source and target places, from 0, that belong together."""


def read_aligned(pairs: Pairs, path: Path, key: str) -> Iterator[tuple[str, str, str]]:
    """Each pair with its line of the file, which has been checked.

    Args:
        key: where the recipe names the pairs' source, for errors.

    Raises:
        UserError: the file is missing, of another length than the text, or a line does not fit its pair.
    """
    key = f"{key}.alignments"
    faults = Faults(key)
    lines = text_lines(path, faults, key)
    for count, (pair, line) in enumerate(itertools.zip_longest(pairs, lines)):
        if pair is None or line is None:
            longer = count + 1 + sum(1 for _ in (pairs if line is None else lines))
            text, own = (longer, count) if line is None else (count, longer)
            fix = "each pair needs its line, an empty one where nothing is aligned; align the text again"
            raise UserError(f"{key}: {path} has {own:,} lines, and the text {text:,}; {fix}")
        if fault := _fault(line, pair):
            faults.add(f"{path}:{count + 1}", *fault)
        yield *pair, line
    faults.raise_if_any()


def _fault(line: str, pair: tuple[str, str]) -> tuple[str, str] | None:
    """What is wrong with a line, and the fix."""
    for entry in line.split():
        if not re.fullmatch("[0-9]{1,9}-[0-9]{1,9}", entry):
            return f"{entry[:30]!r} is no link of two words", "it must look like 0-2, counted from 0"
    counts = [len(text.split()) for text in pair]
    for link in parse(line):
        for word, count, side in zip(link, counts, ("source", "target"), strict=True):
            if word >= count:
                what = f"{link[0]}-{link[1]} names {side} word {word}, from 0, but there are {count} words"
                return what, "align the text as it is read, its words split at blanks"
    return None


def parse(line: str) -> Links:
    """The links of words that a line in the Pharaoh format gives."""
    return [(int(src), int(tgt)) for src, tgt in (entry.split("-") for entry in line.split())]


def to_pieces(links: Links, src_words: Sequence[int], tgt_words: Sequence[int]) -> Links:
    """The links of pieces that links of words give, each once, in order.

    Args:
        src_words, tgt_words: the word that each piece is of.
    """
    src, tgt = _pieces(src_words), _pieces(tgt_words)
    return sorted({pair for one, other in links for pair in itertools.product(src[one], tgt[other])})


def _pieces(words: Sequence[int]) -> dict[int, list[int]]:
    """Each word's pieces."""
    found = defaultdict[int, list[int]](list)
    for piece, word in enumerate(words):
        found[word].append(piece)
    return found


def as_targets(
    links: Sequence[npt.NDArray[np.int32]], tgt_len: int, src_len: int
) -> Float[Tensor, "batch tgt_len src_len"]:
    """What each target token's attention should be: rows that sum to 1, or to 0 where nothing is aligned.

    Args:
        links: of each sentence pair's pieces [links, 2], the source's first.
    """
    targets = torch.zeros(len(links), tgt_len, src_len)
    for sentence, pairs in zip(targets, links, strict=True):
        src, tgt = torch.from_numpy(pairs.astype(np.int64)).unbind(1)
        sentence[tgt, src] = 1
    return targets / targets.sum(-1, keepdim=True).clamp_min(1)
