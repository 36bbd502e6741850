"""What a step minimises: the loss of a batch, and the penalties that the recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.data.batching import Batch
from seq2seq.data.tokenization import PAD
from seq2seq.device import Precision, autocast
from seq2seq.nn.regularization import weight_penalty
from seq2seq.nn.seq2seq import Seq2Seq, Seq2SeqOutput
from seq2seq.training.loss import alignment_cross_entropy, divergence, output_cross_entropy, smoothed_cross_entropy
from seq2seq.training.minimum_risk import Cost, Risk
from seq2seq.training.optimization import forcing_ratio


@dataclass(frozen=True)
class StepTotals:
    """The whole step that a batch is a part of."""

    step: int
    """From 1."""
    tokens: float
    """Target tokens of all its batches, in all processes."""
    sentences: float
    parts: int
    """Batches, or parts of batches, in all processes."""
    epoch: int = 0
    """From 0."""
    aligned: float = 0
    """Target tokens whose alignment is given."""


class Losses(NamedTuple):
    """Of a batch, as its part of a step."""

    target: Tensor
    """What the step minimises: a mean over tokens (or sentences), plus penalties. The rest are sums, for the log."""
    loss: Tensor
    """Over target tokens, in nats."""
    negative_log_likelihood: Tensor
    risk: Tensor
    """Over sentences, where that is what the epoch minimises."""
    misalignment: Tensor
    """Cross-entropy of the attention, over target tokens that are aligned, in nats."""


class Objective(nn.Module):
    """A module, so that DistributedDataParallel can wrap model and loss in one."""

    def __init__(
        self, config: recipe.TrainingConfig, model: Seq2Seq, precision: Precision, cost: Cost | None = None
    ) -> None:
        super().__init__()
        self.config, self.model, self.precision = config, model, precision
        self.risk = None
        if config.minimum_risk is not None:
            assert cost is not None
            self.risk = Risk(config.minimum_risk, model, cost)

    def forward(self, batch: Batch, whole: StepTotals) -> Losses:
        with autocast(batch.src.device, self.precision):
            loss, nll, alignment, activity = self._loss(batch, whole.step)
        count = whole.tokens if self.config.normalization == "tokens" else whole.sentences
        target, risk = loss / count, torch.zeros_like(nll)
        weights = weight_penalty(self.model)
        if self.risk is not None and self.config.minimum_risk_in(whole.epoch) and batch.tgt_tokens:
            with autocast(batch.src.device, self.precision):
                risk = self.risk(batch).sum()
            target = self.risk.weighted(target, risk / count)
        if whole.aligned:
            target = target + self.config.guided_alignment * alignment / whole.aligned
        if weights is not None:
            target = target + weights / whole.parts
        if activity is not None and batch.tgt_tokens:
            target = target + activity / self.passes / whole.sentences
        return Losses(target, loss.detach(), nll, risk.detach(), alignment.detach())

    def _loss(self, batch: Batch, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Loss, negative log-likelihood, the alignment's cross-entropy, the penalty on the layers' outputs: sums.

        No logits are computed for padding.
        """
        batch = batch.repeated(self.passes)
        forced = forcing_ratio(self.config.teacher_forcing, step)
        real = (batch.tgt_output != PAD).flatten().nonzero().squeeze(1)
        targets = batch.tgt_output.flatten().index_select(0, real)
        output: Seq2SeqOutput = self.model(
            batch.src, batch.src_lengths, batch.tgt_input, forced, with_attention=batch.alignment is not None
        )
        states = output.states.flatten(0, 1).index_select(0, real)
        if self.config.r_drop == 0:
            loss, nll = output_cross_entropy(states, self.model.output, targets, self.config.label_smoothing)
        else:
            logits = self.model.logits(states)
            loss, nll = smoothed_cross_entropy(logits, targets, self.config.label_smoothing)
            loss = loss + self.config.r_drop * divergence(*logits.chunk(2))
        misalignment = _misalignment(output.attention, batch)
        return loss / self.passes, nll / self.passes, misalignment / self.passes, output.activity_penalty

    @property
    def passes(self) -> int:
        """How often a batch's sentences are computed, each time with other dropout."""
        return 1 if self.config.r_drop == 0 else 2


def _misalignment(attention: Tensor | None, batch: Batch) -> Tensor:
    """The sum over the batch; 0 where no alignment is given."""
    if attention is None or batch.alignment is None:
        return torch.zeros((), device=batch.src.device)
    return alignment_cross_entropy(attention, batch.alignment)
