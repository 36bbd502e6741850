"""What training minimises."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


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
