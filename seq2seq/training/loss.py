"""What training minimises."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


def smoothed_cross_entropy(
    logits: Float[Tensor, "tokens vocab"], targets: Int[Tensor, " tokens"], smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Label-smoothed cross-entropy (Szegedy et al. 2016, section 7), summed over tokens, in nats.

    The target distribution is 1 - smoothing on the target plus smoothing spread evenly over the vocabulary.

    Returns:
        the loss to minimise, and the plain negative log-likelihood (without gradient).
    """
    loss, negative_log_likelihood = _SmoothedCrossEntropy.apply(logits, targets, smoothing)  # type: ignore[no-untyped-call]
    return loss, negative_log_likelihood


def output_cross_entropy(
    states: Float[Tensor, "tokens output"], output: nn.Linear, targets: Int[Tensor, " tokens"], smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`smoothed_cross_entropy(output(states), targets, smoothing)` without ever holding the logits of all tokens.

    Tokens x vocabulary is the largest tensor of a step; a piece of it at a time, forward and
    backward at once, takes a fraction of the memory.
    """
    kind = states.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else output.weight.dtype
    weights = output.weight, output.bias
    loss, nll = _OutputCrossEntropy.apply(states, *weights, targets, smoothing, dtype)  # type: ignore[no-untyped-call]
    return loss, nll


PIECE = 256
"""Tokens whose logits are held at once."""


class _OutputCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        w, b, x = weight.to(dtype), bias.to(dtype), states.to(dtype)
        exact = torch.promote_types(dtype, torch.float32)
        # Two tensors, even of no tokens at all: one alone would be marked as without gradient below.
        loss, nll = (torch.zeros((), dtype=exact, device=states.device) for _ in range(2))
        d_weight, d_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        d_states = torch.empty_like(x)
        for start in range(0, len(x), PIECE):
            piece = slice(start, start + PIECE)
            logits = F.linear(x[piece], w, b)
            piece_loss, piece_nll, gradient = _loss_and_gradient(logits, targets[piece], smoothing, exact)
            loss, nll = loss + piece_loss, nll + piece_nll
            gradient = gradient.to(dtype)
            d_states[piece] = gradient @ w
            if dtype == d_weight.dtype:
                d_weight.addmm_(gradient.t(), x[piece])
            else:
                d_weight += gradient.t() @ x[piece]
            d_bias += gradient.sum(0, dtype=exact)
        ctx.save_for_backward(d_states.to(states.dtype), d_weight, d_bias)
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        d_states, d_weight, d_bias = ctx.saved_tensors
        factor = gradients[0]
        return d_states * factor.to(d_states.dtype), d_weight * factor, d_bias * factor, None, None, None


def _loss_and_gradient(
    logits: Tensor, targets: Tensor, smoothing: float, exact: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the softmax less the target distribution, written at once."""
    log_probabilities = F.log_softmax(logits, -1, dtype=exact)
    hit = targets.unsqueeze(-1)
    nll = -log_probabilities.gather(-1, hit).sum()
    spread = -log_probabilities.sum() / logits.shape[-1]
    gradient = log_probabilities.exp_().sub_(smoothing / logits.shape[-1])
    gradient.scatter_add_(-1, hit, torch.full_like(hit, smoothing - 1, dtype=exact))
    return (1 - smoothing) * nll + smoothing * spread, nll, gradient


def divergence(logits: Float[Tensor, "tokens vocab"], others: Float[Tensor, "tokens vocab"]) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence both ways, halved, summed over tokens (R-Drop: Liang et al. 2021, equation 2)."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    p, q = (F.log_softmax(part, -1, dtype=dtype) for part in (logits, others))
    return ((p.exp() - q.exp()) * (p - q)).sum() / 2


class _SmoothedCrossEntropy(torch.autograd.Function):
    """The gradient is the softmax less the target distribution: written at once, it saves autograd's passes over
    tokens x vocabulary, the largest tensor of a step."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        log_probabilities = F.log_softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32))
        negative_log_likelihood = -log_probabilities.gather(-1, targets.unsqueeze(-1)).sum()
        spread = -log_probabilities.sum() / logits.shape[-1]
        ctx.save_for_backward(log_probabilities, targets)
        ctx.smoothing, ctx.dtype = smoothing, logits.dtype
        ctx.mark_non_differentiable(negative_log_likelihood)
        return (1 - smoothing) * negative_log_likelihood + smoothing * spread, negative_log_likelihood

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        log_probabilities, targets = ctx.saved_tensors
        gradient = log_probabilities.exp().sub_(ctx.smoothing / log_probabilities.shape[-1])
        hit = torch.full_like(targets, ctx.smoothing - 1, dtype=gradient.dtype)
        gradient.scatter_add_(-1, targets.unsqueeze(-1), hit.unsqueeze(-1))
        return gradient.mul_(gradients[0]).to(ctx.dtype), None, None
