"""What a model did as it translated, for people: how sure of each word it was, and where it looked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.data.tokenization import BYTES, SPACE, Tokenizer
from seq2seq.languages import has_spaces

SHORTEST, LONGEST = 4, 15
"""Words of a sentence whose map is shown: fewer say nothing, more do not fit a phone."""
LONGEST_WORD = 20
"""Characters of a word."""
MOST_CELLS = 2500
"""Of a map that is kept: of 50 by 50 words."""
MARKS = ("Po", "Ps", "Pe", "Pi", "Pf")
END = "(end)"
"""How </s> is shown."""


@dataclass(frozen=True)
class Reading:
    """What a model did as it wrote a translation, word by word; the last word is the end.

    Attributes:
        confidence: the probability of each word of the translation, given the words before it.
        weights: where the decoder looked [target words, source words], rows sum to 1; None without attention, or of
            sentences so long that nobody could look at it.
    """

    source_words: list[str]
    target_words: list[str]
    confidence: list[float]
    weights: list[list[float]] | None


@dataclass(frozen=True)
class AttentionExample:
    """A sentence, its translation, and for each word of the translation where the decoder looked.

    Attributes:
        weights: [target words, source words], rows sum to 1.
    """

    source: str
    translation: str
    source_words: list[str]
    target_words: list[str]
    weights: list[list[float]]


def reading(
    tokenizers: tuple[Tokenizer, Tokenizer],
    languages: tuple[str, str],
    tokens: tuple[Sequence[int], Sequence[int]],
    logs: Sequence[float],
    weights: np.ndarray | None,
) -> Reading:
    """From tokens to words. A word's probability is the product over its tokens; its attention is the mean over the
    tokens that write it, of the sum over the source word's tokens.

    Args:
        tokens: of the source and of the translation, as beam search found them, without </s>.
        logs: log p of the translation's tokens and of </s>.
        weights: the attention [tgt_len, src_len], both with </s>.
    """
    groups = [
        word_groups(tokenizer.tokens(ids), has_spaces(language))
        for tokenizer, ids, language in zip(tokenizers, tokens, languages, strict=True)
    ]
    words = [
        [*(tokenizer.decode([ids[i] for i in group]) for group in of_side), END]
        for tokenizer, ids, of_side in zip(tokenizers, tokens, groups, strict=True)
    ]
    starts = [[group[0] for group in of_side] + [len(ids)] for of_side, ids in zip(groups, tokens, strict=True)]
    confidence = np.exp(np.add.reduceat(np.asarray(logs, np.float64), starts[1]))
    by_word = None
    if weights is not None and len(words[0]) * len(words[1]) <= MOST_CELLS:
        summed = np.add.reduceat(weights.astype(np.float64), starts[0], axis=1)
        sizes = np.diff([*starts[1], len(tokens[1]) + 1])
        by_word = (np.add.reduceat(summed, starts[1], axis=0) / sizes[:, None]).round(3).tolist()
    order = [*range(len(words[1]))]
    if tokenizers[1].backward:
        order[:-1] = order[-2::-1]
    by_word = None if by_word is None else [by_word[i] for i in order]
    return Reading(words[0], [words[1][i] for i in order], confidence[order].round(4).tolist(), by_word)


def attention_example(source: str, translation: str, read: Reading) -> AttentionExample | None:
    """A map to show; None where it is too short or too wide to look at, or the model has no attention."""
    sides = read.source_words[:-1], read.target_words[:-1]
    if not all(SHORTEST <= len(side) <= LONGEST and max(map(len, side)) <= LONGEST_WORD for side in sides):
        return None
    if read.weights is None:
        return None
    return AttentionExample(source, translation, read.source_words, read.target_words, read.weights)


def word_groups(pieces: Sequence[str], spaces: bool) -> list[list[int]]:
    """Which pieces make a word: one stands alone where it is punctuation, or the language has no spaces.

    The bytes of a character are never parted.
    """
    groups: list[list[int]] = []
    for i, piece in enumerate(pieces):
        joins = i > 0 and (
            (piece in BYTES and pieces[i - 1] in BYTES)
            or (spaces and not piece.startswith(SPACE) and not is_mark(piece) and not is_mark(pieces[i - 1]))
        )
        if joins:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def is_mark(piece: str) -> bool:
    """Whether it is nothing but punctuation that parts words; a hyphen joins them."""
    bare = piece.removeprefix(SPACE)
    return piece not in BYTES and bool(bare) and all(unicodedata.category(c) in MARKS for c in bare)
