"""The public layers equal Keras's, argument by argument; weights are carried over as docs/keras.md says."""

import os
from typing import Any

import pytest
import torch
from torch import Tensor

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"
pytest.importorskip("keras", reason="keras is not installed: pip install 'keras>=3.8'")

import keras

from seq2seq import nn
from seq2seq.errors import UserError

BATCH, TIME, INPUT, UNITS = 3, 5, 2, 4
MASK = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]).bool()
KINDS: dict[str, type[nn.RecurrentLayer]] = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def carry_over(theirs: Any, ours: nn.RecurrentLayer) -> None:
    """Give our layer the weights of a Keras layer."""
    weights = {}
    for variable in theirs.cell.trainable_variables:
        blocks = variable.value.detach().split(UNITS, -1)
        blocks = (blocks[1], blocks[0], blocks[2]) if len(blocks) == 3 else blocks  # GRU: z, r, h; ours r, z, g
        weights[variable.name] = torch.cat(blocks, -1).movedim(-1, 0)
    if "bias" in weights and weights["bias"].dim() == 2:  # reset_after: of the input and of the state
        weights["bias"], weights["recurrent_bias"] = weights["bias"].unbind(-1)
    ours.layer.cell.load_state_dict(weights)


def twins(kind: str, **options: Any) -> tuple[Any, nn.RecurrentLayer]:
    keras.utils.set_random_seed(1)
    zeros = options.get("return_sequences", False)  # Keras's last output alone is not to be zeroed
    theirs = getattr(keras.layers, kind)(UNITS, zero_output_for_mask=zeros, **options)
    theirs.build((BATCH, TIME, INPUT))
    for variable in theirs.trainable_variables:
        variable.assign(torch.randn(*variable.shape))
    ours = KINDS[kind](UNITS, INPUT, **options)
    carry_over(theirs, ours)
    return theirs, ours


def parts(found: Any) -> list[Tensor]:
    return list(found) if isinstance(found, (list, tuple)) else [found]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_sequences": True},
        {"return_state": True},
        {"return_sequences": True, "return_state": True, "activation": "relu"},
        {"go_backwards": True, "return_sequences": True},
        {"go_backwards": True, "return_state": True},
        {"unroll": True, "return_sequences": True},
        {"use_bias": False, "return_sequences": True},
    ],
    ids=lambda options: " ".join(options) or "defaults",
)
def test_equals_keras(kind: str, mask: Tensor | None, options: dict[str, Any]) -> None:
    theirs, ours = twins(kind, **options)
    x = torch.randn(BATCH, TIME, INPUT)
    for found, expected in zip(parts(ours(x, mask)), parts(theirs(x, mask=mask)), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{"reset_after": False}, {"recurrent_activation": "hard_sigmoid"}])
