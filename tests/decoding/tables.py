"""A scorer without a model and without torch, small enough for brute force."""

import itertools
from dataclasses import dataclass

import numpy as np

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.scorer import NumpyLogits

VOCAB = 7  # four special tokens and three words


@dataclass
class Tables:
    """A scorer without torch: next tokens depend on the last one and on the source's first."""

    values: np.ndarray
    first: np.ndarray | None = None

    def start(self, sources: list[list[int]]) -> "Tables":
        return Tables(self.values, np.array([[source[0]] for source in sources]))

    def step(self, tokens: np.ndarray, state: "Tables") -> tuple[NumpyLogits, "Tables"]:
        return NumpyLogits(self.values[state.first, tokens].copy()), state

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> "Tables":
        assert self.first is not None
        first = self.first if sentences is None else self.first[sentences]
        return Tables(self.values, np.repeat(first[:, :1], rows.shape[1], 1))


def tables(seed: int) -> Tables:
    return Tables(np.random.default_rng(seed).normal(0, 3, (VOCAB, VOCAB, VOCAB)))


def every_text(table: Tables, first: int, limit: int) -> dict[tuple[int, ...], float]:
    """Each translation of at most `limit` tokens with </s>, and its log-probability."""
    logs = table.values[first] - np.log(np.exp(table.values[first]).sum(-1, keepdims=True))
    found = {}
    for length in range(limit):
        for text in itertools.product(range(4, VOCAB), repeat=length):
            found[text] = sum(logs[a, b] for a, b in itertools.pairwise([BOS, *text, EOS]))
    return found


def wide(limit: int, **options: object) -> recipe.DecodingConfig:
    """A search so wide that it finds what is best; translations of at most `limit` tokens with </s>."""
    lengths = {"max_length": {"ratio": 0.0, "offset": limit}, "min_length": {"ratio": 0.0, "offset": 0}}
    return recipe.DecodingConfig.model_validate({"beam_size": 400, "length_penalty": "none", **lengths, **options})
