"""Each cell equals its equation, written out in plain NumPy, on the fused kernel and step by step."""

import numpy as np
import pytest
import torch

from seq2seq.nn.cells import Cell, make_cell

CELLS = ["rnn_tanh", "rnn_relu", "lstm", "gru"]


def sigma(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def equation(name: str, cell: Cell, xs: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Every h_t for inputs [time, batch, input], and the last c_t of an LSTM."""
    w_x, w_h = (cell.weight(n).detach().numpy() for n in ("weight_ih_l0", "weight_hh_l0"))
    b_x, b_h = (cell.weight(n).detach().numpy() for n in ("bias_ih_l0", "bias_hh_l0"))
    size = h.shape[-1]
    c, outputs = np.full_like(h, 0.3), []

    def gate(k: int, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        part = slice(k * size, (k + 1) * size)
        return x @ w_x[part].T + h @ w_h[part].T + b_x[part] + b_h[part]

    for x in xs:
        if name == "rnn_tanh":
            h = np.tanh(x @ w_x.T + h @ w_h.T + b_x + b_h)
        elif name == "rnn_relu":
            h = np.maximum(0, x @ w_x.T + h @ w_h.T + b_x + b_h)
        elif name == "lstm":
            i, f, o = sigma(gate(0, x, h)), sigma(gate(1, x, h)), sigma(gate(3, x, h))
            c = f * c + i * np.tanh(gate(2, x, h))
            h = o * np.tanh(c)
        else:
            r, z = sigma(gate(0, x, h)), sigma(gate(1, x, h))
            part = slice(2 * size, 3 * size)
            g = np.tanh(x @ w_x[part].T + b_x[part] + r * (h @ w_h[part].T + b_h[part]))
            h = z * h + (1 - z) * g
        outputs.append(h)
    return np.stack(outputs), c if name == "lstm" else None


def state_of(cell: Cell, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (h, torch.full_like(h, 0.3))[: cell.states]


@pytest.mark.parametrize("name", CELLS)
def test_kernel_and_steps_equal_the_equation(name: str) -> None:
    torch.manual_seed(1)
    cell = make_cell(name, 5, 7).double()
    x, h = torch.randn(6, 3, 5, dtype=torch.double), torch.rand(3, 7, dtype=torch.double)
    expected, last_c = equation(name, cell, x.numpy(), h.numpy())
    outputs, final = cell.sequence(x, state_of(cell, h))
    np.testing.assert_allclose(outputs.detach(), expected, atol=1e-12)
    np.testing.assert_allclose(final[0].detach(), expected[-1], atol=1e-12)
    state, steps = state_of(cell, h), []
    for projected in cell.project(x):
        state = cell.step(projected, state)
        steps.append(state[0])
    np.testing.assert_allclose(torch.stack(steps).detach(), expected, atol=1e-12)
    if last_c is not None:
        np.testing.assert_allclose(final[1].detach(), last_c, atol=1e-12)
        np.testing.assert_allclose(state[1].detach(), last_c, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_of_kernel_and_steps_agree(name: str) -> None:
    torch.manual_seed(2)
    cell = make_cell(name, 4, 6).double()
    x = torch.randn(5, 2, 4, dtype=torch.double, requires_grad=True)
    h = torch.rand(2, 6, dtype=torch.double)
    outputs, _ = cell.sequence(x, state_of(cell, h))
    weights = [x, *cell.parameters()]
    fused = torch.autograd.grad((outputs**2).sum(), weights)
    state, total = state_of(cell, h), torch.zeros((), dtype=torch.double)
    for projected in cell.project(x):
        state = cell.step(projected, state)
        total = total + (state[0] ** 2).sum()
    for a, b in zip(fused, torch.autograd.grad(total, weights), strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_step_takes_any_leading_shape(name: str) -> None:
    cell = make_cell(name, 4, 6)
    x, h = torch.randn(2, 3, 4), torch.rand(2, 3, 6)
    whole = cell.step(cell.project(x), state_of(cell, h))[0]
    one = cell.step(cell.project(x[1, 2]), tuple(part[1, 2] for part in state_of(cell, h)))[0]
    torch.testing.assert_close(whole[1, 2], one)
