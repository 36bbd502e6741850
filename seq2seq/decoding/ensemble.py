"""Several models that write one translation together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.data.tokenization import Tokenizer
from seq2seq.decoding.confidence import Calibration
from seq2seq.decoding.scorer import NumpyLogits, Scorer, State
from seq2seq.decoding.translator import Trained
from seq2seq.errors import UserError


@dataclass(frozen=True)
class EnsembleState:
    """The state of each member."""

    members: list[State]
    shares: Sequence[float]

    @property
    def attention(self) -> np.ndarray | None:
        """The members' weighted mean; None where one has none."""
        looks = [look for state in self.members if (look := getattr(state, "attention", None)) is not None]
        if len(looks) < len(self.members):
            return None
        return np.asarray(np.average(np.stack(looks), 0, np.array(self.shares)))

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> EnsembleState:
        return EnsembleState([state.select(rows, sentences) for state in self.members], self.shares)


class EnsembleScorer:
    """Next tokens' probabilities are the weighted mean of the members' (Sutskever et al. 2014, section 3.6).

    Args:
        weights: of the members, above 0; they need not sum to 1.
    """

    def __init__(self, members: Sequence[Scorer], weights: Sequence[float]) -> None:
        self.members, self.shares = members, [weight / sum(weights) for weight in weights]

    def start(self, sources: Sequence[Sequence[int]]) -> EnsembleState:
        return EnsembleState([member.start(sources) for member in self.members], self.shares)

    def step(self, tokens: np.ndarray, state: EnsembleState) -> tuple[NumpyLogits, EnsembleState]:
        steps = [member.step(tokens, part) for member, part in zip(self.members, state.members, strict=True)]
        weighted = zip(self.shares, (logits for logits, _ in steps), strict=True)
        mean = sum(share * np.exp(logits.log_probabilities()) for share, logits in weighted)
        with np.errstate(divide="ignore"):
            values = np.log(mean)
        following = EnsembleState([after for _, after in steps], self.shares)
        return NumpyLogits(values, np.zeros(values.shape[:2])), following


@dataclass(frozen=True)
class Ensemble:
    """Trained models as one: languages, tokenizers and settings are the first one's."""

    config: Any
    src_tokenizer: Tokenizer
    tgt_tokenizer: Tokenizer
    scorer: EnsembleScorer
    beside: Callable[[str], Trained]
    """Loads another model as the first one was."""
    confidence: Calibration | None = None
    """None: the members' curves are not those of their mean."""


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
        if model.tgt_tokenizer.backward != first.tgt_tokenizer.backward:
            raise UserError(f"--ensemble {name}: writes in the other direction than {names[0]}; have it score the "
                            f"candidates: --rescore {name}")  # fmt: skip
    scorer = EnsembleScorer([model.scorer for model in models], weights)
    return Ensemble(first.config, first.src_tokenizer, first.tgt_tokenizer, scorer, first.beside)


def mean_scores(scores: Sequence[list[list[float]]], shares: Sequence[float]) -> list[list[float]]:
    """Log-probabilities of the tokens of given translations, of each member to those of their weighted mean."""
    if len(scores) == 1:
        return scores[0]
    with np.errstate(divide="ignore"):
        return [
            np.log(sum(share * np.exp(logs) for share, logs in zip(shares, pair, strict=True))).tolist()
            for pair in zip(*scores, strict=True)
        ]
