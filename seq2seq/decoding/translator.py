"""Text in, text out: one translation for every line, in order. It imports no torch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from seq2seq.data.tokenization import EOS, Tokenizer
from seq2seq.decoding.confidence import Calibration, sentence_probability
from seq2seq.decoding.constraints import ExcludedPhrases, ForcedPrefix, tokens_of
from seq2seq.decoding.coverage import CoveragePenalty, CoverageScorer
from seq2seq.decoding.diverse import diverse_beam_search
from seq2seq.decoding.forced import force
from seq2seq.decoding.fusion import FusionScorer, ShallowFusion
from seq2seq.decoding.glossary import Terms
from seq2seq.decoding.keep import Keeper, put_back
from seq2seq.decoding.markup import Layout, placed
from seq2seq.decoding.mbr import rerank
from seq2seq.decoding.paragraphs import Piece, pieces
from seq2seq.decoding.processors import MinLength, NoRepeatedNgram, Processor, RepetitionPenalty
from seq2seq.decoding.random_choice import RandomChoice
from seq2seq.decoding.required import Phrases, RequiredPhrases
from seq2seq.decoding.rescore import Rescorer, rescored
from seq2seq.decoding.scorer import Scorer
from seq2seq.decoding.search import Hypothesis, beam_search, search_all
from seq2seq.decoding.translation import NOTHING, Candidate, Translation, joined
from seq2seq.decoding.words import by_words, links, word_places, word_probabilities
from seq2seq.errors import UserError
from seq2seq.languages import has_spaces

if TYPE_CHECKING:
    from seq2seq.recipe import DecodingConfig, RescoreConfig
else:  # an exported model translates where no pydantic is installed
    DecodingConfig = RescoreConfig = Any


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
    @property
    def beside(self) -> Callable[[str], Trained]:
        """Loads another run's model as this one was, where it was."""
        ...


