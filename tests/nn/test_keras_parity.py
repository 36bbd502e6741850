"""The recurrent core equals Keras 3, an independent implementation: outputs, last states, every gradient.

Keras's weights are carried over as docs/keras.md says. Keras reads [batch, time, size]; our layers [time, batch, size].
"""

import os
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

os.environ["KERAS_BACKEND"] = "torch"
os.environ["KERAS_TORCH_DEVICE"] = "cpu"

pytest.importorskip("keras", reason="keras is not installed: pip install 'keras>=3.8'")

import keras
from keras.src.backend.common import dtypes

from seq2seq import recipe
from seq2seq.nn.cells import Cell
from seq2seq.nn.cells.base import ACTIVATIONS
from seq2seq.nn.layer import Layer, SequenceMask
from seq2seq.nn.regularization import Activity, constrain, weight_penalty
from seq2seq.nn.stack import DecoderStack, EncoderStack

dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # as on TensorFlow; else Keras rounds every product to float32
BATCH, TIME, INPUT, HIDDEN = 3, 5, 2, 4
LENGTHS = torch.tensor([3, 5, 1])
MASKS = {"padding": torch.arange(TIME) < LENGTHS.unsqueeze(1)}
MASKS["holes"] = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 1], [1, 1, 1, 1, 1]]).bool()
Options = dict[str, Any]
Run = tuple[Tensor, Sequence[Tensor], Sequence[Any]]  # outputs [batch, time, size], last states, cells
OTHER = {"activation": "relu", "recurrent_activation": "hard_sigmoid"}
CELLS: dict[str, tuple[str, Options, Options]] = {  # Keras's layer and its options; our cell, but for common options
    "rnn": ("SimpleRNN", {}, {"kind": "rnn"}),
    "rnn-relu": ("SimpleRNN", {"activation": "relu"}, {"kind": "rnn"}),
    "rnn-linear": ("SimpleRNN", {"activation": "linear"}, {"kind": "rnn", "activation": "identity"}),
    "rnn-no-bias": ("SimpleRNN", {"use_bias": False}, {"kind": "rnn"}),
    "lstm": ("LSTM", {}, {"kind": "lstm"}),
    "lstm-no-bias": ("LSTM", {"use_bias": False}, {"kind": "lstm"}),
    "lstm-other": ("LSTM", OTHER, {"kind": "lstm"}),
    "gru-after": ("GRU", {}, {"kind": "gru"}),
    "gru-after-no-bias": ("GRU", {"use_bias": False}, {"kind": "gru"}),
    "gru-after-other": ("GRU", OTHER, {"kind": "gru"}),
    "gru-before": ("GRU", {"reset_after": False}, {"kind": "gru", "reset": "before"}),
    "gru-before-no-bias": ("GRU", {"reset_after": False, "use_bias": False}, {"kind": "gru", "reset": "before"}),
    "gru-before-other": ("GRU", {"reset_after": False, **OTHER}, {"kind": "gru", "reset": "before"}),
}
PLAIN = ["rnn", "lstm", "gru-after", "gru-before"]
WAYS = [(way, mask) for way in ("", "go_backwards", "unroll") for mask in (None, *MASKS)]
WAYS += [("unroll go_backwards", None)]  # with a mask Keras itself fails
PARTS = ["kernel", "recurrent", "bias"]


def close(found: object, expected: object) -> None:
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def built(layer: Any, size: int = INPUT) -> Any:
    """A Keras layer with random weights."""
    layer.build((BATCH, TIME, size))
    for variable in layer.trainable_variables:
        variable.assign(torch.randn(*variable.shape))
    return layer


def keras_layer(name: str, **options: object) -> Any:
    kind, own, _ = CELLS[name]
    given = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True, **own, **options}
    return getattr(keras.layers, kind)(HIDDEN, dtype="float64", **given)


def our_cell(name: str, **options: object) -> Options:
    _, theirs, own = CELLS[name]
    return {**{key: value for key, value in theirs.items() if key != "reset_after"}, **own, **options}


def parts(name: str) -> list[str]:
    """The kinds of weights that this cell has."""
    return [part for part in PARTS if part != "bias" or CELLS[name][1].get("use_bias", True)]


def weights(cell: Any) -> list[Tensor]:
    return [variable.value for variable in cell.trainable_variables]


