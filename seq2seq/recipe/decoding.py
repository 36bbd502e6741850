"""The sections `decoding` and `evaluation`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Faults, PathName, named, rule


class NoPenaltyConfig(Config):
    """Hypotheses compete by their log-probability: favours short ones."""

    kind: Literal["none"]


class AveragePenaltyConfig(Config):
    """By log-probability a token."""

    kind: Literal["average"]


class WuPenaltyConfig(Config):
    """By log-probability over ((5 + length) / 6)^alpha (GNMT: Wu et al. 2016, equation 14)."""

    kind: Literal["wu"] = "wu"
    alpha: Annotated[float, Field(ge=0, le=5)] = 1.0
    """The exponent: the larger, the longer translations become."""

    @rule
    def _penalises(self) -> Faults:
        if self.alpha == 0:
            yield "alpha", "0 is no penalty; set kind: none"


_Penalty = Annotated[NoPenaltyConfig | AveragePenaltyConfig | WuPenaltyConfig, Field(discriminator="kind")]
AnyPenalty = Annotated[_Penalty, named(_Penalty, WuPenaltyConfig)]


class MaxLengthConfig(Config):
    """Longest translation: `ratio` times the source's tokens, plus `offset`."""

    ratio: Annotated[float, Field(ge=0, le=100)] = 1.5
    """Tokens of the translation for each token of the source."""
    offset: Annotated[int, Field(gt=0, le=10_000)] = 10
    """Tokens on top of that."""


class MinLengthConfig(Config):
    """Shortest translation: `ratio` times the source's tokens, plus `offset`, without counting blanks and </s>."""

    ratio: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Tokens of the translation for each token of the source."""
    offset: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Tokens on top of that; at the default no translation is empty."""


class SamplingConfig(Config):
    """Tokens drawn by chance, from the model's probabilities, in place of the likeliest."""

    temperature: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    """What log-probabilities are divided by: below 1 the likely become likelier."""
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Only so many likeliest tokens (Fan et al. 2018); 0: all."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Only the likeliest tokens that together have this probability (nucleus: Holtzman et al. 2020)."""
    epsilon: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Only tokens of at least this probability (Hewitt et al. 2022)."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Random seed of the draws."""


class DiversityConfig(Config):
    """Diverse beam search (Vijayakumar et al. 2018): groups of hypotheses that keep apart, for different n best."""

    groups: Annotated[int, Field(ge=2, le=1000)] = 5
    """How many, of `beam_size / groups` hypotheses each."""
    strength: Annotated[float, Field(gt=0, le=100)] = 0.5
    """What a token costs, in nats, for each hypothesis of the groups before that has it at the same place."""


class MbrConfig(Config):
    """Minimum Bayes risk: of several translations the one that the others agree with most (Eikema & Aziz 2020)."""

    metric: Literal["chrf", "bleu"] = "chrf"
    """What agreement is measured by, sentence by sentence."""
    candidates: Annotated[int, Field(ge=2, le=1000)] = 32
    """Translations to choose from: the best of the beam, or with sampling so many draws."""


class LanguageModelConfig(Config):
    """Shallow fusion (Gulcehre et al. 2015): a language model has a say in what is written."""

    run: PathName
    """The run folder of a recipe with `task: language_model` and the same target tokenizer; for an exported model, a
    folder that was exported of it."""
    weight: Annotated[float, Field(gt=0, le=10)] = 0.2
    """What its log-probabilities are multiplied by."""


class RescoreConfig(Config):
    """Another model scores the candidates: a translator of the same direction or of the other one (a noisy channel:
    Yee et al. 2019), one that writes from right to left (`data.reverse_target`), or a language model."""

    run: PathName
    """Its run folder; for an exported model, a folder that was exported of it."""
    weight: Annotated[float, Field(gt=0, le=100)] = 1.0
    """What its log-probability, normalised for length as the search's, is multiplied by before it is added."""


_Phrase = Annotated[str, Field(min_length=1, max_length=1000)]


