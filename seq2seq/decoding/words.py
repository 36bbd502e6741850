"""From tokens to words: how sure the model is of each, and which source words it looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from seq2seq.data.tokenization import BYTES, SPACE, Tokenizer

Link = tuple[int, int]
"""Places of a source word and a target word, from 0: Pharaoh's 0-0."""


def word_places(tokenizer: Tokenizer, ids: Sequence[int]) -> list[int]:
    """Of each token, which of the words of `decode(ids).split()` it is a piece of; a space belongs to the next."""
    found, word, between = [], -1, True
    for piece in (tokenizer.pieces[i] for i in ids):
        for character in "x" if piece in BYTES else piece:
            word += between and character != SPACE
            between = character == SPACE
        found.append(word + between)
    places = [min(place, word) for place in found] if word >= 0 else [0] * len(found)
    return [max(word, 0) - place for place in places] if tokenizer.backward else places


def word_probabilities(places: Sequence[int], log_probabilities: Sequence[float]) -> list[float]:
    """Of each word the product of its tokens' probabilities.

    Args:
        places: of `word_places`.
        log_probabilities: of those tokens.
    """
    logs = [0.0] * (max(places, default=-1) + 1)
    for place, log in zip(places, log_probabilities, strict=True):
        logs[place] += log
    return [math.exp(min(0.0, log)) for log in logs]


def by_words(attention: np.ndarray, src_places: Sequence[int], tgt_places: Sequence[int]) -> np.ndarray:
    """The attention of each target word's tokens, all together, to each source word's [tgt_words, src_words].

    Args:
        attention: [tgt_len, src_len] with </s>, which is aligned to nothing.
        src_places, tgt_places: which word each token is a piece of, without </s>.
    """
    if not len(src_places) or not len(tgt_places):
        return np.zeros((0, 0))
    by_word = np.zeros((max(tgt_places) + 1, max(src_places) + 1))
    looked = attention[: len(tgt_places), : len(src_places)]
    rows, columns = np.meshgrid(np.array(tgt_places), np.array(src_places), indexing="ij")
    np.add.at(by_word, (rows, columns), looked)
    return by_word


def links(by_word: np.ndarray) -> list[Link]:
    """For each target word the source word that it looked at most.

    Args:
        by_word: of `by_words`.
    """
    return [(int(row.argmax()), target) for target, row in enumerate(by_word) if row.any()]


def pharaoh(found: Sequence[Link]) -> str:
    """`0-0 1-2`, in the source's order."""
    return " ".join(f"{source}-{target}" for source, target in sorted(found))
