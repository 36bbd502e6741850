"""How often the words of a test set stand in the training data: counted in token ids, since text is not kept there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq.data.preparation import Ids, PreparedPairs
from seq2seq.data.tokenization import BYTES, EOS, SPACE, UNK, Tokenizer
from seq2seq.evaluation.attention import is_mark
from seq2seq.evaluation.buckets import Rarity

PAIRS = 10_000
"""Training pairs that are looked at at once."""
FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd: a word's hash is its ids' sum, each times a power of this, modulo 2^64."""
NONE = np.uint64(0)
"""The hash of what is no word, or none that can be known."""

Hashes = npt.NDArray[np.uint64]


def rarity(tokenizer: Tokenizer, spaces: bool, train: PreparedPairs, sources: Sequence[Ids]) -> Rarity:
    """Of each source of a test set, how often its rarest word stands in the training data's, and how many do not.

    Args:
        spaces: whether the language has them; without, each token is looked at alone.
        sources: token ids, </s> included.
    """
    starts = _starts(tokenizer) if spaces else np.ones(len(tokenizer), bool)
    space = tokenizer.pieces.index(SPACE) if spaces and SPACE in tokenizer.pieces else -1
    every, owners = _words(list(sources), starts, space)
    known = every != NONE
    wanted, places = np.unique(every[known], return_inverse=True)
    found = np.zeros(len(wanted), np.int64)
    for begin in range(0, len(train), PAIRS):
        ids, _ = train.take(range(begin, min(begin + PAIRS, len(train))))
        words, _ = _words(ids, starts, space)
        at = np.minimum(np.searchsorted(wanted, words), max(0, len(wanted) - 1))
        if len(wanted):
            found += np.bincount(at[wanted[at] == words], minlength=len(wanted))
    counts = np.zeros(len(every), np.int64)
    counts[known] = found[places]
    rarest = np.full(len(sources), np.iinfo(np.int64).max)
    np.minimum.at(rarest, owners, counts)
    rarest[rarest == np.iinfo(np.int64).max] = 0  # a blank line
    unknown = np.bincount(owners[counts == 0], minlength=len(sources)).tolist() if spaces else None
    return Rarity("word" if spaces else "token", rarest.tolist(), unknown)


def _starts(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """Of each token, whether a word begins there: it has a space before it, or is a mark, which is a word itself."""
    return np.array([piece.startswith(SPACE) or i == UNK or _parts(piece) for i, piece in enumerate(tokenizer.pieces)])


def _parts(piece: str) -> bool:
    return is_mark(chr(BYTES[piece]) if piece in BYTES else piece)


def _words(sentences: Sequence[Ids], starts: npt.NDArray[np.bool_], space: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """A hash of each word of all sentences, and the sentence that it is from; NONE of one with <unk>.

    Args:
        space: the token of a space alone, after which its word goes on; -1: there is none.
    """
    ids = np.concatenate(sentences).astype(np.int64) if sentences else np.zeros(0, np.int64)
    owners = np.repeat(np.arange(len(sentences)), [len(one) for one in sentences])
    kept = ids != EOS
    ids, owners = ids[kept], owners[kept]
    if not len(ids):
        return np.zeros(0, np.uint64), owners
    begins = starts[ids].copy()
    begins[1:] &= ids[:-1] != space
    begins[1:] |= owners[1:] != owners[:-1]
    begins[0] = True
    at = np.flatnonzero(begins)
    within = np.arange(len(ids)) - np.repeat(at, np.diff([*at, len(ids)]))
    powers = np.cumprod(np.full(int(within.max()) + 1, FACTOR), dtype=np.uint64)
    hashes = np.add.reduceat((ids.astype(np.uint64) + np.uint64(1)) * powers[within], at)
    hashes[np.add.reduceat(ids == UNK, at, dtype=np.int64) > 0] = NONE
    return hashes, owners[at]
