"""Each cell equals its equation, written out in plain NumPy; the fused way equals the steps."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from seq2seq import recipe
from seq2seq.errors import UserError
from seq2seq.nn.cells import Cell, elementwise, make_cell
from seq2seq.nn.cells.elementwise import one_by_one, scan
from seq2seq.nn.layer import Layer
from tests.nn.test_seq2seq import CELLS

ALL = [
    *CELLS,
    {"kind": "lstm", "activation": "relu", "recurrent_activation": "hard_sigmoid"},
    {"kind": "gru", "reset": "before"},
]
FUSED = ["rnn", {"kind": "rnn", "activation": "relu"}, "lstm", {"kind": "lstm", "use_bias": False}, "gru",
         {"kind": "sru", "peephole": False}, "ssru", "mingru", "minlstm"]  # fmt: skip
SECTION = TypeAdapter(recipe.AnyCell)
Array = np.ndarray


def config(cell: object) -> recipe.AnyCell:
    made: recipe.AnyCell = SECTION.validate_python(cell)
    return made


def randomized(cell: object, input_size: int, hidden_size: int) -> Cell:
    """A cell in float64 with random numbers in every weight, peepholes and gains too."""
    torch.manual_seed(1)
    made = make_cell(config(cell), input_size, hidden_size).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.6)
    return made


# --- the equations, one step each, for one sentence: x [input], h and c [hidden] ---


def sigma(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def layer_norm(x: Array, gain: Array, bias: Array | float = 0.0) -> Array:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * gain + bias


def numbers(cell: Cell) -> dict[str, Array]:
    return {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}


def rnn(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    w = numbers(cell)
    sums = w["kernel"] @ x + w["recurrent_kernel"] @ h + w["bias"]
    return (np.tanh(sums) if cell.config.activation == "tanh" else np.maximum(0, sums)), c


def lstm(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    w, options = numbers(cell), cell.config
    act, gate = np.tanh, sigma
    if options.activation == "relu":
        act, gate = (lambda v: np.maximum(0, v)), (lambda v: np.clip(v / 6 + 0.5, 0, 1))
    from_x, from_h = w["kernel"] @ x, w["recurrent_kernel"] @ h
    if options.layer_norm:
        from_x, from_h = layer_norm(from_x, w["input_norm.weight"]), layer_norm(from_h, w["recurrent_norm.weight"])
    parts = np.split(from_x + from_h + w.get("bias", 0.0), 3 if options.coupled else 4)
    i, f, g, o = parts if len(parts) == 4 else (None, *parts)
    p = w.get("peepholes", np.zeros((3, len(h))))
    f = gate(f + p[-2] * c)
    i = 1 - f if i is None else gate(i + p[0] * c)
    c = f * c + i * act(g)
    inner = layer_norm(c, w["state_norm.weight"], w["state_norm.bias"]) if options.layer_norm else c
    return gate(o + p[-1] * c) * act(inner), c


def gru_step(w: dict[str, Array], reset: str, norm: bool, x: Array, h: Array) -> Array:
    n = len(h)
    u, b = w["recurrent_kernel"], w["bias"]
    b_h = w.get("recurrent_bias", np.zeros(3 * n))

    def normed(v: Array, which: str, part: int) -> Array:
        return layer_norm(v, w[f"{which}_norms.{part}.weight"]) if norm else v

    products = w["kernel"] @ x if len(x) else np.zeros(3 * n)
    x_gates, x_g = normed(products[: 2 * n], "input", 0), normed(products[2 * n :], "input", 1)
    rz = sigma(x_gates + b[: 2 * n] + normed(u[: 2 * n] @ h, "recurrent", 0) + b_h[: 2 * n])
    r, z = rz[:n], rz[n:]
    if reset == "before":
        g = np.tanh(x_g + b[2 * n :] + normed(u[2 * n :] @ (r * h), "recurrent", 1))
    else:
        g = np.tanh(x_g + b[2 * n :] + r * (normed(u[2 * n :] @ h, "recurrent", 1) + b_h[2 * n :]))
    return z * h + (1 - z) * g


def gru(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    return gru_step(numbers(cell), cell.config.reset, cell.config.layer_norm, x, h), c


def transition_gru(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    every = numbers(cell)
    for part in ["first.", *[f"others.{k}." for k in range(cell.config.transitions)]]:
        w = {name.removeprefix(part): v for name, v in every.items() if name.startswith(part)}
        h, x = gru_step(w, "after", False, x, h), x[:0]
    return h, c


def sru(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    w, n = numbers(cell), len(h)
    products = np.split(w["kernel"] @ x + w["bias"], len(w["bias"]) // n)
    v = w.get("peepholes", np.zeros((2, n)))
    f, r = sigma(products[0] + v[0] * c), sigma(products[1] + v[1] * c)
    c = f * c + (1 - f) * products[2]
    return r * c + (1 - r) * (products[3] if len(products) == 4 else x), c


def ssru(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    w = numbers(cell)
    f, candidate = np.split(w["kernel"] @ x + w["bias"], 2)
    c = sigma(f) * c + (1 - sigma(f)) * candidate
    return np.maximum(0, c), c


def mingru(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    w = numbers(cell)
    z, candidate = np.split(w["kernel"] @ x + w["bias"], 2)
    return sigma(z) * h + (1 - sigma(z)) * candidate, c


def minlstm(cell: Cell, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    w = numbers(cell)
    f, i, candidate = np.split(w["kernel"] @ x + w["bias"], 3)
    f, i = sigma(f), sigma(i)
    return f / (f + i) * h + i / (f + i) * candidate, c


EQUATIONS: dict[str, Callable[[Cell, Array, Array, Array], tuple[Array, Array]]] = {
    "rnn": rnn, "lstm": lstm, "gru": gru, "transition_gru": transition_gru, "sru": sru, "ssru": ssru,
    "mingru": mingru, "minlstm": minlstm,
}  # fmt: skip


@pytest.mark.parametrize("sizes", [(5, 4), (4, 4)], ids=["other-size", "same-size"])
@pytest.mark.parametrize("name", ALL, ids=str)
def test_steps_equal_the_equation(name: object, sizes: tuple[int, int]) -> None:
    cell = randomized(name, *sizes)
    xs, h, c = torch.randn(6, sizes[0]).double(), torch.rand(4).double(), torch.rand(4).double()
    state = (h, c)[: cell.states]
    np_h, np_c = h.numpy(), c.numpy()
    for x in xs:
        state = cell.step(cell.project(x), state)
        np_h, np_c = EQUATIONS[cell.config.kind](cell, x.numpy(), np_h, np_c)
        np.testing.assert_allclose(state[0].detach(), np_h, atol=1e-12)
    if cell.states > 1:
        np.testing.assert_allclose(state[1].detach(), np_c, atol=1e-12)


@pytest.mark.parametrize("name", FUSED, ids=str)
def test_fused_equals_step_by_step_forward_and_backward(name: object) -> None:
    cell = randomized(name, 4, 4)
    x = torch.randn(6, 3, 4, dtype=torch.double, requires_grad=True)
    first = tuple(torch.rand(3, 4, dtype=torch.double, requires_grad=True) for _ in range(cell.states))

    def loss(outputs: torch.Tensor, last: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        total = (outputs**2).sum() + sum((part.sin()).sum() for part in last)
        return torch.autograd.grad(total, [x, *first, *cell.parameters()], allow_unused=True)

    state, steps = first, []
    for projected in cell.project(x):
        state = cell.step(projected, state)
        steps.append(state[0])
    assert cell.fused
    outputs, last = cell.sequence(x, first)
    for a, b in zip((outputs, *last), (torch.stack(steps), *state), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)
    for a, b in zip(loss(outputs, last), loss(torch.stack(steps), state), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ALL, ids=str)
def test_step_takes_any_leading_shape(name: object) -> None:
    cell = randomized(name, 4, 6)
    x, state = torch.randn(2, 3, 4).double(), tuple(torch.rand(2, 3, 6).double() for _ in range(cell.states))
    whole = cell.step(cell.project(x), state)[0]
    one = cell.step(cell.project(x[1, 2]), tuple(part[1, 2] for part in state))[0]
    torch.testing.assert_close(whole[1, 2], one)


def test_plain_cells_equal_torchs_own_layers() -> None:
    """An independent implementation of the same three functions."""
    x = torch.randn(5, 2, 3, dtype=torch.double)
    for name, layer in (("rnn", torch.nn.RNN), ("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)):
        theirs = layer(3, 4).double()
        cell = make_cell(config(name), 3, 4).double()
        with torch.no_grad():
            cell.kernel.copy_(theirs.weight_ih_l0)
            cell.recurrent_kernel.copy_(theirs.weight_hh_l0)
            if name == "gru":
                cell.bias.copy_(theirs.bias_ih_l0)
                cell.recurrent_bias.copy_(theirs.bias_hh_l0)
            else:
                cell.bias.copy_(theirs.bias_ih_l0 + theirs.bias_hh_l0)
        outputs, _ = Layer(recipe.StackConfig(cell=config(name), hidden_size=4), 3).double()(x)
        assert outputs.shape == (5, 2, 4)
        torch.testing.assert_close(cell.sequence(x, cell.zero_state(x, 2))[0], theirs(x)[0])


@pytest.mark.parametrize("time", [1, 2, 3, 7, 8, 9])
def test_scan_is_the_recurrence(time: int) -> None:
    decay, inflow, c = torch.rand(time, 2, 3).double(), torch.randn(time, 2, 3).double(), torch.randn(2, 3).double()
    found, in_order = scan(decay, inflow, c), one_by_one(decay, inflow, c)
    for t in range(time):
        c = decay[t] * c + inflow[t]
        torch.testing.assert_close(found[t], c, atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(in_order[t], c, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("name", ["ssru", "mingru", "minlstm", {"kind": "sru", "peephole": False}], ids=str)
def test_the_scan_of_a_gpu_gives_the_same_gradients(name: object, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, x = randomized(name, 4, 4), torch.randn(6, 3, 4, dtype=torch.double)
    weights = list(cell.parameters())
    plain = torch.autograd.grad((cell.sequence(x, cell.zero_state(x, 3))[0] ** 2).sum(), weights)
    monkeypatch.setattr(elementwise, "one_by_one", scan)
    scanned = torch.autograd.grad((cell.sequence(x, cell.zero_state(x, 3))[0] ** 2).sum(), weights)
    torch.testing.assert_close(plain, scanned, atol=1e-10, rtol=1e-10)


def test_forget_bias_and_uniform_range() -> None:
    cell = make_cell(config({"kind": "lstm", "forget_bias": 2.5, "kernel_initializer": "uniform"}), 3, 16)
    i, f, g, o = cell.bias.detach().chunk(4)
    assert f.tolist() == [2.5] * 16 and i.abs().max() == g.abs().max() == o.abs().max() == 0
    assert 0.2 < cell.kernel.abs().max() <= 0.25  # 1/sqrt(16)


# --- a cell of the user's own ---

DOCS = Path(__file__).parents[2] / "docs" / "cells.md"
OWN = DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0] + "\nnot_a_cell = 3\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_cells.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")
    monkeypatch.chdir(tmp_path)
    return


@pytest.mark.usefixtures("own")
def test_a_cell_of_ones_own() -> None:
    cell = make_cell(config({"kind": "my_cells:LeakyCell", "options": {"leak": 0.9}}), 3, 4)
    layer = Layer(recipe.StackConfig(cell=config("my_cells:LeakyCell"), hidden_size=4, recurrent_dropout=0.2), 3)
    assert layer(torch.randn(5, 2, 3))[0].shape == (5, 2, 4)
    h, x = torch.rand(2, 4), torch.randn(2, 3)
    expected = 0.9 * h + 0.1 * torch.tanh(x @ cell.kernel.T + h @ cell.recurrent_kernel.T)
    torch.testing.assert_close(cell.step(cell.project(x), (h,))[0], expected)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("missing_file:LeakyCell", "importing missing_file failed: ModuleNotFoundError"),
        ("broken:LeakyCell", "importing broken failed: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("my_cells:Leaky", "my_cells has no class Leaky that is a seq2seq.nn.cells.Cell"),
        ("my_cells:not_a_cell", "has no class not_a_cell"),
        ({"kind": "my_cells:LeakyCell", "options": {"leek": 1}}, "unexpected keyword argument 'leek'"),
    ],
)
def test_errors_of_naming_a_cell_of_ones_own(cell: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_cell(config(cell), 3, 4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("self.recur(", "self.recurr(", r"mine:Leaky, mine.py:\d+: AttributeError: .*recurr"),
        ("gates=1", "gates=2", r"mine.py:\d+: RuntimeError: The size of tensor"),
        (
            "mask)),)",
            "mask)))",
            r"`step` must return a state, a tuple of tensors \[\(2, 4\)\] for 2 rows; it gives Tensor",
        ),
        ("(1 - self.leak) *", "torch.inf *", "not finite"),
        ("return (", "retrun (", "NameError: name 'retrun' is not defined"),
    ],
)
def test_errors_in_a_cell_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    (tmp_path / "mine.py").write_text(OWN.replace("LeakyCell", "Leaky").replace(old, new))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    with pytest.raises(UserError, match=message):
        make_cell(config("mine:Leaky"), 3, 4)
