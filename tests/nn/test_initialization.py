"""Default first weights keep outputs and gradients alive through deep stacks."""

from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.initialization import fill, only_zeros
from seq2seq.nn.layer import Layer
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.gradients import gradient_norms, starved

DEPTH = 6
OLD = {"kernel_initializer": "uniform", "recurrent_initializer": "uniform"}


def through_a_stack(cell: dict[str, Any]) -> tuple[float, float]:
    """Deviation of the top layer's outputs by the first layer's; gradient at the bottom by that at the top."""
    torch.manual_seed(1)
    config = recipe.StackConfig.model_validate({"cell": cell, "hidden_size": 64})
    outputs: list[Tensor] = [(0.5 * torch.randn(15, 16, 64)).requires_grad_()]
    for _ in range(DEPTH):
        h, _ = Layer(config, 64)(outputs[-1])
        h.retain_grad()
        outputs.append(h)
    outputs[-1].backward(torch.randn_like(outputs[-1]))
    bottom, top = outputs[0].grad, outputs[-1].grad
    assert bottom is not None and top is not None
    return (outputs[-1].std() / outputs[1].std()).item(), (bottom.norm() / top.norm()).item()


CELLS: list[dict[str, Any]] = [
    {"kind": "rnn"},
    {"kind": "rnn", "activation": "relu"},
    {"kind": "gru"},
    {"kind": "gru", "reset": "before"},
    {"kind": "sru"},
    {"kind": "ssru"},
    {"kind": "mingru"},
    {"kind": "minlstm"},
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_neither_outputs_nor_gradients_fade_through_six_layers(cell: dict[str, Any]) -> None:
    size, gradient = through_a_stack(cell)
    assert 0.4 < size < 2.5 and 0.4 < gradient < 2.5


@pytest.mark.parametrize("coupled", [False, True])
def test_an_lstm_gives_up_some_depth_for_time(coupled: bool) -> None:
    """Wider kernels would keep the gradient through depth, and move the forget gates so far that time loses it."""
    cell = {"kind": "lstm", "coupled": coupled}
    new, old = through_a_stack(cell), through_a_stack({**cell, **OLD})
    assert new[1] > 0.03 and all(a > 10 * b for a, b in zip(new, old, strict=True))


def test_uniform_weights_starve_a_stack() -> None:
    """What the defaults were: the test above bites."""
    assert max(*through_a_stack({"kind": "lstm", **OLD}), *through_a_stack({"kind": "gru", **OLD})) < 0.05


def model(layers: int, cell: dict[str, Any]) -> Seq2Seq:
    torch.manual_seed(1)
    values = {
        "embedding": {"size": 32},
        "encoder": {"cell": cell, "layers": layers, "hidden_size": 32},
        "decoder": {"cell": cell, "layers": layers, "hidden_size": 64},
    }
    return Seq2Seq(recipe.ModelConfig.model_validate(values), 40, 40, 0)


def first_norms(made: Seq2Seq) -> dict[str, float]:
    tokens = torch.randint(4, 40, (8, 9))
    logits = made.logits(made(tokens, torch.full((8,), 9), tokens).states)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten()).backward()
    return gradient_norms(made)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 4])
def test_no_layer_of_a_default_model_starves(kind: str, layers: int) -> None:
    assert starved(first_norms(model(layers, {"kind": kind}))) == {}


def test_kernels_have_the_variance_of_their_cell() -> None:
    torch.manual_seed(1)
    config = recipe.StackConfig.model_validate({"cell": "lstm", "hidden_size": 200})
    layer = Layer(config, 50)
    assert layer.cell.kernel.var().item() == pytest.approx(layer.cell.kernel_scale / 50, rel=0.05)
    gram = layer.cell.recurrent_kernel.T @ layer.cell.recurrent_kernel
    torch.testing.assert_close(gram, torch.eye(200), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["lstm", "gru", "mingru", "sru"])
def test_what_older_models_state_is_still_valid(kind: str) -> None:
    """config.json and recipe.yaml of a run hold every default of its time."""
    uniform = {"kind": "uniform", "range": None}
    old = {"kind": kind, "use_bias": True, "kernel_initializer": uniform, "recurrent_initializer": uniform}
    config = recipe.StackConfig.model_validate({"cell": old})
    assert config.cell.kernel_initializer.kind == config.cell.recurrent_initializer.kind == "uniform"


def test_weights_that_are_read_in_next_are_not_drawn() -> None:
    weight, ones = torch.full((2, 3), 5.0), recipe.PlainInitializerConfig(kind="ones")
    with only_zeros():
        fill(weight, ones, 2)
        assert weight.eq(0).all()
    fill(weight, ones, 2)
    assert weight.eq(1).all()
