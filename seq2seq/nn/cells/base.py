"""What every recurrent cell has in common: its weights, and the two products of a step.

Shapes: x_t [..., input], h_t [..., hidden]; a state is a tuple of tensors whose first is h_t,
the cell's output. Gates lie one after the other in the rows of the weights.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.initialization import fill

State = tuple[Float[Tensor, "... _"], ...]
Mask = Float[Tensor, "*rows hidden"] | None
"""What h_{t-1} is multiplied by before W_h (recurrent dropout), the same at every step of a sentence."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh, "relu": torch.relu, "identity": lambda x: x, "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid, "elu": F.elu, "selu": F.selu, "gelu": F.gelu, "silu": F.silu,
    "softplus": F.softplus, "softsign": F.softsign, "celu": F.celu, "exponential": torch.exp,
    "hard_silu": F.hardswish, "hard_tanh": F.hardtanh, "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "log_sigmoid": F.logsigmoid, "mish": F.mish, "relu6": F.relu6, "soft_shrink": F.softshrink,
    "hard_shrink": F.hardshrink, "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2, "tanh_shrink": F.tanhshrink,
    "sparse_plus": lambda x: torch.where(x < 1, (x.clamp(-1, 1) + 1).square() / 4, x),
    "sparse_sigmoid": lambda x: ((x + 1) / 2).clamp(0, 1),
}  # fmt: skip


class Cell(nn.Module):
    """One recurrent layer in one direction. A cell of your own defines `step`, and what it needs beyond these.

    Args:
        config: the recipe's `cell`.
        input_size, hidden_size: numbers of x_t and of h_t.
        gates: how many blocks of `hidden_size` rows W_x, W_h and b have.
        recurrent: whether there is a product of h_{t-1}.
    """

    states = 1
    """Tensors of a state."""
    kernel_scale = 1.0
    """Variance of x_t W_x at first, by that of x_t: such that outputs and gradient live on through a stack of layers,
    and through time (measured: docs/initialization.md)."""
    recurrent_kernel: Tensor
    fused = False
    """Whether `sequence` computes all steps at once."""

    def __init__(
        self, config: recipe.CellConfig, input_size: int, hidden_size: int, gates: int = 1, recurrent: bool = True
    ) -> None:
        super().__init__()
        self.config, self.input_size, self.hidden_size = config, input_size, hidden_size
        self.kernel = nn.Parameter(torch.empty(gates * hidden_size, input_size))
        if recurrent:
            self.recurrent_kernel = nn.Parameter(torch.empty(gates * hidden_size, hidden_size))
            fill(self.recurrent_kernel, config.recurrent_initializer, hidden_size)
        self.bias = nn.Parameter(torch.empty(gates * hidden_size)) if config.use_bias else None
        fill(self.kernel, config.kernel_initializer, hidden_size, self.kernel_scale)
        fill(self.bias, config.bias_initializer, hidden_size)

    def project(self, x: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows gates"]:
        """x_t W_x + b: the part of a step that needs no state, so that it can be done for all steps at once."""
        return F.linear(x, self.kernel, self.bias)

    def recur(
        self, h: Float[Tensor, "*rows hidden"], mask: Mask = None, gates: slice = slice(None)
    ) -> Float[Tensor, "*rows gates"]:
        """h_{t-1} W_h, of some of the gates where they are named."""
        weight: Tensor = self.recurrent_kernel
        if gates != slice(None):
            weight = weight.unflatten(0, (-1, self.hidden_size))[gates].flatten(0, 1)
        return F.linear(h if mask is None else h * mask.to(h.dtype), weight)

    def step(self, projected: Float[Tensor, "*rows gates"], state: State, mask: Mask = None) -> State:
        """The next state, from `project(x_t)` and the last state."""
        raise NotImplementedError

    def sequence(
        self, x: Float[Tensor, "time batch input"], state: State
    ) -> tuple[Float[Tensor, "time batch hidden"], State]:
        """All steps at once, where the cell is `fused`: every h_t, and the state after the last step."""
        raise NotImplementedError

    def zero_state(self, like: Tensor, *rows: int) -> State:
        """A state of zeros, on the device and of the dtype of `like`."""
        return tuple(like.new_zeros(*rows, self.hidden_size) for _ in range(self.states))


def torch_biases(bias: Tensor | None, recurrent_bias: Tensor | None = None) -> list[Tensor]:
    """Biases as torch's kernels take them: two, or none at all."""
    if bias is None:
        return []
    return [bias, torch.zeros_like(bias) if recurrent_bias is None else recurrent_bias]
