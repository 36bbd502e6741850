"""The recurrent cells: one step each, written as its equation.

A cell keeps its weights in one of torch's recurrent modules (`kernel`), which runs whole
sequences fused; `step` computes the same function from the same weights, a step at a time.

Shapes: x_t [..., input], h_t [..., hidden]; a state is a tuple of tensors whose first is h_t,
the cell's output.
"""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.recipe import CellName

State = tuple[Float[Tensor, "... _"], ...]


class Cell(nn.Module):
    """One recurrent layer in one direction.

    Args:
        kernel: torch's module of the same function, one layer, time first; it owns the weights.
        states: how many tensors a state has.
    """

    states = 1

    def __init__(self, kernel: nn.RNNBase) -> None:
        super().__init__()
        self.kernel = kernel

    def sequence(
        self, x: Float[Tensor, "time batch input"], state: State | None = None
    ) -> tuple[Float[Tensor, "time batch hidden"], State]:
        """All steps at once on the fused kernel: every h_t, and the state after the last step."""
        initial = None if state is None else tuple(part.unsqueeze(0).contiguous() for part in state)
        outputs, final = self.kernel(x, initial if self.states > 1 or initial is None else initial[0])
        return outputs, tuple(part.squeeze(0) for part in (final if self.states > 1 else (final,)))

    def project(self, x: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows gates"]:
        """x_t W_x + b: the part of a step that needs no state, so that it can be done for all steps at once."""
        return F.linear(x, self.weight("weight_ih_l0"), self._input_bias())

    def step(self, projected: Float[Tensor, "*rows gates"], state: State) -> State:
        """The next state, from `project(x_t)` and the last state."""
        raise NotImplementedError

    def _input_bias(self) -> Tensor:
        """torch keeps two biases; their sum is the equation's b."""
        return self.weight("bias_ih_l0") + self.weight("bias_hh_l0")

    def _recur(self, h: Tensor) -> Tensor:
        """h_{t-1} W_h"""
        return F.linear(h, self.weight("weight_hh_l0"))

    def weight(self, name: str) -> Tensor:
        """One of the kernel's weights, by torch's name for it."""
        return cast(Tensor, getattr(self.kernel, name))


class SimpleCell(Cell):
    """Simple RNN (Elman 1990): h_t = act(x_t W_x + h_{t-1} W_h + b)."""

    def __init__(self, input_size: int, hidden_size: int, activation: str) -> None:
        super().__init__(nn.RNN(input_size, hidden_size, nonlinearity=activation))
        self.activation: Callable[[Tensor], Tensor] = torch.tanh if activation == "tanh" else torch.relu

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        return (self.activation(projected + self._recur(h)),)


class LstmCell(Cell):
    """LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i, f, o = sigma(x_t W_x + h_{t-1} W_h + b), each with its own weights; g = tanh(likewise)
    c_t = f * c_{t-1} + i * g
    h_t = o * tanh(c_t)
    """

    states = 2

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(nn.LSTM(input_size, hidden_size))

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (projected + self._recur(h)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class GruCell(Cell):
    """GRU with the reset gate after the product (Cho et al. 2014, footnote; the form of cuDNN and torch.nn.GRU).

    r, z = sigma(x_t W_x + h_{t-1} W_h + b), each with its own weights
    g = tanh(x_t W_xg + b_xg + r * (h_{t-1} W_hg + b_hg))
    h_t = z * h_{t-1} + (1 - z) * g
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(nn.GRU(input_size, hidden_size))

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        x_r, x_z, x_g = projected.chunk(3, -1)
        h_r, h_z, h_g = F.linear(h, self.weight("weight_hh_l0"), self.weight("bias_hh_l0")).chunk(3, -1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        return (z * h + (1 - z) * torch.tanh(x_g + r * h_g),)

    def _input_bias(self) -> Tensor:
        """The recurrent bias stays inside the reset gate's reach."""
        return self.weight("bias_ih_l0")


def make_cell(name: CellName, input_size: int, hidden_size: int) -> Cell:
    """The cell that a recipe names."""
    if name == "lstm":
        return LstmCell(input_size, hidden_size)
    if name == "gru":
        return GruCell(input_size, hidden_size)
    return SimpleCell(input_size, hidden_size, name.removeprefix("rnn_"))
