"""Cells whose state recurs element by element, without a product of h_{t-1}.

Where the gates see x_t alone, the recurrence c_t = f_t * c_{t-1} + u_t is linear, and training
computes all its steps at once by a parallel scan; decoding keeps one state of constant size.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells.base import Cell, Mask, State

Steps = Float[Tensor, "time batch hidden"]


def linear_recurrence(decay: Steps, inflow: Steps, first: Float[Tensor, "batch hidden"]) -> Steps:
    """Every c_t = decay_t * c_{t-1} + inflow_t, in fp32 or better.

    A CPU has nothing to gain from a scan: it does log2(time) times the work, and took 12 to 20
    times as long as one step after the other (sentences of 20 and of 200 tokens).
    """
    dtype = torch.promote_types(inflow.dtype, torch.float32)
    method = one_by_one if inflow.device.type == "cpu" else scan
    return method(decay.to(dtype), inflow.to(dtype), first.to(dtype))


def one_by_one(decay: Steps, inflow: Steps, first: Float[Tensor, "batch hidden"]) -> Steps:
    """The recurrence as it is written."""
    c, every = first, []
    for f, u in zip(decay.unbind(), inflow.unbind(), strict=True):
        c = torch.addcmul(u, f, c)
        every.append(c)
    return torch.stack(every)


def scan(decay: Steps, inflow: Steps, first: Float[Tensor, "batch hidden"]) -> Steps:
    """The recurrence in log2(time) parallel passes (Hillis & Steele 1986; Martin & Cundy 2018).

    Before the pass with offset k, (decay_t, inflow_t) is the effect of the last k steps at once.
    """
    inflow = torch.cat([inflow[:1] + decay[:1] * first, inflow[1:]])
    offset = 1
    while offset < len(inflow):
        inflow = torch.cat([inflow[:offset], inflow[offset:] + decay[offset:] * inflow[:-offset]])
        decay = torch.cat([decay[:offset], decay[offset:] * decay[:-offset]])
        offset *= 2
    return inflow


class ElementwiseCell(Cell):
    """c_t = f_t * c_{t-1} + u_t, h_t = out(c_t): a cell names f, u and out."""

    def __init__(self, config: recipe.CellConfig, input_size: int, hidden_size: int, gates: int) -> None:
        super().__init__(config, input_size, hidden_size, gates, recurrent=False)
        self.fused = True

    def flow(self, projected: Float[Tensor, "*rows gates"]) -> tuple[Tensor, Tensor]:
        """f_t and u_t, each [*rows, hidden]."""
        raise NotImplementedError

    def out(self, projected: Float[Tensor, "*rows gates"], c: Float[Tensor, "*rows hidden"]) -> Tensor:
        """h_t, [*rows, hidden]."""
        return c

    def step(self, projected: Tensor, state: State, mask: Mask = None) -> State:
        f, u = self.flow(projected)
        c = f * state[-1] + u
        return (self.out(projected, c), c)[-self.states :]

    def sequence(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, every = self.all_states(x, state)
        return outputs, tuple(part[-1] for part in every)

    def all_states(self, x: Float[Tensor, "time batch input"], state: State) -> tuple[Tensor, State]:
        """Every h_t, and every state, each of its tensors [time, batch, hidden]."""
        projected = self.project(x)
        c = linear_recurrence(*self.flow(projected), state[-1])
        outputs = self.out(projected, c)
        return outputs, (outputs, c)[-self.states :]


class SruCell(ElementwiseCell):
    """SRU (Lei et al. 2018, equations 1 to 4): a state (h, c).

    f = sigma(x_t W_f + v_f * c_{t-1} + b_f); r = sigma(x_t W_r + v_r * c_{t-1} + b_r)
    c_t = f * c_{t-1} + (1 - f) * (x_t W)
    h_t = r * c_t + (1 - r) * x_t, with x_t W' for x_t where the sizes differ
    """

    kernel_scale = 3.75
    states = 2
    gate = staticmethod(torch.sigmoid)

    def __init__(self, config: recipe.SruConfig, input_size: int, hidden_size: int) -> None:
        self.same_size = input_size == hidden_size
        super().__init__(config, input_size, hidden_size, gates=3 if self.same_size else 4)
        self.peepholes = nn.Parameter(torch.zeros(2, hidden_size)) if config.peephole else None
        self.fused = not config.peephole

    def project(self, x: Tensor) -> Tensor:
        """The products f, r, x W, and behind them x_t itself (or x W')."""
        products = super().project(x)
        return torch.cat([products, x.to(products.dtype)], -1) if self.same_size else products

    def flow(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        f, _, candidate, _ = projected.chunk(4, -1)
        f = self.gate(f)
        return f, (1 - f) * candidate

    def out(self, projected: Tensor, c: Tensor) -> Tensor:
        _, r, _, x = projected.chunk(4, -1)
        r = self.gate(r)
        return r * c + (1 - r) * x

    def step(self, projected: Tensor, state: State, mask: Mask = None) -> State:
        if self.peepholes is None:
            return super().step(projected, state)
        c = state[-1]
        v_f, v_r = self.peepholes.unbind()
        f, r, candidate, x = projected.chunk(4, -1)
        f, r = self.gate(f + v_f * c), self.gate(r + v_r * c)
        c = f * c + (1 - f) * candidate
        return r * c + (1 - r) * x, c


class SsruCell(ElementwiseCell):
    """SSRU (Kim et al. 2019, section 3.1): a state (h, c).

    f = sigma(x_t W_f + b_f); c_t = f * c_{t-1} + (1 - f) * (x_t W + b); h_t = relu(c_t)
    """

    kernel_scale = 3.5
    states = 2

    def __init__(self, config: recipe.SsruConfig, input_size: int, hidden_size: int) -> None:
        super().__init__(config, input_size, hidden_size, gates=2)

    def flow(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        f, candidate = projected.chunk(2, -1)
        f = torch.sigmoid(f)
        return f, (1 - f) * candidate

    def out(self, projected: Tensor, c: Tensor) -> Tensor:
        return torch.relu(c)


class MinGruCell(ElementwiseCell):
    """minGRU (Feng et al. 2024, section 3.1): z = sigma(x_t W_z + b_z); h_t = z * h_{t-1} + (1 - z) * (x_t W + b).

    The paper's z is 1 - z here: as in this project's other GRUs, z keeps the old state.
    """

    kernel_scale = 1.5

    def __init__(self, config: recipe.MinGruConfig, input_size: int, hidden_size: int) -> None:
        super().__init__(config, input_size, hidden_size, gates=2)

    def flow(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        z, candidate = projected.chunk(2, -1)
        return torch.sigmoid(z), torch.sigmoid(-z) * candidate


class MinLstmCell(ElementwiseCell):
    """minLSTM (Feng et al. 2024, section 3.2): h_t = f' * h_{t-1} + i' * (x_t W + b).

    f, i = sigma(x_t W_f + b_f), sigma(x_t W_i + b_i); f' = f / (f + i), i' = i / (f + i)
    """

    kernel_scale = 1.5

    def __init__(self, config: recipe.MinLstmConfig, input_size: int, hidden_size: int) -> None:
        super().__init__(config, input_size, hidden_size, gates=3)

    def flow(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        f, i, candidate = projected.chunk(3, -1)
        # log f - log i: f / (f + i) without a division of small numbers
        keep = torch.sigmoid(nn.functional.logsigmoid(f) - nn.functional.logsigmoid(i))
        return keep, (1 - keep) * candidate
