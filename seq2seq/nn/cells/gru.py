"""Gated recurrent units. Here z keeps the old state: h_t = z * h_{t-1} + (1 - z) * g."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells.base import ACTIVATIONS, Cell, Mask, State, torch_biases
from seq2seq.nn.cells.fused import run_fused
from seq2seq.nn.initialization import fill

GATES, CANDIDATE = slice(0, 2), slice(2, 3)  # rows: r, z, g


class GruCell(Cell):
    """What both forms share: r, z = sigma(x_t W_x + h_{t-1} W_h + b), each with its own weights.

    Layer normalisation (Ba et al. 2016, supplement): each product is normalised, those of
    the two gates together.
    """

    kernel_scale = 2.25

    def __init__(
        self, config: recipe.GruConfig | recipe.TransitionGruConfig, input_size: int, hidden_size: int
    ) -> None:
        if isinstance(config, recipe.TransitionGruConfig):
            self.kernel_scale = 4.5  # each step without an input makes the state smaller
        super().__init__(config, input_size, hidden_size, gates=3)
        self.activation = ACTIVATIONS[config.activation]
        self.gate = ACTIVATIONS[config.recurrent_activation]
        sizes = (2 * hidden_size, hidden_size) if config.layer_norm else ()
        self.input_norms = nn.ModuleList(nn.LayerNorm(size, bias=False) for size in sizes)
        self.recurrent_norms = nn.ModuleList(nn.LayerNorm(size, bias=False) for size in sizes)

    def project(self, x: Tensor) -> Tensor:
        if not self.input_norms:
            return super().project(x)
        products = nn.functional.linear(x, self.kernel).split((2 * self.hidden_size, self.hidden_size), -1)
        normed = torch.cat([norm(part) for norm, part in zip(self.input_norms, products, strict=True)], -1)
        return normed if self.bias is None else normed + self.bias

    def normed(self, products: Tensor, part: int) -> Tensor:
        """LN(h_{t-1} W_h) of the gates (0) or of the candidate (1), where the cell normalises."""
        return self.recurrent_norms[part](products) if self.recurrent_norms else products


class ResetBeforeGru(GruCell):
    """GRU as in Cho et al. 2014, equations 5 to 8: g = act(x_t W_xg + (r * h_{t-1}) W_hg + b_g)."""

    def step(self, projected: Tensor, state: State, mask: Mask = None) -> State:
        (h,) = state
        x_gates, x_g = projected.split((2 * self.hidden_size, self.hidden_size), -1)
        r, z = self.gate(x_gates + self.normed(self.recur(h, mask, GATES), 0)).chunk(2, -1)
        g = self.activation(x_g + self.normed(self.recur(r * h, mask, CANDIDATE), 1))
        return (z * h + (1 - z) * g,)


class ResetAfterGru(GruCell):
    """GRU of cuDNN and torch.nn.GRU: g = act(x_t W_xg + b_xg + r * (h_{t-1} W_hg + b_hg))."""

    def __init__(
        self, config: recipe.GruConfig | recipe.TransitionGruConfig, input_size: int, hidden_size: int
    ) -> None:
        super().__init__(config, input_size, hidden_size)
        self.recurrent_bias = nn.Parameter(torch.empty(3 * hidden_size)) if config.use_bias else None
        fill(self.recurrent_bias, config.bias_initializer, hidden_size)
        plain = config.activation == "tanh" and config.recurrent_activation == "sigmoid"
        self.fused = plain and not config.layer_norm

    def step(self, projected: Tensor, state: State, mask: Mask = None) -> State:
        (h,) = state
        sizes = (2 * self.hidden_size, self.hidden_size)
        x_gates, x_g = projected.split(sizes, -1)
        h_gates, h_g = self.recur(h, mask).split(sizes, -1)
        h_gates, h_g = self.normed(h_gates, 0), self.normed(h_g, 1)
        if self.recurrent_bias is not None:
            b_gates, b_g = self.recurrent_bias.split(sizes)
            h_gates, h_g = h_gates + b_gates, h_g + b_g
        r, z = self.gate(x_gates + h_gates).chunk(2, -1)
        g = self.activation(x_g + r * h_g)
        return (z * h + (1 - z) * g,)

    def sequence(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        weights = [self.kernel, self.recurrent_kernel, *torch_biases(self.bias, self.recurrent_bias)]
        return run_fused(torch.gru, x, state, weights, self.training)


class TransitionGruCell(Cell):
    """Deep-transition GRU (Pascanu et al. 2014; Miceli Barone et al. 2017, section 2.2).

    s_0 = GRU(x_t, h_{t-1}); s_k = GRU_k(0, s_{k-1}); h_t is the last of them. The reset gate
    acts after the product. With a context, s_1 = GRU_1(context(s_0), s_0): the conditional GRU
    (Sennrich et al. 2017, section 3).

    Args:
        context_size: size of the context; 0: there is none.
    """

    def __init__(
        self, config: recipe.TransitionGruConfig, input_size: int, hidden_size: int, context_size: int = 0
    ) -> None:
        nn.Module.__init__(self)  # the weights are those of its GRUs
        self.config, self.input_size, self.hidden_size = config, input_size, hidden_size
        self.first = ResetAfterGru(config, input_size, hidden_size)
        sizes = [context_size, *[0] * (config.transitions - 1)]
        self.others = cast(Sequence[ResetAfterGru], nn.ModuleList(ResetAfterGru(config, n, hidden_size) for n in sizes))

    def project(self, x: Tensor) -> Tensor:
        return self.first.project(x)

    def step(
        self, projected: Tensor, state: State, mask: Mask = None, look: Callable[[Tensor], Tensor] | None = None
    ) -> State:
        state = self.first.step(projected, state, mask)
        for k, gru in enumerate(self.others):
            inputs = state[0][..., :0] if look is None or k > 0 else look(state[0])
            state = gru.step(gru.project(inputs), state, mask)
        return state
