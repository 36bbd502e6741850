"""Attention maps for people: what the decoder looked at as it wrote each word."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.data.tokenization import BYTES, EOS, SPACE, Tokenizer
from seq2seq.languages import has_spaces

SHORTEST, LONGEST = 4, 15
"""Words of a sentence whose map is shown: fewer say nothing, more do not fit a phone."""
LONGEST_WORD = 20
"""Characters of a word."""
MARKS = ("Po", "Ps", "Pe", "Pi", "Pf")
END = "(end)"
"""How </s> is shown."""

Weights = Callable[[Sequence[int], Sequence[int]], "np.ndarray | None"]


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


def attention_example(
    source: str,
    tokenizers: tuple[Tokenizer, Tokenizer],
    languages: tuple[str, str],
    tokens: Sequence[int],
    weights: Weights,
) -> AttentionExample | None:
    """The map of one translation; None where it is too short or too wide to look at, or the model has no attention.

    A word's weight is the mean over the tokens that write it, of the sum over the source word's tokens.

    Args:
        tokens: of the translation, as beam search found them, without </s>.
        weights: from both sentences' tokens with </s> to the attention [tgt_len, src_len].
    """
    src = tokenizers[0].encode_batch([source])[0]
    groups = [
        word_groups(tokenizer.tokens(ids), has_spaces(language))
        for tokenizer, ids, language in zip(tokenizers, (src, tokens), languages, strict=True)
    ]
    words = [
        [tokenizer.decode([ids[i] for i in group]) for group in of_side]
        for tokenizer, ids, of_side in zip(tokenizers, (src, tokens), groups, strict=True)
    ]
    if not all(SHORTEST <= len(side) <= LONGEST and max(map(len, side)) <= LONGEST_WORD for side in words):
        return None
    found = weights([*src, EOS], [*tokens, EOS])
    if found is None:
        return None
    starts = [[group[0] for group in of_side] + [len(ids)] for of_side, ids in zip(groups, (src, tokens), strict=True)]
    summed = np.add.reduceat(found.astype(np.float64), starts[0], axis=1)
    sizes = np.diff([*starts[1], len(tokens) + 1])
    by_word = np.add.reduceat(summed, starts[1], axis=0) / sizes[:, None]
    return AttentionExample(
        source, tokenizers[1].decode(tokens), [*words[0], END], [*words[1], END], by_word.round(3).tolist()
    )


def word_groups(pieces: Sequence[str], spaces: bool) -> list[list[int]]:
    """Which pieces make a word: one stands alone where it is punctuation, or the language has no spaces.

    The bytes of a character are never parted.
    """
    groups: list[list[int]] = []
    for i, piece in enumerate(pieces):
        joins = i > 0 and (
            (piece in BYTES and pieces[i - 1] in BYTES)
            or (spaces and not piece.startswith(SPACE) and not _marks(piece) and not _marks(pieces[i - 1]))
        )
        if joins:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def _marks(piece: str) -> bool:
    """Whether it is nothing but punctuation that parts words; a hyphen joins them."""
    bare = piece.removeprefix(SPACE)
    return piece not in BYTES and bool(bare) and all(unicodedata.category(c) in MARKS for c in bare)
