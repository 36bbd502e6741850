"""The sections `decoding` and `evaluation`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seq2seq.recipe.base import Config, Positive, impossible, named


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
    """The exponent: 0 favours short translations as no penalty does; the larger, the longer they become."""


_Penalty = Annotated[NoPenaltyConfig | AveragePenaltyConfig | WuPenaltyConfig, Field(discriminator="kind")]
AnyPenalty = Annotated[_Penalty, named(_Penalty, WuPenaltyConfig)]


class MaxLengthConfig(Config):
    """Longest translation: `ratio` times the source's tokens, plus `offset`."""

    ratio: Annotated[float, Field(ge=0)] = 1.5
    """Tokens of the translation for each token of the source."""
    offset: Positive = 10
    """Tokens on top of that."""


class DecodingConfig(Config):
    """How translations are searched for."""

    beam_size: Annotated[int, Field(ge=1, le=1000)] = 5
    """Hypotheses kept at each step; 1 is greedy search."""
    length_penalty: AnyPenalty = WuPenaltyConfig()
    """What hypotheses of different lengths are compared by."""
    max_length: MaxLengthConfig = MaxLengthConfig()
    """Where a translation is cut off."""


class EvaluationConfig(Config):
    """How test sets are scored, with sacreBLEU."""

    metrics: Annotated[list[Literal["bleu", "chrf", "ter"]], Field(min_length=1)] = ["bleu", "chrf", "ter"]
    """Which scores: BLEU and chrF (0 to 100, higher is better), TER (from 0, lower is better)."""
    bootstrap: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Resamplings behind the 95 % intervals; 0: no intervals."""

    @model_validator(mode="after")
    def _each_once(self) -> EvaluationConfig:
        if len(set(self.metrics)) != len(self.metrics):
            raise impossible("metrics", "a metric is named twice; name each once")
        return self
