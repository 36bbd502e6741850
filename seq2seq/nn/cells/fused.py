"""torch's kernels that compute all steps at once: oneDNN's on a CPU, cuDNN's on a GPU."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.nn.cells.base import State


def run_fused(
    kernel: Callable[..., Any],
    x: Float[Tensor, "*steps input"],
    state: State,
    weights: list[Tensor],
    training: bool,
    sizes: Int[Tensor, " time"] | None = None,
) -> tuple[Float[Tensor, "*steps hidden"], State]:
    """Every h_t, and the state after the last step, of one layer in one direction.

    Args:
        kernel: `torch.lstm` or its like.
        x: [time, batch, input]; packed: [tokens, input].
        weights: kernel and recurrent kernel, then the two biases, where there are any.
        sizes: of each step's batch, where x is packed; on the CPU.
    """
    if x.is_cuda:
        dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else weights[0].dtype
        x, state, weights = x.to(dtype), tuple(part.to(dtype) for part in state), _joined(weights, dtype)
    initial = tuple(part.unsqueeze(0).contiguous() for part in state)
    options = (weights, len(weights) > 2, 1, 0.0, training, False)
    # Autocast would give cuDNN fp16, in which small gradients are 0.
    with torch.autocast("cuda", enabled=False):
        given = initial if len(initial) > 1 else initial[0]
        found = kernel(x, given, *options, False) if sizes is None else kernel(x, sizes, given, *options)
    return found[0], tuple(part[0] for part in found[1:])


def _joined(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """The weights one after the other in memory: cuDNN would bring them there at every call."""
    joined = torch.cat([weight.flatten() for weight in weights]).to(dtype)
    parts = joined.split([weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
