"""Translations drawn from the model's distribution: a processor that leaves one token, chosen by chance, possible.

With it greedy search is ancestral sampling. What is drawn for a sentence depends on the seed and on the sentence, not
on what shares its batch. (`sampling.py` draws for training: faster, and without options.)
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.decoding.processors import Prefixes
from seq2seq.decoding.scorer import Logits

if TYPE_CHECKING:
    from seq2seq.recipe import SamplingConfig
else:  # an exported model translates where no pydantic is installed
    SamplingConfig = Any


class RandomChoice:
    """Leaves one token of each hypothesis.

    Args:
        draw: which of a sentence's samples this is.
    """

    changes_scores = False

    def __init__(self, config: SamplingConfig, draw: int) -> None:
        self.config, self.draw = config, draw

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        step = prefixes.tokens.shape[-1]
        chances = kept(logits.log_probabilities(), self.config)
        for row, sentence in enumerate(prefixes.sentences.tolist()):
            source = zlib.crc32(np.array(prefixes.sources[sentence], dtype=np.int64).tobytes())
            generator = np.random.default_rng([self.config.seed, self.draw, step, source])
            for beam, chance in enumerate(chances[row]):
                total = np.cumsum(chance)
                token = int(np.searchsorted(total, generator.random() * total[-1], side="right"))
                token = min(token, int(chance.nonzero()[0][-1])) if total[-1] > 0 else 0  # rounding; all impossible
                value = logits.values[row, beam, token] + 0
                logits.values[row, beam] = -np.inf
                logits.values[row, beam, token] = value


def kept(log_probabilities: np.ndarray, config: SamplingConfig) -> np.ndarray:
    """The chance of each token [open, beam, vocab], up to a factor; 0: never drawn. The likeliest always has one.

    Args:
        config: epsilon looks at the model's own probabilities, top_k and top_p at those after the temperature.
    """
    largest = log_probabilities.max(-1, keepdims=True)
    scaled = np.exp((log_probabilities - np.where(np.isfinite(largest), largest, 0)) / config.temperature)
    order = np.argsort(-scaled, -1, kind="stable")
    ranked = np.take_along_axis(scaled, order, -1)
    if config.top_k > 0:
        ranked[..., config.top_k :] = 0
    if config.top_p < 1:
        before = np.cumsum(ranked, -1) - ranked
        ranked[..., 1:][(before >= config.top_p * ranked.sum(-1, keepdims=True))[..., 1:]] = 0
    if config.epsilon > 0:
        rare = np.take_along_axis(log_probabilities, order, -1) < np.log(config.epsilon)
        ranked[..., 1:][rare[..., 1:]] = 0
    found = np.zeros_like(ranked)
    np.put_along_axis(found, order, ranked, -1)
    return found
