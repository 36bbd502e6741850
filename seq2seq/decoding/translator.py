"""Text in, text out: one translation for every line, in order. It imports no torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from seq2seq.data.tokenization import EOS, UNK, Tokenizer
from seq2seq.decoding.confidence import Calibration, sentence_probability
from seq2seq.decoding.constraints import ExcludedPhrases, ForcedPrefix
from seq2seq.decoding.coverage import CoveragePenalty, CoverageScorer
from seq2seq.decoding.diverse import diverse_beam_search
from seq2seq.decoding.forced import force
from seq2seq.decoding.mbr import rerank
from seq2seq.decoding.paragraphs import cut, sentences
from seq2seq.decoding.processors import MinLength, NoRepeatedNgram, Processor, RepetitionPenalty
from seq2seq.decoding.random_choice import RandomChoice
from seq2seq.decoding.scorer import Scorer
from seq2seq.decoding.search import Hypothesis, beam_search, search_all
from seq2seq.decoding.translation import NOTHING, Candidate, Translation
from seq2seq.decoding.words import Link, links, word_places, word_probabilities
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
    @property
    def confidence(self) -> Calibration | None: ...


@dataclass(frozen=True)
class Piece:
    """A part of a line that is translated by itself."""

    before: str
    """The white space between it and the piece before."""
    text: str
    tokens: list[int]
    """With </s>."""


class Translator:
    """Translates lines of text with a trained model.

    Args:
        config: how to search; None: as the recipe said.
        batch_size: sentences translated together; changes speed and memory, never a translation (in fp32).
        align: also tell where the best translation's words come from, which takes another pass.
    """

    def __init__(
        self, bundle: Trained, config: DecodingConfig | None = None, batch_size: int = 32, align: bool = False
    ) -> None:
        self.bundle = bundle
        self.config = config or bundle.config.decoding
        self.batch_size, self.align = batch_size, align
        self.scorer: Scorer = CoverageScorer(bundle.scorer) if self.config.coverage_penalty else bundle.scorer
        self.processors = make_processors(self.config, bundle.tgt_tokenizer)

    def translate(self, lines: Sequence[str], n_best: int = 1) -> list[Translation]:
        """One translation a line; blank lines give blank ones."""
        pieces = [self._pieces(line) for line in lines]
        flat = list(itertools.chain.from_iterable(pieces))
        found = [self._candidates(h) for h in self._search([piece.tokens for piece in flat], n_best)]
        looks = iter(self._looks(flat, found)) if self.align else itertools.repeat(None)
        each = zip(flat, found, looks, strict=False)
        return [
            self._join(line, list(itertools.islice(each, len(parts))), n_best)
            for line, parts in zip(lines, pieces, strict=True)
        ]

    def _search(self, encoded: list[list[int]], n_best: int) -> list[list[Hypothesis]]:
        if self.config.mbr is not None:
            n_best = max(n_best, self.config.mbr.candidates)
        if self.config.sampling is None:
            search = beam_search if self.config.diversity is None else diverse_beam_search
            return search_all(self.scorer, encoded, self.config, self.processors, self.batch_size, n_best, search)
        draws = []
        for draw in range(n_best):
            processors = [*self.processors, RandomChoice(self.config.sampling, draw)]
            draws.append(search_all(self.scorer, encoded, self.config, processors, self.batch_size))
        return [list(itertools.chain.from_iterable(samples)) for samples in zip(*draws, strict=True)]

    def _pieces(self, line: str) -> list[Piece]:
        """The line with its tokens; in parts where it is longer than the sentences that the model has seen."""
        if not line.strip():
            return []
        encode, limit = self.bundle.src_tokenizer.encode_batch, self.bundle.config.max_length or 1000
        (tokens,) = encode([line])
        if self.config.split == "never" or (self.config.split == "long" and len(tokens) <= limit):
            return self._cut(Piece("", line, tokens), limit)
        parts = list(sentences(line))
        encoded = encode([text for _, text in parts])
        pieces = (Piece(blank, text, ids) for (blank, text), ids in zip(parts, encoded, strict=True))
        return [part for piece in pieces for part in self._cut(piece, limit)]

    def _cut(self, piece: Piece, limit: int) -> list[Piece]:
        if len(piece.tokens) <= limit:
            return [replace(piece, tokens=[*piece.tokens, EOS])]
        blank, decode = " " if has_spaces(self.bundle.config.tgt) else "", self.bundle.src_tokenizer.decode
        parts = list(cut(piece.tokens, self.bundle.src_tokenizer, limit))
        return [Piece(piece.before if i == 0 else blank, decode(part), [*part, EOS]) for i, part in enumerate(parts)]

    def _candidates(self, hypotheses: list[Hypothesis]) -> list[Candidate]:
        """Different texts, best first."""
        tokenizer, curves = self.bundle.tgt_tokenizer, self.bundle.confidence
        found = []
        for one in hypotheses:
            logs = one.token_log_probabilities
            sure = sentence_probability(logs)
            words = word_probabilities(word_places(tokenizer, one.tokens), logs[:-1])
            if curves is not None:
                sure, words = curves.sentence(sure), [curves.word(word) for word in words]
            text = tokenizer.decode(one.tokens)
            found.append(
                Candidate(text, one.score, one.log_probability, tuple(one.tokens), tuple(logs), sure, tuple(words))
            )
        return self._ranked(found)

    def _looks(self, pieces: list[Piece], found: list[list[Candidate]]) -> list[np.ndarray | None]:
        """Of each piece the attention over its source as its best translation is written."""
        targets = [[*candidates[0].tokens, EOS] if candidates else [EOS] for candidates in found]
        forced = force(self.scorer, [piece.tokens for piece in pieces], targets, self.batch_size)
        return [one.attention for one in forced]

    def _join(
        self, line: str, parts: list[tuple[Piece, list[Candidate], np.ndarray | None]], n_best: int
    ) -> Translation:
        if not parts:
            return Translation(line, [NOTHING], 0, alignment=[] if self.align else None)
        unknown, alignment = self.bundle.src_tokenizer.unknown(line), self._alignment(parts)
        if len(parts) == 1:
            ((_, candidates, look),) = parts
            return Translation(line, candidates[:n_best] or [NOTHING], 1, unknown, alignment, look)
        best = [(piece.before, candidates[0]) for piece, candidates, _ in parts if candidates]
        text = "".join(before + candidate.text for before, candidate in best)
        score = sum(candidate.score for _, candidate in best) / max(1, len(best))
        words = tuple(itertools.chain.from_iterable(candidate.word_confidences for _, candidate in best))
        total = sum(len(candidate.word_confidences) * candidate.confidence for _, candidate in best)
        logs = math.fsum(candidate.log_probability for _, candidate in best)
        whole = Candidate(text, score, logs, confidence=total / max(1, len(words)), word_confidences=words)
        return Translation(line, [whole], len(parts), unknown, alignment)

    def _alignment(self, parts: list[tuple[Piece, list[Candidate], np.ndarray | None]]) -> list[Link] | None:
        """Of the whole line: words count on from piece to piece."""
        found: list[Link] = []
        if not self.align:
            return None
        before = (0, 0)
        for piece, candidates, look in parts:
            if look is None:
                return None
            target = candidates[0].text if candidates else ""
            places = (
                self.bundle.src_tokenizer.words([piece.text])[0],
                word_places(self.bundle.tgt_tokenizer, candidates[0].tokens) if candidates else [],
            )
            sizes = len(piece.text.split()), len(target.split())
            if len(places[0]) == len(piece.tokens) - 1:  # a word cut in two is read anew, and differently
                found += [(before[0] + s, before[1] + t) for s, t in links(look, *places)]
            before = (before[0] + sizes[0], before[1] + sizes[1])
        return found

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
    if config.coverage_penalty > 0:
        processors.append(CoveragePenalty(config.coverage_penalty, config.length_penalty))
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
