"""Where a training stands."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from seq2seq.training.ranking import Validation


@dataclass
class Sums:
    """Of one step or more, over all their batches and processes."""

    loss: float = 0.0
    """Over target tokens, in nats, as the rest."""
    negative_log_likelihood: float = 0.0
    tokens: int = 0
    risk: float = 0.0
    risked: int = 0
    """Sentences whose risk was minimised."""
    alignment_loss: float = 0.0
    aligned: int = 0
    """Target tokens whose alignment is given."""

    def add(self, other: Sums) -> None:
        """Take in those of another step."""
        for part in fields(Sums):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


@dataclass
class Window(Sums):
    """Sums since the last log record."""

    seconds: float = 0.0
    loading: float = 0.0
    """Of the seconds: those that went into getting batches."""


@dataclass
class State:
    """All but the tensors and the log."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of the epoch that are done."""
    ranking: list[Validation] = field(default_factory=list)
    """The best validations so far, best first."""
    validations_since_best: int = 0
    rate: float = 1.0
    """What plateaus have left of the learning rate."""
    tokens: int = 0
    seconds: float = 0.0
    """In training and validation, all sessions together."""
    validation_seconds: float = 0.0
    """Of the last validation."""
    bad_steps: int = 0
    """Steps in a row that were skipped, because the loss or the gradient was not finite."""
    window: Window = field(default_factory=Window)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> State:
        """The inverse of `dataclasses.asdict`."""
        ranking = [(score, step) for score, step in values["ranking"]]
        return cls(**{**values, "window": Window(**values["window"]), "ranking": ranking})
