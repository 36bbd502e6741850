"""The running mean of the weights, which validation sees and the model is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from seq2seq.bundle import load_weights, weights_of
from seq2seq.nn.seq2seq import Seq2Seq


class RunningMean:
    """Exponential moving average of the weights (Polyak & Juditsky 1992): generalises better than the last ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """mean <- decay * mean + (1 - decay) * weights, after a step (from 1).

        The decay is lower in the first steps, so that the start is soon forgotten.
        """
        decay = min(self.decay, (step + 1) / (step + 10))
        weights = [(self.weights[name], parameter) for name, parameter in model.named_parameters()]
        torch._foreach_lerp_([mean for mean, _ in weights], [weight for _, weight in weights], 1 - decay)

    @contextlib.contextmanager
    def applied_to(self, model: Seq2Seq) -> Iterator[None]:
        """The model has the mean in the place of its weights, for as long as the block lasts."""
        own = {name: weight.clone() for name, weight in weights_of(model).items()}
        load_weights(model, self.weights)
        try:
            yield
        finally:
            load_weights(model, own)