def as_ours(cell: Any, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """A Keras cell's weights, or something of their shapes, as they are in ours: by name, gates in our order."""
    found = {}
    for variable, tensor in zip(cell.trainable_variables, tensors, strict=True):
        blocks = tensor.split(cell.units, -1)
        blocks = (blocks[1], blocks[0], blocks[2]) if len(blocks) == 3 else blocks  # GRU: z, r, h; ours r, z, g
        found[variable.name] = torch.cat(blocks, -1).movedim(-1, 0)
    if "bias" in found and found["bias"].dim() == 2:  # reset_after: of the input and of the state
        found["bias"], found["recurrent_bias"] = found["bias"].unbind(-1)
    return found


def carry(theirs: Sequence[Any], ours: Sequence[Cell]) -> None:
    for one, other in zip(theirs, ours, strict=True):
        other.load_state_dict(as_ours(one, weights(one)))


def twins(name: str, cell: Options | None = None, **options: object) -> tuple[Any, Layer]:
    """Keras's layer and ours, with the same weights. `cell`: what ours alone is told."""
    torch.manual_seed(1)
    theirs = built(keras_layer(name, **options))
    config = recipe.StackConfig.model_validate({"cell": our_cell(name, **cell or {}), "hidden_size": HIDDEN})
    ours = Layer(config, INPUT, reverse=bool(options.get("go_backwards"))).double()
    carry([theirs.cell], [ours.cell])
    return theirs, ours


def compare_slopes(expected: Tensor, found: Tensor, theirs: Sequence[Any], ours: Sequence[Cell]) -> None:
    for one, other in zip(theirs, ours, strict=True):
        names, own = zip(*other.named_parameters(), strict=True)
        slopes = torch.autograd.grad(found, own, retain_graph=True)
        wanted = as_ours(one, torch.autograd.grad(expected, weights(one), retain_graph=True))
        close(dict(zip(names, slopes, strict=True)), wanted)


def compare(theirs: Run, ours: Run, leaves: Sequence[Tensor]) -> None:
    """The same outputs and states, and gradients of a loss in which each of their numbers has its own part."""
    close([ours[0], *ours[1]], [theirs[0], *theirs[1]])
    expected, found = (
        (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum()
        + sum((part.sin() * (place + 1)).sum() for place, part in enumerate(final))
        for outputs, final, _ in (theirs, ours)
    )
    close(*(torch.autograd.grad(total, leaves, retain_graph=True) for total in (found, expected)))
    compare_slopes(expected, found, theirs[2], ours[2])


@pytest.mark.parametrize("started", [False, True], ids=["from-zero", "from-a-state"])
@pytest.mark.parametrize(("way", "mask"), WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_layer(name: str, way: str, mask: str | None, started: bool) -> None:
    theirs, ours = twins(name, **dict.fromkeys(way.split(), True))
    x, state = numbers(BATCH, TIME, INPUT), [numbers(BATCH, HIDDEN) for _ in range(ours.cell.states)]
    y, *final = theirs(x, initial_state=state if started else None, mask=None if mask is None else MASKS[mask])
    y = y.flip(1) if "go_backwards" in way else y  # Keras gives the outputs in the order of reading
    inside = None if mask is None else SequenceMask.of_mask(MASKS[mask].T)
    for fused in {ours.cell.fused, False}:
        ours.cell.fused = fused
        hs, last = ours(x.transpose(0, 1), tuple(state) if started else None, inside)
        compare((y, final, [theirs.cell]), (hs.transpose(0, 1), last, [ours.cell]), [x, *state] if started else [x])


@pytest.mark.parametrize("name", PLAIN)
def test_state_carried_on_equals_stateful(name: str) -> None:
    theirs, ours = twins(name, stateful=True)
    x = numbers(BATCH, TIME, INPUT)
    (y, *_), (y_2, *final) = theirs(x[:, :3]), theirs(x[:, 3:])
    outputs, state = ours(x[:, :3].transpose(0, 1))
    outputs_2, last = ours(x[:, 3:].transpose(0, 1), state)
    found = [torch.cat([outputs, outputs_2]).transpose(0, 1), *last]
    close(found, [torch.cat([y, y_2], 1), *final])
    theirs.reset_state()
    close(found, theirs(x))  # the whole at once


@pytest.mark.parametrize("direction", "forward backward bidirectional bidirectional_first alternating".split())
@pytest.mark.parametrize("name", PLAIN)
def test_encoder_stack_after_training(name: str, direction: str) -> None:
    torch.manual_seed(1)
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}
    keys = {"cell": our_cell(name), "hidden_size": HIDDEN, "layers": 2, "direction": direction, **rates}
    config = recipe.EncoderConfig.model_validate(keys)
    ours = EncoderStack(config, INPUT).double().eval()
    y = x = numbers(BATCH, TIME, INPUT)
    cells, finals = [], []
    for letters in config.directions:
        theirs = keras_layer(name, go_backwards=letters == "b", **rates)
        if letters == "fb":
            theirs = keras.layers.Bidirectional(theirs, merge_mode="concat", dtype="float64")
        y, *final = built(theirs, y.shape[-1])(y, mask=MASKS["padding"], training=False)
        y = y.flip(1) if letters == "b" else y
        half = len(final) // len(letters)  # Bidirectional: the forward states, then the backward ones
        finals.append([torch.cat(final[part::half], -1) for part in range(half)])
        cells += [theirs.forward_layer.cell, theirs.backward_layer.cell] if letters == "fb" else [theirs.cell]
    own = [layer.cell for layers in ours.layers for layer in layers]
    carry(cells, own)
    outputs, last = ours(x, LENGTHS)
    compare((y, [*chain(*finals)], cells), (outputs, [*chain(*last)], own), [x])


@pytest.mark.parametrize("name", PLAIN)
def test_decoder_stack_equals_stacked_cells(name: str) -> None:
    torch.manual_seed(1)
    config = recipe.StackConfig.model_validate({"cell": our_cell(name), "hidden_size": HIDDEN, "layers": 2})
    ours = DecoderStack(config, INPUT).double()
    cells = [keras_layer(name).cell for _ in range(2)]
    stacked = keras.layers.StackedRNNCells(cells, dtype="float64")
    theirs = built(keras.layers.RNN(stacked, return_sequences=True, return_state=True, dtype="float64"))
    x, own = numbers(BATCH, TIME, INPUT), [layer.cell for layer in ours.layers]
    carry(cells, own)
    state = [tuple(numbers(BATCH, HIDDEN) for _ in range(cell.states)) for cell in own]
    y, *finals = theirs(x, initial_state=[list(parts) for parts in state])
    outputs, last = ours(x, state)
    compare((y, [*chain(*finals)], cells), (outputs, [*chain(*last)], own), [x, *chain(*state)])


@pytest.mark.parametrize("ours", ACTIVATIONS)
def test_activations(ours: str) -> None:
    x = torch.linspace(-5, 5, 100, dtype=torch.double, requires_grad=True)
    runs = [ACTIVATIONS[ours](x), keras.activations.get("linear" if ours == "identity" else ours)(x)]
    close(*runs)
    close(*(torch.autograd.grad(run.sum(), x) for run in runs))


def test_only_these_activations_are_left_out() -> None:
    """docs/keras.md says why: over all units, halving them, or without numbers of their own."""
    theirs = {name for name, function in vars(keras.activations).items() if callable(function)}
    functions = {
        "get",
        "serialize",
        "deserialize",
        "swish",
        "hard_swish",
    }  # the last two: other names of silu, hard_silu
    across = {"softmax", "log_softmax", "sparsemax", "glu"}
    assert theirs - functions - across - {"threshold", "linear"} == ACTIVATIONS.keys() - {"identity"}
    page = (Path(__file__).parents[2] / "docs/keras.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in [*across, "threshold"])


@pytest.mark.parametrize("name", [*PLAIN, "gru-after-no-bias"])
def test_penalties_on_weights(name: str) -> None:
    rates = {f"{part}_regularizer": {"l1": 0.1 * row, "l2": 0.2} for row, part in enumerate(parts(name))}
    theirs, ours = twins(name, rates, **{key: keras.regularizers.L1L2(**rate) for key, rate in rates.items()})
    expected, found = sum(theirs.losses), weight_penalty(ours)
    close(found, expected)
    compare_slopes(expected, found, [theirs.cell], [ours.cell])


@pytest.mark.parametrize("mode", ["rows", "columns"])
@pytest.mark.parametrize("name", PLAIN)
def test_penalty_for_vectors_that_are_not_orthogonal(name: str, mode: str) -> None:
    keys = ["kernel_regularizer", "recurrent_regularizer"]
    given = {key: keras.regularizers.OrthogonalRegularizer(0.25 * (row + 1), mode) for row, key in enumerate(keys)}
    rates = {key: {f"orthogonal_{mode}": 0.25 * (row + 1)} for row, key in enumerate(keys)}
    theirs, ours = twins(name, {**rates, "use_bias": False}, **given, use_bias=False)
    expected, found = sum(theirs.losses), weight_penalty(ours)
    close(found, expected)
    compare_slopes(expected, found, [theirs.cell], [ours.cell])


@pytest.mark.parametrize("name", PLAIN)
def test_penalty_on_outputs_is_the_sum_over_sentences_of_kerass(name: str) -> None:
    """Keras divides a batch's penalty by its sentences; here each sentence is a batch of its own."""
    rates = {"l1": 0.1, "l2": 0.2}
    theirs, ours = twins(name, {"activity_regularizer": rates}, return_state=False)  # Keras would penalise states too
    theirs.activity_regularizer = keras.regularizers.L1L2(**rates)  # SimpleRNN does not take it from its arguments
    x, losses = numbers(BATCH, TIME, INPUT), []
    for row in range(BATCH):
        theirs(x[row : row + 1], mask=MASKS["holes"][row : row + 1])
        losses += theirs.losses
    with Activity(ours.train()) as heard:
        ours(x.transpose(0, 1), None, SequenceMask.of_mask(MASKS["holes"].T))
    assert len(losses) == BATCH
    close(heard.penalty(), sum(losses))


# Without the biases of gru-after: there Keras's norm is that of a unit's two biases, ours that of each whole bias.
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru-before", "gru-after-no-bias"])
@pytest.mark.parametrize(
    ("kind", "constraint"),
    [
        ("max_norm", "MaxNorm"),
        ("non_negative", "NonNeg"),
        ("unit_norm", "UnitNorm"),
        ({"kind": "min_max_norm", "min": 1.5, "max": 1.75, "rate": 0.5}, keras.constraints.MinMaxNorm(1.5, 1.75, 0.5)),
    ],
)
def test_constraints(name: str, kind: Any, constraint: Any) -> None:
    keys = [f"{part}_constraint" for part in parts(name)]
    theirs, ours = twins(name, dict.fromkeys(keys, kind), **dict.fromkeys(keys, constraint))
    constrain(ours)
    expected = [variable.constraint(variable.value) for variable in theirs.trainable_variables]
    close({name: weight.detach() for name, weight in ours.cell.named_parameters()}, as_ours(theirs.cell, expected))


@pytest.mark.parametrize(
    ("key", "recurrent", "gone"), [("input_dropout", "zeros", 0), ("recurrent_dropout", "identity", 1)]
)
def test_dropout_has_one_mask_a_sentence(key: str, recurrent: str, gone: int) -> None:
    """h_t = x_t, or x_t + h_{t-1}, and every x_t is 1: h_t shows what was dropped, the same at every step."""
    both = {"kernel_initializer": "identity", "recurrent_initializer": recurrent}
    rates = {key.removeprefix("input_"): 0.5}
    theirs = keras.layers.SimpleRNN(16, "linear", return_sequences=True, dtype="float64", seed=1, **rates, **both)
    keys = {"cell": {"kind": "rnn", "activation": "identity", **both}, "direction": "forward", "hidden_size": 16}
    ours = EncoderStack(recipe.EncoderConfig.model_validate({**keys, key: 0.5}), 16).double()
    x, lengths = torch.ones(BATCH, TIME, 16, dtype=torch.double), torch.tensor([TIME] * BATCH)
    torch.manual_seed(1)
    for run in (lambda: theirs(x, training=True), lambda: ours(x, lengths)[0]):
        dropped, again = (run()[:, 1:] == gone for _ in range(2))
        assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
        assert 0 < dropped.sum() < dropped.numel()
        assert not torch.equal(dropped[0], dropped[1]) and not torch.equal(dropped, again)
        assert key != "input_dropout" or set(run().unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("theirs", ["GRU(4, ", "GRU(4, reset_after=False, ", "LSTM(4, ", "SimpleRNN(4, "])
def test_the_code_in_the_documentation_runs(theirs: str) -> None:
    page = (Path(__file__).parents[2] / "docs/keras.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    ours = {"GRU(4, ": "gru", "LSTM(4, ": "lstm", "SimpleRNN(4, ": "rnn"}.get(theirs, "{kind: gru, reset: before}")
    exec(code.replace("GRU(4, ", theirs).replace('"gru"', repr(yaml.safe_load(ours))), {})
