"""The simple recurrent network."""

import torch
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.cells.base import ACTIVATIONS, Cell, Mask, State, torch_biases
from seq2seq.nn.cells.fused import run_fused


class SimpleCell(Cell):
    """Simple RNN (Elman 1990): h_t = act(x_t W_x + h_{t-1} W_h + b)."""

    kernel_scale = 0.5

    def __init__(self, config: recipe.RnnConfig, input_size: int, hidden_size: int) -> None:
        if config.activation in ("relu", "gelu", "silu"):  # they let half of the variance through, or less
            self.kernel_scale = 1.0 if config.activation == "relu" else 2.0
        super().__init__(config, input_size, hidden_size)
        self.activation = ACTIVATIONS[config.activation]
        self.kernels = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}
        self.name = config.activation
        self.fused = self.name in self.kernels

    def step(self, projected: Tensor, state: State, mask: Mask = None) -> State:
        (h,) = state
        return (self.activation(projected + self.recur(h, mask)),)

    def sequence(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        weights = [self.kernel, self.recurrent_kernel, *torch_biases(self.bias)]
        return run_fused(self.kernels[self.name], x, state, weights, self.training)
