"""What a translation has to begin with, and what must not be in it."""

from __future__ import annotations

import numpy as np

from seq2seq.data.tokenization import EOS, SPACE, UNK, Tokenizer
from seq2seq.decoding.processors import Prefixes
from seq2seq.decoding.scorer import Logits
from seq2seq.errors import UserError


def tokens_of(text: str, tokenizer: Tokenizer, what: str) -> list[int]:
    """The tokens of a text that translations have to hold.

    Args:
        what: what the text is, for the error.

    Raises:
        UserError: the vocabulary has no tokens for it.
    """
    (tokens,) = tokenizer.encode_batch([text])
    if UNK in tokens:
        unknown = ", ".join(map(repr, tokenizer.unknown(text)))
        raise UserError(f"{what}: the model's vocabulary has no token for {unknown}; use other words")
    return tokens


class ForcedPrefix:
    """Translations begin with these tokens."""

    changes_scores = False

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        written = prefixes.tokens.shape[-1] - 1
        if written < len(self.tokens):
            kept = logits.values[..., self.tokens[written]] + 0
            logits.values[:] = -np.inf
            logits.values[..., self.tokens[written]] = kept


class ExcludedPhrases:
    """Words, or several in a row, that never come whole, however they are cut into tokens.

    Behind one only what makes it another word can follow. (A translation that is cut off at its longest may end with
    one.)

    Args:
        tokenizer: the target's.
    """

    changes_scores = False

    def __init__(self, phrases: list[str], tokenizer: Tokenizer) -> None:
        self.pieces = tokenizer.pieces
        self.phrases = [tokenizer.as_written(phrase).replace(" ", SPACE) for phrase in phrases]
        self.ends = np.array([i == EOS or not piece[0].isalnum() for i, piece in enumerate(self.pieces)]).nonzero()[0]

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        longest = 1 + max(map(len, self.phrases))
        for row, beams in enumerate(prefixes.tokens[..., 1:][..., -longest:].tolist()):
            for beam, tokens in enumerate(beams):
                if self._ends_with_one("".join(self.pieces[token] for token in tokens)):
                    logits.values[row, beam, self.ends] = -np.inf

    def _ends_with_one(self, text: str) -> bool:
        return any(text.endswith(p) and not text[: -len(p)][-1:].isalnum() for p in self.phrases)