class DecodingConfig(Config):
    """How translations are searched for."""

    beam_size: Annotated[int, Field(ge=1, le=1000)] = 5
    """Hypotheses kept at each step; 1 is greedy search."""
    length_penalty: AnyPenalty = WuPenaltyConfig()
    """What hypotheses of different lengths are compared by."""
    coverage_penalty: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Raises the score of a translation that ends by so many times the sum, over the source's tokens, of
    log min(attention received, 1): what leaves words out loses (Wu et al. 2016, equation 14); 0: nothing."""
    max_length: MaxLengthConfig = MaxLengthConfig()
    """Where a translation is cut off."""

    min_length: MinLengthConfig = MinLengthConfig()
    """Before what length a translation cannot end."""
    no_repeat_ngram_size: Annotated[int, Field(ge=0, le=1000)] = 0
    """So many tokens in a row come once in a translation at most (Paulus et al. 2018); 0: that is not looked at."""
    repetition_penalty: Annotated[float, Field(ge=1, le=100)] = 1.0
    """What the log-probability of a token that has been written is multiplied by (Keskar et al. 2019); 1: nothing."""
    prefix: Annotated[str, Field(max_length=1000)] = ""
    """What translations begin with."""
    require: Annotated[list[_Phrase], Field(max_length=100)] = []
    """Words, or several in a row, that every translation holds (Post & Vilar 2018): whole words of languages that write
    spaces. A beam of 10 or more suits several."""
    glossary: PathName | Annotated[dict[_Phrase, _Phrase], Field(max_length=10_000)] | None = None
    """A TSV file of source and target phrases, or the phrases themselves: where a line holds the one, whole words of
    languages that write spaces, its translation holds the other; null: none."""
    exclude: Annotated[list[_Phrase], Field(max_length=1000)] = []
    """Words, or several in a row, that translations do not hold: whole words of languages that write spaces."""

    @rule
    def _excludes_words(self) -> Faults:
        for key in ("exclude", "require"):
            for i, phrase in enumerate(getattr(self, key)):
                if not phrase.strip():
                    yield f"{key}.{i}", "is blank; name a word, or remove it"

    language_model: LanguageModelConfig | None = None
    """That has a say in what is written; null: none."""

    rescore: Annotated[list[RescoreConfig], Field(max_length=20)] = []
    """Models by whose scores too the search's candidates, as many as the beam holds, are ranked."""

    @rule
    def _has_candidates_to_score(self) -> Faults:
        if self.rescore and self.mbr is not None:
            yield "rescore", "decides with scores, mbr with the candidates' agreement; remove one of them"
        if self.beam_size == 1 and self.sampling is None:
            yield from self.without_effect("rescore", "with beam_size 1, which finds one candidate; raise it")
        if len({each.run for each in self.rescore}) < len(self.rescore):
            yield "rescore", "a run is there twice; add up the weights"

    keep: list[Literal["placeholders", "urls", "emails", "numbers", "tags", "unknown"]] = []
    """What translations hold as the source has it, put in place by attention (Luong et al. 2015, Jean et al. 2015):
    `{name}`, `%s`; addresses; numbers in digits; XML and HTML tags; words that the model has no tokens for."""

    @rule
    def _keeps_each_once(self) -> Faults:
        if len(set(self.keep)) < len(self.keep):
            yield "keep", "one of them is there twice; remove it"

    sampling: SamplingConfig | None = None
    """Draw translations by chance, `--n-best` of them; null: search for the best."""

    diversity: DiversityConfig | None = None
    """Search in groups that keep apart; null: in one beam."""

    split: Literal["long", "always", "never"] = "long"
    """Which lines are split into sentences, translated one by one and joined with the white space between them: those
    longer than the training's longest sentence, all, or none (long lines are then cut where they are too long)."""

    mbr: MbrConfig | None = None
    """Choose the translation by minimum Bayes risk; null: by its score."""

    @rule
    def _has_candidates(self) -> Faults:
        if self.mbr is not None and self.sampling is None and self.mbr.candidates > self.beam_size:
            yield "mbr.candidates", f"the beam holds {self.beam_size}; lower it, raise beam_size, or set sampling"

    @rule
    def _draws_or_searches(self) -> Faults:
        if self.sampling is not None and self.beam_size != 1:
            yield "beam_size", "a beam searches, sampling draws; set beam_size to 1, or sampling to null"

    @rule
    def _searches_for_phrases(self) -> Faults:
        if self.sampling is not None:
            for key in ("require", "glossary"):
                yield from self.without_effect(key, "with sampling; set sampling to null, or remove it")

    @rule
    def _has_groups(self) -> Faults:
        if self.diversity is not None and self.beam_size % self.diversity.groups:
            groups = self.diversity.groups
            yield "diversity.groups", f"beam_size {self.beam_size} cannot be shared out evenly to {groups} groups"

    @rule
    def _has_room(self) -> Faults:
        least, most = self.min_length, self.max_length
        if least.ratio > most.ratio or least.offset > most.offset:
            yield "min_length", "asks for more than max_length allows; lower it, or raise max_length"

    @rule
    def _compares(self) -> Faults:
        if self.beam_size == 1:
            why = "with beam_size 1, where nothing is compared; set it to none (length_penalty=none), or remove it"
            yield from self.without_effect("length_penalty", why)


MetricName = Literal["bleu", "chrf", "chrf++", "ter", "spbleu", "spbleu101", "comet"]


class EvaluationConfig(Config):
    """How test sets are scored, with sacreBLEU."""

    metrics: Annotated[list[MetricName], Field(min_length=1)] = ["bleu", "chrf", "ter"]
    """Which scores: BLEU and chrF (0 to 100, higher is better), TER (from 0, lower is better); spbleu and spbleu101
    (BLEU of SentencePiece's tokens, by the models of FLORES-200 and -101, which sacreBLEU has to have); comet."""
    comet: PathName | None = None
    """The folder of COMET's model, counted from the recipe's, for the metric comet; none is ever downloaded."""
    bootstrap: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Resamplings behind the 95 % intervals; 0: no intervals."""

    @rule
    def _each_once(self) -> Faults:
        if len(set(self.metrics)) != len(self.metrics):
            yield "metrics", "a metric is named twice; name each once"
        if "comet" in self.metrics and self.comet is None:
            yield "comet", "the metric comet needs a model's folder; name it here"
        if "comet" not in self.metrics and self.comet is not None:
            yield "comet", "has no effect without the metric comet; add it to metrics"

    @property
    def comet_folder(self) -> Path | None:
        """Of COMET's model."""
        return None if self.comet is None else Path(self.comet)