class Translator:
    """Translates lines of text with a trained model.

    Args:
        config: how to search; None: as the recipe said.
        batch_size: sentences translated together; changes speed and memory; in fp32 no translation, unless rounding
            decides which of two is the better one.
        align: also tell where the best translation's words come from, which takes another pass.
    """

    def __init__(
        self, bundle: Trained, config: DecodingConfig | None = None, batch_size: int = 32, align: bool = False
    ) -> None:
        self.bundle = bundle
        self.config = config or bundle.config.decoding
        self.batch_size, self.align = batch_size, align
        if is_language_model(bundle):
            raise UserError(f"{bundle.config.name}: a language model, which translates nothing; name the run in a "
                            "translator's decoding.language_model, or score texts with it: seq2seq score")  # fmt: skip
        self.scorer: Scorer = bundle.scorer
        if self.config.language_model is not None:
            self.scorer = FusionScorer(self.scorer, language_model_of(self.config.language_model.run, bundle))
        if self.config.coverage_penalty:
            self.scorer = CoverageScorer(self.scorer)
        self.rescorers = [rescorer(each, bundle) for each in self.config.rescore]
        self.processors = make_processors(self.config, bundle.tgt_tokenizer)
        glossary = self.config.glossary
        self.keeper = Keeper(self.config.keep, bundle.src_tokenizer)
        for language in (bundle.config.src, bundle.config.tgt):
            if self.config.keep and not has_spaces(language):
                raise UserError(f"decoding.keep: {language} puts no spaces between words, by which things are put "
                                "back in place; remove it")  # fmt: skip
        tokenizer, spaced = bundle.tgt_tokenizer, has_spaces(bundle.config.tgt)
        self._phrases = functools.lru_cache(1000)(lambda texts: Phrases(texts, tokenizer, spaced) if texts else None)
        self._phrases(tuple(self.config.require))  # what cannot be written is said at once
        self.terms = None if glossary is None else Terms(glossary, has_spaces(bundle.config.src))

    def translate(
        self, lines: Sequence[str], n_best: int = 1, phrases: Sequence[Sequence[str]] | None = None
    ) -> list[Translation]:
        """One translation a line; blank lines give blank ones.

        Args:
            phrases: that each line's translation has to hold, besides those of `decoding.require`.

        Raises:
            UserError: the vocabulary has no tokens for a phrase.
        """
        own = phrases or [()] * len(lines)
        texts = [self.keeper.without_tags(line) for line in lines]
        parts = [self._pieces(text, required) for (text, _), required in zip(texts, own, strict=True)]
        flat = list(itertools.chain.from_iterable(parts))
        found = [self._candidates(h) for h in self._search(flat, n_best)]
        if self.rescorers:
            sources, penalty = [piece.text for piece in flat], self.config.length_penalty
            found = rescored(sources, found, self.rescorers, penalty, self.batch_size)
        found = [candidates[:n_best] for candidates in found]
        each = iter(zip(flat, self._aligned(flat, found), strict=True))
        return [
            self._join(line, layout, list(itertools.islice(each, len(of_line))))
            for line, (_, layout), of_line in zip(lines, texts, parts, strict=True)
        ]

    @functools.cached_property
    def aligns(self) -> bool:
        """Whether it tells where words come from: it was asked to, and the model has attention."""
        return self.align and self.translate(["a"])[0].alignment is not None

    def _search(self, pieces: list[Piece], n_best: int) -> list[list[Hypothesis]]:
        if self.config.mbr is not None:
            n_best = max(n_best, self.config.mbr.candidates)
        if self.config.rescore:
            n_best = max(n_best, self.config.beam_size)
        needs = [self._phrases(piece.require) for piece in pieces]
        if not any(needs):
            return self._plain([piece.tokens for piece in pieces], n_best, self.processors)
        groups = self.config.diversity.groups if self.config.diversity else 1
        required = RequiredPhrases(needs, self.config.beam_size // groups)
        found = self._plain([piece.tokens for piece in pieces], n_best, [*self.processors, required])
        failed = [i for i, phrases in enumerate(needs) if phrases and not found[i]]
        again = self._plain([pieces[i].tokens for i in failed], n_best, self.processors)
        for i, hypotheses in zip(failed, again, strict=True):
            found[i] = hypotheses
        return found

    def _plain(self, encoded: list[list[int]], n_best: int, processors: Sequence[Processor]) -> list[list[Hypothesis]]:
        if self.config.sampling is None:
            search = beam_search if self.config.diversity is None else diverse_beam_search
            return search_all(self.scorer, encoded, self.config, processors, self.batch_size, n_best, search)
        draws = []
        for draw in range(n_best):
            drawn = [*processors, RandomChoice(self.config.sampling, draw)]
            draws.append(search_all(self.scorer, encoded, self.config, drawn, self.batch_size))
        return [list(itertools.chain.from_iterable(samples)) for samples in zip(*draws, strict=True)]

    def _pieces(self, line: str, phrases: Sequence[str]) -> list[Piece]:
        """The line's parts; required phrases are those of the longest."""
        config = self.bundle.config
        blank = " " if has_spaces(config.tgt) else ""
        found = pieces(line, self.bundle.src_tokenizer, self.config.split, config.max_length or 1000, blank)
        found = [self.keeper.shown(piece) for piece in found] if self.config.keep else found
        wanted = [*self.config.require, *phrases]
        if found and wanted:
            if self.config.sampling is not None:
                raise UserError("required phrases have no effect with decoding.sampling; set it to null")
            longest = max(range(len(found)), key=lambda i: len(found[i].tokens))
            found[longest] = replace(found[longest], require=tuple(wanted))
        if self.terms is None:
            return found
        return [replace(one, require=(*one.require, *self.terms.required(one.text))) for one in found]

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

    def _aligned(self, pieces: list[Piece], found: list[list[Candidate]]) -> list[list[Candidate]]:
        """The best candidates, or where something is kept all of them, with alignment, attention and what is kept."""
        wanted = None if self.config.keep else 1 if self.align else 0
        chosen = [(i, one) for i, candidates in enumerate(found) for one in candidates[:wanted]]
        sources, targets = [pieces[i].tokens for i, _ in chosen], [[*one.tokens, EOS] for _, one in chosen]
        aligned: list[list[Candidate]] = [[] for _ in found]
        for (i, one), forced in zip(chosen, force(self.scorer, sources, targets, self.batch_size), strict=True):
            aligned[i].append(one if forced.attention is None else self._looked(pieces[i], one, forced.attention))
            if forced.attention is None and self.config.keep:
                raise UserError("decoding.keep: this model has no attention to put things back in place by; remove it")
        return [[*first, *candidates[len(first) :]] for first, candidates in zip(aligned, found, strict=True)]

    def _looked(self, piece: Piece, one: Candidate, look: np.ndarray) -> Candidate:
        places: Sequence[int] = piece.places or self.bundle.src_tokenizer.words([piece.text])[0]
        if len(places) != len(piece.tokens) - 1:  # a word cut in two is read otherwise
            places = ()
        attention = by_words(look, places, word_places(self.bundle.tgt_tokenizer, one.tokens))
        one = replace(one, alignment=tuple(links(attention)), attention=look)
        return put_back(one, self.keeper.items(piece.text), attention)

    def _join(self, line: str, layout: Layout | None, parts: list[tuple[Piece, list[Candidate]]]) -> Translation:
        firsts = [(piece, candidates[0] if candidates else NOTHING) for piece, candidates in parts]
        best = (parts[0][1] if len(parts) == 1 else [joined(firsts)] if parts else []) or [NOTHING]
        if layout is not None:
            best = [replace(one, text=placed(layout, one.text.split(), one.alignment or ()).strip()) for one in best]
        links, look = (best[0].alignment, best[0].attention) if self.align else (None, None)
        unknown, alignment = self.bundle.src_tokenizer.unknown(line), None if links is None else list(links)
        return Translation(line, best, len(parts), unknown, self._missing(parts), alignment, look)

    def _missing(self, parts: list[tuple[Piece, list[Candidate]]]) -> list[str]:
        """Required phrases that a part's best translation does not hold."""
        each = ((self._phrases(piece.require), candidates) for piece, candidates in parts)
        return [text for phrases, found in each if phrases for text in phrases.missing(found[0].text if found else "")]

    def _ranked(self, candidates: list[Candidate]) -> list[Candidate]:
        """The different texts, best first; of equal ones the first that was found, however many are wanted."""
        if self.config.mbr is not None and candidates:
            return rerank(candidates, self.config.sampling is not None, self.config.mbr, self.bundle.config.tgt)
        by_text = dict[str, Candidate]()
        for candidate in candidates:
            by_text.setdefault(candidate.text, candidate)
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
    if config.language_model is not None:
        processors.append(ShallowFusion(config.language_model.weight))
    if config.coverage_penalty > 0:
        processors.append(CoveragePenalty(config.coverage_penalty, config.length_penalty))
    if config.exclude:
        processors.append(ExcludedPhrases(config.exclude, tokenizer))
    if config.prefix:
        if tokenizer.backward:
            raise UserError("decoding.prefix: this model writes from right to left, the beginning last; remove it")
        processors.append(ForcedPrefix(tokens_of(config.prefix, tokenizer, "decoding.prefix")))
    return processors


def is_language_model(trained: Trained) -> bool:
    """Whether its recipe had `task: language_model`."""
    return getattr(trained.config, "task", "translation") == "language_model"  # exported models of old lack the key


def language_model_of(run: str, bundle: Trained) -> Scorer:
    """A run's language model, for a translator.

    Raises:
        UserError: it is none, or has another target vocabulary.
    """
    loaded = bundle.beside(run)
    if not is_language_model(loaded):
        raise UserError(f"decoding.language_model: {run} is a translator; name a run with task: language_model")
    if loaded.tgt_tokenizer.pieces != bundle.tgt_tokenizer.pieces:
        raise UserError(f"decoding.language_model: {run}: its {loaded.config.tgt} vocabulary is not the translator's; "
                        "train it on the same data with the same tokenizer")  # fmt: skip
    if loaded.tgt_tokenizer.backward != bundle.tgt_tokenizer.backward:
        raise UserError(f"decoding.language_model: {run}: writes in the other direction than the translator; train it "
                        "with the same data.reverse_target")  # fmt: skip
    return loaded.scorer


def rescorer(config: RescoreConfig, bundle: Trained) -> Rescorer:
    """Loads a run that scores a translator's candidates."""
    loaded = bundle.beside(config.run)
    return Rescorer(config, loaded, is_language_model(loaded), (bundle.config.src, bundle.config.tgt))


def check_n_best(n_best: int, config: DecodingConfig) -> None:
    """Raises UserError where a search cannot give so many translations of a sentence."""
    if n_best < 1:
        raise UserError(f"n_best {n_best}: must be 1 or more")
    if n_best > config.beam_size and config.sampling is None:
        raise UserError(f"n_best {n_best}: the beam holds {config.beam_size}; set decoding.beam_size={n_best} or more")
