"""What training minimises."""

from collections.abc import Iterator
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


def alignment_cross_entropy(
    weights: Float[Tensor, "batch tgt_len src_len"], alignment: Float[Tensor, "batch tgt_len src_len"]
) -> Float[Tensor, ""]:
    """-sum of A log a, summed over target tokens, in nats (guided alignment: Chen et al. 2016, section 2.2).

    Args:
        weights: a, the attention's.
        alignment: A, whose rows sum to 1, or to 0 where the token does not count.
    """
    exact = weights.to(torch.promote_types(weights.dtype, torch.float32))
    return -(alignment * exact.clamp_min(LEAST).log()).sum()  # a weight may be 0: outside the window of `local_p`


LEAST = 1e-30
"""Smallest attention weight whose logarithm is taken."""


def output_cross_entropy(
    states: Float[Tensor, "tokens output"], output: nn.Linear, targets: Int[Tensor, " tokens"], smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`smoothed_cross_entropy(output(states), targets, smoothing)` without ever holding the logits of all tokens.

    Tokens x vocabulary is the largest tensor of a step; a piece of it at a time, forward and
    backward at once, takes a fraction of the memory.
    """
    weights, dtype = (output.weight, output.bias), _product_type(states, output)
    loss, nll = _OutputCrossEntropy.apply(states, *weights, targets, smoothing, dtype)  # type: ignore[no-untyped-call]
    return loss, nll


def output_log_probabilities(
    states: Float[Tensor, "tokens output"], output: nn.Linear, targets: Int[Tensor, " tokens"]
) -> Float[Tensor, " tokens"]:
    """log p of each target, `log_softmax(output(states))` at its place, without ever holding the logits of all tokens.

    The logits of a piece are computed again in the backward pass.
    """
    weights = output.weight, output.bias
    found: Tensor = _OutputLogProbabilities.apply(states, *weights, targets, _product_type(states, output))  # type: ignore[no-untyped-call]
    return found


def _product_type(states: Tensor, output: nn.Linear) -> torch.dtype:
    """What `output(states)` is computed in."""
    kind = states.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else output.weight.dtype


PIECE = {"cpu": 256, "cuda": 8192}
"""Tokens whose logits are held at once: what a core's cache holds; on a GPU few launches of kernels."""


def _pieces(states: Tensor) -> Iterator[slice]:
    size = PIECE[states.device.type]
    return (slice(start, start + size) for start in range(0, len(states), size))


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
        for piece in _pieces(x):
            logits = F.linear(x[piece], w, b)
            piece_loss, piece_nll, gradient = _loss_and_gradient(logits, targets[piece], smoothing, exact)
            loss, nll = loss + piece_loss, nll + piece_nll
            gradient = gradient.to(dtype)
            d_states[piece] = gradient @ w
            _add_products(d_weight, gradient, x[piece])
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


class _OutputLogProbabilities(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        w, b, x = weight.to(dtype), bias.to(dtype), states.to(dtype)
        exact = torch.promote_types(dtype, torch.float32)
        found = torch.empty(len(x), dtype=exact, device=x.device)
        for piece in _pieces(x):
            logits = F.linear(x[piece], w, b).to(exact)
            hit = logits.gather(-1, targets[piece].unsqueeze(-1)).squeeze(-1)
            found[piece] = hit - torch.logsumexp(logits, -1)
        ctx.save_for_backward(states, weight, bias, targets)
        ctx.dtype = dtype
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, bias, targets = ctx.saved_tensors
        dtype, d_found = ctx.dtype, gradients[0].unsqueeze(-1)
        w, b, x = weight.to(dtype), bias.to(dtype), states.to(dtype)
        d_states, d_weight, d_bias = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(bias)
        for piece in _pieces(x):
            gradient = F.softmax(F.linear(x[piece], w, b), -1, dtype=d_found.dtype).mul_(-d_found[piece])
            gradient.scatter_add_(-1, targets[piece].unsqueeze(-1), d_found[piece])
            gradient = gradient.to(dtype)
            d_states[piece] = gradient @ w
            _add_products(d_weight, gradient, x[piece])
            d_bias += gradient.sum(0, dtype=d_found.dtype)
        return d_states.to(states.dtype), d_weight, d_bias, None, None


def _add_products(total: Tensor, gradient: Tensor, x: Tensor) -> None:
    """total += gradient^T x, in the type of `total`."""
    if gradient.dtype == total.dtype:
        total.addmm_(gradient.t(), x)
    else:
        total += gradient.t() @ x


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
