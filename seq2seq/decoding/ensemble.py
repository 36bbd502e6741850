"""Several models that write one translation together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.data.tokenization import Tokenizer
from seq2seq.decoding.scorer import NumpyLogits, Scorer, State
from seq2seq.decoding.translator import Trained
from seq2seq.errors import UserError


@dataclass(frozen=True)
class EnsembleState:
    """The state of each member."""

    members: list[State]

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> EnsembleState:
        return EnsembleState([state.select(rows, sentences) for state in self.members])


class EnsembleScorer:
    """Next tokens' probabilities are the weighted mean of the members' (Sutskever et al. 2014, section 3.6).

    Args:
        weights: of the members, above 0; they need not sum to 1.
    """

    def __init__(self, members: Sequence[Scorer], weights: Sequence[float]) -> None:
        self.members, self.shares = members, [weight / sum(weights) for weight in weights]

    def start(self, sources: Sequence[Sequence[int]]) -> EnsembleState:
        return EnsembleState([member.start(sources) for member in self.members])

    def step(self, tokens: np.ndarray, state: EnsembleState) -> tuple[NumpyLogits, EnsembleState]:
        steps = [member.step(tokens, part) for member, part in zip(self.members, state.members, strict=True)]
        weighted = zip(self.shares, (logits for logits, _ in steps), strict=True)
        mean = sum(share * np.exp(logits.log_probabilities()) for share, logits in weighted)
        with np.errstate(divide="ignore"):
            values = np.log(mean)
        return NumpyLogits(values, np.zeros(values.shape[:2])), EnsembleState([after for _, after in steps])


@dataclass(frozen=True)
class Ensemble:
    """Trained models as one: languages, tokenizers and settings are the first one's."""

    config: Any
    src_tokenizer: Tokenizer
    tgt_tokenizer: Tokenizer
    scorer: Scorer


def ensemble_of(models: Sequence[Trained], names: Sequence[str], weights: Sequence[float]) -> Ensemble:
    """Join trained models.

    Args:
        names: what the user calls them, for errors.
        weights: one a model; none: all alike.

    Raises:
        UserError: they have different tokenizers, or weights that are not theirs.
    """
    first, weights = models[0], weights or [1.0] * len(models)
    if len(weights) != len(models):
        raise UserError(f"--weight: {len(weights)} weights for {len(models)} models; give one for each, RUN's first")
    for weight in weights:
        if not 0 < weight < float("inf"):
            raise UserError(f"--weight {weight}: must be above 0")
    for model, name in zip(models, names, strict=True):
        for side in ("src_tokenizer", "tgt_tokenizer"):
            if getattr(model, side).pieces != getattr(first, side).pieces:
                raise UserError(f"--ensemble {name}: its {side[:3]} vocabulary is not that of {names[0]}; "
                                "train both on the same data with the same tokenizer")  # fmt: skip
    scorer = EnsembleScorer([model.scorer for model in models], weights)
    return Ensemble(first.config, first.src_tokenizer, first.tgt_tokenizer, scorer)
