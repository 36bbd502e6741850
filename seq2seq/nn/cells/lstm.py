"""Long short-term memory."""

import torch
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells.base import ACTIVATIONS, Cell, Mask, State, torch_biases
from seq2seq.nn.cells.fused import run_fused


class LstmCell(Cell):
    """LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i, f, o = sigma(x_t W_x + h_{t-1} W_h + b), each with its own weights; g = act(likewise)
    c_t = f * c_{t-1} + i * g
    h_t = o * act(c_t)

    Options: peepholes add p * c_{t-1} to i and f, and p * c_t to o, before sigma (Gers &
    Schmidhuber 2000); coupled: i = 1 - f (Greff et al. 2017); layer_norm: LN(x_t W_x) +
    LN(h_{t-1} W_h) + b, and act(LN(c_t)) (Ba et al. 2016, equations 20 to 22).
    """

    states = 2
    kernel_scale = 2.0

    def __init__(self, config: recipe.LstmConfig, input_size: int, hidden_size: int) -> None:
        self.coupled = config.coupled
        if self.coupled:
            self.kernel_scale = 6.0  # i = 1 - f: at first the forget gate's bias holds the input back
        gates = 3 if config.coupled else 4  # i, f, g, o; coupled: f, g, o
        super().__init__(config, input_size, hidden_size, gates)
        self.activation = ACTIVATIONS[config.activation]
        self.gate = ACTIVATIONS[config.recurrent_activation]
        self.peepholes = nn.Parameter(torch.zeros(gates - 1, hidden_size)) if config.peephole else None
        self.input_norm = self.recurrent_norm = self.state_norm = None
        if config.layer_norm:
            self.input_norm = nn.LayerNorm(gates * hidden_size, bias=False)
            self.recurrent_norm = nn.LayerNorm(gates * hidden_size, bias=False)
            self.state_norm = nn.LayerNorm(hidden_size)
        if self.bias is not None:
            with torch.no_grad():
                self.bias.unflatten(0, (gates, hidden_size))[0 if config.coupled else 1] += config.forget_bias
        plain = config.activation == "tanh" and config.recurrent_activation == "sigmoid"
        self.fused = plain and not (config.peephole or config.coupled or config.layer_norm)

    def project(self, x: Tensor) -> Tensor:
        if self.input_norm is None:
            return super().project(x)
        normed: Tensor = self.input_norm(nn.functional.linear(x, self.kernel))
        return normed if self.bias is None else normed + self.bias

    def step(self, projected: Tensor, state: State, mask: Mask = None) -> State:
        h, c = state
        recurrent = self.recur(h, mask)
        gates = projected + (recurrent if self.recurrent_norm is None else self.recurrent_norm(recurrent))
        *inputs, f, g, o = gates.chunk(3 if self.coupled else 4, -1)
        if self.peepholes is not None:
            *p_i, p_f, p_o = self.peepholes.unbind()
            f = f + p_f * c
            inputs = [i + p * c for i, p in zip(inputs, p_i, strict=True)]
        f = self.gate(f)
        i = 1 - f if self.coupled else self.gate(inputs[0])
        c = f * c + i * self.activation(g)
        if self.peepholes is not None:
            o = o + p_o * c
        return self.gate(o) * self.activation(c if self.state_norm is None else self.state_norm(c)), c

    def sequence(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        return run_fused(torch.lstm, x, state, self._weights(), self.training)

    def packed_sequence(self, packed: nn.utils.rnn.PackedSequence, state: State) -> tuple[Tensor, State]:
        """All steps of sentences of different lengths at once, with each one's whole last state: slower on a CPU."""
        return run_fused(torch.lstm, packed.data, state, self._weights(), self.training, packed.batch_sizes)

    def _weights(self) -> list[Tensor]:
        return [self.kernel, self.recurrent_kernel, *torch_biases(self.bias)]
