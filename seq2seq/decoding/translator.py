"""Text in, text out: one translation for every line, in order. It imports no torch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from seq2seq.data.tokenization import EOS, UNK, Tokenizer
from seq2seq.decoding.constraints import ExcludedPhrases, ForcedPrefix
from seq2seq.decoding.mbr import rerank
from seq2seq.decoding.processors import MinLength, NoRepeatedNgram, Processor, RepetitionPenalty
from seq2seq.decoding.random_choice import RandomChoice
from seq2seq.decoding.scorer import Scorer
from seq2seq.decoding.search import Hypothesis, search_all
from seq2seq.decoding.translation import NOTHING, Candidate, Translation, cut
from seq2seq.errors import UserError
from seq2seq.languages import has_spaces

if TYPE_CHECKING:
    from seq2seq.recipe import DecodingConfig
else:  # an exported model translates where no pydantic is installed
    DecodingConfig = Any


@runtime_checkable
class Trained(Protocol):
    """A trained translator's parts: a `bundle.Bundle`, or an exported model."""

    @property
    def config(self) -> Any:
        """`src`, `tgt`, `max_length`, `decoding`: see `bundle.BundleConfig`."""
        ...

    @property
    def src_tokenizer(self) -> Tokenizer: ...
    @property
    def tgt_tokenizer(self) -> Tokenizer: ...
    @property
    def scorer(self) -> Scorer: ...


class Translator:
    """Translates lines of text with a trained model.

    Args:
        config: how to search; None: as the recipe said.
        batch_size: sentences translated together; changes speed and memory, never a translation (in fp32).
    """

    def __init__(self, bundle: Trained, config: DecodingConfig | None = None, batch_size: int = 32) -> None:
        self.bundle = bundle
        self.config = config or bundle.config.decoding
        self.batch_size = batch_size
        self.scorer = bundle.scorer
        self.processors = make_processors(self.config, bundle.tgt_tokenizer)

    def translate(self, lines: Sequence[str], n_best: int = 1) -> list[Translation]:
        """One translation a line; blank lines give blank ones."""
        pieces = [self._pieces(line) for line in lines]
        encoded = list(itertools.chain.from_iterable(pieces))
        found = iter(self._search(encoded, n_best))
        return [
            self._join(line, [next(found) for _ in parts], n_best) for line, parts in zip(lines, pieces, strict=True)
        ]

    def _search(self, encoded: list[list[int]], n_best: int) -> list[list[Hypothesis]]:
        if self.config.mbr is not None:
            n_best = max(n_best, self.config.mbr.candidates)
        if self.config.sampling is None:
            return search_all(self.scorer, encoded, self.config, self.processors, self.batch_size, n_best)
        draws = []
        for draw in range(n_best):
            processors = [*self.processors, RandomChoice(self.config.sampling, draw)]
            draws.append(search_all(self.scorer, encoded, self.config, processors, self.batch_size))
        return [list(itertools.chain.from_iterable(samples)) for samples in zip(*draws, strict=True)]

    def _pieces(self, line: str) -> list[list[int]]:
        """The line's tokens with </s>, cut where it is longer than the sentences that the model has seen."""
        if not line.strip():
            return []
        tokens = self.bundle.src_tokenizer.encode_batch([line])[0]
        limit = self.bundle.config.max_length or 1000
        return [[*piece, EOS] for piece in cut(tokens, self.bundle.src_tokenizer, limit)]

    def _join(self, line: str, pieces: list[list[Hypothesis]], n_best: int) -> Translation:
        if not pieces:
            return Translation(line, [NOTHING], 0)
        decode, unknown = self.bundle.tgt_tokenizer.decode, self.bundle.src_tokenizer.unknown(line)
        if len(pieces) == 1:
            candidates = [Candidate(decode(h.tokens), h.score, h.log_probability, tuple(h.tokens)) for h in pieces[0]]
            return Translation(line, self._ranked(candidates)[:n_best] or [NOTHING], 1, unknown)
        ranked = [self._ranked([Candidate(decode(h.tokens), h.score, h.log_probability) for h in p]) for p in pieces]
        best = [candidates[0] for candidates in ranked if candidates]
        blank = " " if has_spaces(self.bundle.config.tgt) else ""
        text = blank.join(candidate.text for candidate in best)
        score = sum(candidate.score for candidate in best) / max(1, len(best))
        whole = Candidate(text, score, sum(candidate.log_probability for candidate in best))
        return Translation(line, [whole], len(pieces), unknown)

    def _ranked(self, candidates: list[Candidate]) -> list[Candidate]:
        """The different texts, best first."""
        if self.config.mbr is not None and candidates:
            return rerank(candidates, self.config.sampling is not None, self.config.mbr, self.bundle.config.tgt)
        by_text = {candidate.text: candidate for candidate in reversed(candidates)}
        return sorted(by_text.values(), key=lambda candidate: -candidate.score)


def make_processors(config: DecodingConfig, tokenizer: Tokenizer) -> list[Processor]:
    """What a recipe's `decoding` asks for beyond the search itself.

    Args:
        tokenizer: the target's.
    """
    processors: list[Processor] = []
    if config.min_length.ratio > 0 or config.min_length.offset > 0:
        processors.append(MinLength(config.min_length, tokenizer.blanks))
    if config.no_repeat_ngram_size > 0:
        processors.append(NoRepeatedNgram(config.no_repeat_ngram_size))
    if config.repetition_penalty > 1:
        processors.append(RepetitionPenalty(config.repetition_penalty))
    if config.exclude:
        processors.append(ExcludedPhrases(config.exclude, tokenizer))
    if config.prefix:
        processors.append(ForcedPrefix(_prefix_tokens(config.prefix, tokenizer)))
    return processors


def _prefix_tokens(prefix: str, tokenizer: Tokenizer) -> list[int]:
    (tokens,) = tokenizer.encode_batch([prefix])
    if UNK in tokens:
        unknown = ", ".join(map(repr, tokenizer.unknown(prefix)))
        raise UserError(f"decoding.prefix: the model's vocabulary has no token for {unknown}; use other words")
    return tokens


def check_n_best(n_best: int, config: DecodingConfig) -> None:
    """Raises UserError where a search cannot give so many translations of a sentence."""
    if n_best < 1:
        raise UserError(f"n_best {n_best}: must be 1 or more")
    if n_best > config.beam_size and config.sampling is None:
        raise UserError(f"n_best {n_best}: the beam holds {config.beam_size}; set decoding.beam_size={n_best} or more")
