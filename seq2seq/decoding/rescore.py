"""Re-scoring: what other models think of a search's candidates decides with.

A model of the other direction makes it a noisy channel (Yee et al. 2019), one that writes from right to left sees what
comes after each word (Liu et al. 2016), a language model how fluent it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.data.tokenization import EOS, UNK, Tokenizer
from seq2seq.decoding.forced import force
from seq2seq.decoding.search import GRID, normalize
from seq2seq.decoding.translation import Candidate
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.recipe import AnyPenalty, RescoreConfig
else:  # an exported model translates where no pydantic is installed
    AnyPenalty = RescoreConfig = Any

Pair = tuple[str, str]
"""A source and a translation of it."""


class Rescorer:
    """A model that scores candidates.

    Args:
        trained: a `translator.Trained`.
        language_model: whether it is one.
        languages: source and target of the translator.

    Raises:
        UserError: it is of other languages.
    """

    def __init__(self, config: RescoreConfig, trained: Any, language_model: bool, languages: tuple[str, str]) -> None:
        self.run, self.weight, self.trained = config.run, config.weight, trained
        own = (trained.config.src, trained.config.tgt)
        self.channel = not language_model and own == languages[::-1]
        self.sees_source = not language_model
        if not self.channel and own[not self.sees_source :] != languages[not self.sees_source :]:
            raise UserError(f"decoding.rescore: {self.run} is of {' to '.join(own)}; name a run from {languages[0]} to "
                            f"{languages[1]} or back, or a language model of {languages[1]}")  # fmt: skip

    def __call__(self, pairs: Sequence[Pair], penalty: AnyPenalty, batch_size: int) -> list[float]:
        """log p of each pair's translation, or of its source given the translation, normalised for length."""
        read, written = (list(side) for side in zip(*pairs, strict=True))
        if self.channel:
            read, written = written, read
        sources = _encode(self.trained.src_tokenizer, read) if self.sees_source else [[EOS]] * len(pairs)
        targets = _encode(self.trained.tgt_tokenizer, written)
        forced = force(self.trained.scorer, sources, targets, batch_size)
        found = []
        for tokens, one in zip(targets, forced, strict=True):  # no model writes <unk>
            logs = sum(log for token, log in zip(tokens, one.log_probabilities, strict=True) if token != UNK)
            found.append(float(normalize(np.array(logs), len(tokens), penalty)))
        return found


def rescored(
    sources: Sequence[str],
    found: Sequence[Sequence[Candidate]],
    rescorers: Sequence[Rescorer],
    penalty: AnyPenalty,
    batch_size: int,
) -> list[list[Candidate]]:
    """Each source's candidates by the sum of the search's score and the others' times their weights, best first.

    Args:
        penalty: what every log-probability is normalised by, each for its own length.
    """
    pairs = [(source, one.text) for source, candidates in zip(sources, found, strict=True) for one in candidates]
    scores = [each(pairs, penalty, batch_size) for each in rescorers] if pairs else []
    columns = iter(zip(*scores, strict=True))
    result = []
    for candidates in found:
        scored = [_weighed(one, next(columns), rescorers) for one in candidates]
        result.append(sorted(scored, key=lambda one: -one.score))
    return result


def _weighed(one: Candidate, scores: Sequence[float], rescorers: Sequence[Rescorer]) -> Candidate:
    total = one.score + sum(each.weight * score for each, score in zip(rescorers, scores, strict=True))
    parts = [("search", one.score), *((each.run, score) for each, score in zip(rescorers, scores, strict=True))]
    return replace(one, score=round(total / GRID) * GRID, scores=tuple(parts))


def _encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [[*ids, EOS] for ids in tokenizer.encode_batch(texts)]
