"""The sections `decoding` and `evaluation`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seq2seq.recipe.section import Positive, Section, impossible, named


class NoPenalty(Section):
    """Hypotheses compete by their log-probability: favours short ones."""

    kind: Literal["none"]


class AveragePenalty(Section):
    """By log-probability a token."""

    kind: Literal["average"]


class WuPenalty(Section):
    """By log-probability over ((5 + length) / 6)^alpha (GNMT: Wu et al. 2016, equation 14)."""

    kind: Literal["wu"] = "wu"
    alpha: Annotated[float, Field(ge=0, le=5)] = 1.0


_Penalty = Annotated[NoPenalty | AveragePenalty | WuPenalty, Field(discriminator="kind")]
AnyPenalty = Annotated[_Penalty, named(_Penalty, default="wu")]


class MaxLength(Section):
    """Longest translation: `ratio` times the source's tokens, plus `offset`."""

    ratio: Annotated[float, Field(ge=0)] = 1.5
    offset: Positive = 10


class Decoding(Section):
    """How translations are searched for."""

    beam_size: Annotated[int, Field(ge=1, le=1000)] = 5
    """Hypotheses kept at each step; 1 is greedy search."""
    length_penalty: AnyPenalty = WuPenalty()
    max_length: MaxLength = MaxLength()


class Evaluation(Section):
    """How test sets are scored, with sacreBLEU."""

    metrics: Annotated[list[Literal["bleu", "chrf", "ter"]], Field(min_length=1)] = ["bleu", "chrf", "ter"]
    bootstrap: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Resamplings behind the 95 % intervals; 0: no intervals."""

    @model_validator(mode="after")
    def _each_once(self) -> Evaluation:
        if len(set(self.metrics)) != len(self.metrics):
            raise impossible("metrics", "a metric is named twice; name each once")
        return self
