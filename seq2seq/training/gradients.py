"""The gradient of each layer of a model, and which layers get too little of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import torch
from torch import Tensor, nn

STARVED = 100.0
"""Times below the median of the other layers' norms: such a layer hardly learns while they do."""


def layer_of(parameter: str) -> str:
    """The layer that a parameter belongs to, by its name in the model (`encoder.stack.layers.0.1.cell.kernel`)."""
    parts = [part for part in parameter.split(".") if part not in ("stack", "parametrizations")]
    stacked = next((i for i, part in enumerate(parts) if part in ("layers", "connections")), None)
    if stacked is not None:
        end = stacked + 1
        while end < len(parts) and parts[end].isdecimal():
            end += 1
        return ".".join(parts[:end])
    return ".".join(parts[:2] if parts[0] in ("encoder", "decoder") else parts[:1])


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of each layer's gradient, in the model's order: that of its weights joined.

    Weights that are not trained do not count; weights without a gradient have 0.
    """
    weights = [(layer_of(name), weight) for name, weight in model.named_parameters() if weight.requires_grad]
    given = [(layer, weight.grad) for layer, weight in weights if weight.grad is not None and weight.numel()]
    norms: list[Tensor] = list(torch._foreach_norm([gradient for _, gradient in given])) if given else []
    squares = dict.fromkeys((layer for layer, weight in weights if weight.numel()), 0.0)
    if norms:
        for (layer, _), norm in zip(given, torch.stack([n.float() for n in norms]).tolist(), strict=True):
            squares[layer] += norm * norm
    return {layer: square**0.5 for layer, square in squares.items()}


def share_of_median(norms: Mapping[str, float]) -> dict[str, float]:
    """Of each layer's norm, its share of the median of the other layers'; 1 where they are all 0."""
    shares = {}
    for layer, norm in norms.items():
        median = statistics.median([other for name, other in norms.items() if name != layer] or [0.0])
        shares[layer] = norm / median if median > 0 else 1.0
    return shares


def starved(norms: Mapping[str, float]) -> dict[str, float]:
    """The layers whose norm is `STARVED` times below the median of the others, or more, and its share of that."""
    return {layer: share for layer, share in share_of_median(norms).items() if share * STARVED <= 1}


def warnings_of(norms: Mapping[str, float]) -> dict[str, str]:
    """Of each layer that starves: what is wrong, and what to try."""
    found = {}
    for layer, share in starved(norms).items():
        how = f"a gradient {1 / share:,.0f} times below the median of the others" if share else "no gradient"
        found[layer] = (
            f"{layer} gets {how}: it hardly learns; try cell.kernel_initializer variance_preserving, connections "
            "residual, or fewer layers (seq2seq analyze gradients RECIPE shows every layer's)"
        )
    return found