def test_a_gru_of_either_form(options: dict[str, Any]) -> None:
    theirs, ours = twins("GRU", **options)
    x = torch.randn(BATCH, TIME, INPUT)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_begins_as_keras_does() -> None:
    """Orthogonal recurrent kernels, Glorot kernels, no bias but an LSTM's forget gate's."""
    layer = nn.LSTM(UNITS, INPUT)
    cell = layer.layer.cell
    torch.testing.assert_close(cell.recurrent_kernel.T @ cell.recurrent_kernel, torch.eye(UNITS), atol=1e-5, rtol=0)
    assert cell.kernel.abs().max() <= (6 / (4 * UNITS + INPUT)) ** 0.5
    assert cell.bias is not None and cell.bias.tolist() == [0] * UNITS + [1] * UNITS + [0] * 2 * UNITS
    assert nn.LSTM(UNITS, INPUT, unit_forget_bias=False).layer.cell.bias.abs().sum() == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_equals_keras(kind: str, merge: Any, sequences: bool) -> None:
    forward, ours = twins(kind, return_sequences=sequences, return_state=True)
    backward, back = twins(kind, return_sequences=sequences, return_state=True, go_backwards=True)
    theirs = keras.layers.Bidirectional(forward, merge_mode=merge, backward_layer=backward)
    theirs.build((BATCH, TIME, INPUT))
    both = nn.Bidirectional(ours, merge, back)
    carry_over(theirs.forward_layer, ours)
    carry_over(theirs.backward_layer, back)
    x = torch.randn(BATCH, TIME, INPUT)
    for found, expected in zip(parts(both(x)), parts(theirs(x)), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_bidirectional_layer_makes_its_own_twin() -> None:
    torch.manual_seed(1)
    both = nn.Bidirectional(nn.GRU(UNITS, INPUT, return_sequences=True, dropout=0.5))
    forward, backward = both.forward_layer.layer.cell, both.backward_layer.layer.cell
    assert both.backward_layer.go_backwards and both.backward_layer.dropout == 0.5
    assert not torch.equal(forward.kernel, backward.kernel)
    assert both(torch.randn(BATCH, TIME, INPUT)).shape == (BATCH, TIME, 2 * UNITS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_layer_goes_on(kind: str) -> None:
    whole = KINDS[kind](UNITS, INPUT, return_sequences=True)
    parted = KINDS[kind](UNITS, INPUT, return_sequences=True, stateful=True)
    parted.load_state_dict(whole.state_dict())
    x = torch.randn(BATCH, TIME, INPUT)
    found = torch.cat([parted(x[:, :2]), parted(x[:, 2:])], 1)
    torch.testing.assert_close(found, whole(x))
    parted.reset_state()
    torch.testing.assert_close(parted(x), whole(x))


def test_a_given_state_is_the_first_one() -> None:
    layer = nn.LSTM(UNITS, INPUT, return_sequences=True, return_state=True)
    x = torch.randn(BATCH, TIME, INPUT)
    whole, *_ = layer(x)
    _, *state = layer(x[:, :3])
    rest, *_ = layer(x[:, 3:], initial_state=state)
    torch.testing.assert_close(rest, whole[:, 3:])


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_dropout_is_one_mask_a_sequence_and_off_in_evaluation(option: str) -> None:
    torch.manual_seed(1)
    layer = nn.RNN(UNITS, INPUT, activation="identity", use_bias=False, return_sequences=True, **{option: 0.5})  # type: ignore[arg-type]
    x = torch.ones(1, 40, INPUT)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))
    layer.train()
    with torch.no_grad():
        layer.layer.cell.recurrent_kernel.zero_()
    if option == "dropout":
        outputs = layer(x)
        torch.testing.assert_close(outputs, outputs[:, :1].expand_as(outputs))


def test_penalties_and_constraints() -> None:
    layer = nn.RNN(
        UNITS,
        INPUT,
        kernel_regularizer={"l2": 0.5},
        activity_regularizer={"l1": 0.1},
        kernel_constraint={"kind": "max_norm", "max": 0.1},
        return_sequences=True,
    )
    outputs = layer(torch.randn(BATCH, TIME, INPUT))
    weights = 0.5 * layer.layer.cell.kernel.square().sum()
    torch.testing.assert_close(layer.penalty(), weights)
    torch.testing.assert_close(layer.penalty(outputs), weights + 0.1 * outputs.abs().sum() / BATCH)
    layer.constrain()
    assert (layer.layer.cell.kernel.norm(dim=-1) <= 0.1 + 1e-6).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.GRU(UNITS, INPUT, activation="tahn"), "activation.*tanh"),
        (lambda: nn.GRU(0, INPUT), "units"),
        (lambda: nn.GRU(UNITS, INPUT, dropout=1.5), "dropout"),
        (lambda: nn.GRU(UNITS, INPUT, recurrent_dropout=-1.0), "recurrent_dropout"),
        (lambda: nn.LSTM(UNITS, INPUT, kernel_initializer="glorot"), "kernel_initializer"),
        (lambda: nn.Bidirectional(nn.GRU(UNITS, INPUT), "cat"), "merge_mode"),
        (lambda: nn.Bidirectional(nn.GRU(UNITS, INPUT), backward_layer=nn.GRU(UNITS, INPUT)), "go_backwards"),
    ],
)
def test_bad_arguments_are_named(make: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()
