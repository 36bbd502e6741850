"""BPE dropout (Provilkov et al. 2020, Algorithm 1): in training, words are cut into pieces in a new way each time.

The `tokenizers` library has it too, but its random numbers cannot be seeded, so that no training
could be repeated; and it drops fewer merges than the paper, since what was passed over gets another
chance whenever a merge comes up that has become impossible (0.23; with a vocabulary of 3,000 and
a rate of 0.1, "Straße" stays whole 89 % of the time, by Algorithm 1 66 %).
Here the stored token ids are taken apart into characters and merged again.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from random import Random

from seq2seq.data.tokenization import BYTES, SPACE, SPECIAL, Tokenizer

WORDS_KEPT = 50_000
"""Words whose merges are remembered, in some 60 MiB: more than all of Multi30k's."""

Pieces = tuple[int, ...]


class BpeDropout:
    """Splits the words of a token list again, at random.

    The tokenizer's merges never join across words, punctuation and digits, since it was trained on
    those apart; so neither does this. Unknown and special tokens stay as they are, and bytes.

    Args:
        tokenizer: of kind bpe.
        rate: chance that a possible merge is passed over, each time that the next one is chosen
            (Algorithm 1). 0: the library's pieces. 1: characters.
    """

    def __init__(self, tokenizer: Tokenizer, rate: float) -> None:
        model = json.loads(tokenizer.to_json())["model"]
        vocabulary: dict[str, int] = model["vocab"]
        self.rate = rate
        self._pieces = tokenizer.pieces
        whole = {*SPECIAL, *BYTES}
        self._characters = [
            (i,) if piece in whole else tuple(vocabulary[c] for c in piece) for i, piece in enumerate(self._pieces)
        ]
        self._merges = {
            (vocabulary[left], vocabulary[right]): (rank, vocabulary[left + right])
            for rank, (left, right) in enumerate(model["merges"])
        }
        self._path = functools.lru_cache(WORDS_KEPT)(self._whole_path)

    def __call__(self, ids: Sequence[int], random: Random) -> list[int]:
        """Other pieces of the same text."""
        cut: list[int] = []
        for word in self._words(ids):
            cut += self._cut(self._path(word), random)
        return cut

    def _words(self, ids: Sequence[int]) -> Iterator[Pieces]:
        start = 0
        for i, piece in enumerate(ids):
            if i > start and (piece < len(SPECIAL) or self._pieces[piece].startswith(SPACE)):
                yield tuple(ids[start:i])
                start = i
        if start < len(ids):
            yield tuple(ids[start:])

    def _whole_path(self, word: Pieces) -> list[Pieces]:
        """From a word's characters, merge by merge, to its pieces without dropout."""
        path = [tuple(symbol for piece in word for symbol in self._characters[piece])]
        while candidates := self._candidates(path[-1]):
            path.append(_merged(path[-1], *candidates[0][1:]))
        return path

    def _cut(self, path: list[Pieces], random: Random) -> Pieces:
        for symbols in path[:-1]:
            if random.random() < self.rate:  # the best merge is passed over: the beaten path ends here
                return self._off_the_path(symbols, random)
        return path[-1]

    def _off_the_path(self, symbols: Pieces, random: Random) -> Pieces:
        candidates = self._candidates(symbols)[1:]
        while chosen := next((c for c in candidates if random.random() >= self.rate), None):
            symbols = _merged(symbols, *chosen[1:])
            candidates = self._candidates(symbols)
        return symbols

    def _candidates(self, symbols: Pieces) -> list[tuple[int, int, int]]:
        """The possible merges, the best first: rank, place, and the piece that comes of it."""
        found = []
        for i in range(len(symbols) - 1):
            merge = self._merges.get((symbols[i], symbols[i + 1]))
            if merge is not None:
                found.append((merge[0], i, merge[1]))
        found.sort()
        return found


def _merged(symbols: Pieces, place: int, piece: int) -> Pieces:
    return (*symbols[:place], piece, *symbols[place + 2 :])
