"""The recurrent core equals Keras 3, an independent implementation: outputs, last states, every gradient.

Keras's weights are carried over as docs/keras.md says. Keras reads [batch, time, size]; our layers [time, batch, size].
"""

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.cells import Cell, State
from seq2seq.nn.cells.base import ACTIVATIONS
from seq2seq.nn.layer import Inside, Layer
from seq2seq.nn.regularization import constrain, penalty
from seq2seq.nn.stack import DecoderStack, EncoderStack

os.environ["KERAS_BACKEND"], os.environ["KERAS_TORCH_DEVICE"] = "torch", "cpu"
import keras  # noqa: E402  # after what it reads of the environment
from keras.src.backend.common import dtypes  # noqa: E402

dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # as on TensorFlow; else Keras rounds every product to float32

BATCH, TIME, INPUT, HIDDEN = 3, 5, 2, 4
LENGTHS = torch.tensor([3, 5, 1])
MASKS = {
    "padding": torch.arange(TIME) < LENGTHS.unsqueeze(1),
    "holes": torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 1], [1, 1, 1, 1, 1]]).bool(),
}
OTHER = {"activation": "relu", "recurrent_activation": "hard_sigmoid"}
# Keras's layer, its options, and our cell but for the options that both have.
CELLS: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
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


def close(found: Iterable[Tensor], expected: Iterable[Tensor], tolerance: float = 1e-10) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def keras_layer(name: str, size: int = INPUT, wrap: bool = False, **options: object) -> Any:
    """A layer in float64 with random weights; wrap: both directions."""
    kind, own, _ = CELLS[name]
    both = {"dtype": "float64", "return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    layer = getattr(keras.layers, kind)(HIDDEN, **both, **own, **options)
    layer = keras.layers.Bidirectional(layer, merge_mode="concat", dtype="float64") if wrap else layer
    layer.build((BATCH, TIME, size))
    return randomized(layer)


def randomized(layer: Any) -> Any:
    for variable in layer.trainable_variables:
        variable.assign(torch.randn(*variable.shape) * 0.6)
    return layer


def our_cell(name: str, **options: object) -> dict[str, object]:
    _, theirs, own = CELLS[name]
    return {**{key: value for key, value in theirs.items() if key != "reset_after"}, **own, **options}


def weights(cell: Any) -> list[Tensor]:
    return [variable.value for variable in cell.trainable_variables]


def as_ours(cell: Any, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """What a Keras cell's weights or their gradients are in ours: by name, gates in our order, the inputs last."""
    found = {}
    for variable, tensor in zip(cell.trainable_variables, tensors, strict=True):
        blocks = tensor.split(HIDDEN, -1)
        blocks = (blocks[1], blocks[0], blocks[2]) if len(blocks) == 3 else blocks  # GRU: z, r, h; ours r, z, g
        found[variable.name] = torch.cat(blocks, -1).movedim(-1, 0)
    if found.get("bias", torch.empty(0)).dim() == 2:  # reset_after: of the input and of the state
        found["bias"], found["recurrent_bias"] = found["bias"].unbind(-1)
    return found


@torch.no_grad()
def carry(theirs: Any, ours: Cell) -> None:
    values = as_ours(theirs, weights(theirs))
    assert values.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        parameter.copy_(values[name])


def twins(name: str, cell: dict[str, object] | None = None, **options: object) -> tuple[Any, Layer]:
    """Keras's layer and ours, with the same weights; cell: what only ours is told."""
    torch.manual_seed(1)
    theirs = keras_layer(name, **options)
    section = recipe.Stack.model_validate({"cell": our_cell(name, **cell or {}), "hidden_size": HIDDEN})
    ours = Layer(section, INPUT, reverse=bool(options.get("go_backwards"))).double()
    carry(theirs.cell, ours.cell)
    return theirs, ours


def gradients(outputs: Tensor, final: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """Of a loss in which every number of [batch, time, size] outputs and last states has its own part."""
    total = (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum()
    total = total + sum((part.sin() * (place + 1)).sum() for place, part in enumerate(final))
    return list(torch.autograd.grad(total, leaves))


def close_to_keras(
    cells: Sequence[Any], ours: Sequence[Cell], theirs: Sequence[Tensor], found: Sequence[Tensor]
) -> None:
    """Gradients of several cells' weights, one cell's after the other's, are the same."""
    expected, rest, own = {}, list(theirs), iter(found)
    for place, cell in enumerate(cells):
        count = len(cell.trainable_variables)
        expected[place], rest = as_ours(cell, rest[:count]), rest[count:]
        for name, _ in ours[place].named_parameters():
            close([next(own)], [expected[place][name]])


@pytest.mark.parametrize("started", [False, True], ids=["from-zero", "from-a-state"])
@pytest.mark.parametrize(
    ("options", "mask"),
    [
        ({}, None), ({}, "padding"), ({}, "holes"),
        ({"go_backwards": True}, None), ({"go_backwards": True}, "padding"), ({"go_backwards": True}, "holes"),
        ({"unroll": True}, None), ({"unroll": True}, "padding"), ({"unroll": True}, "holes"),
        ({"unroll": True, "go_backwards": True}, None),  # with a mask, Keras itself fails here
    ],
    ids=lambda value: "-".join(value) or "plain" if isinstance(value, dict) else str(value),
)  # fmt: skip
@pytest.mark.parametrize("name", CELLS)
def test_layer(name: str, options: dict[str, object], mask: str | None, started: bool) -> None:
    theirs, ours = twins(name, **options)
    x, state = random(BATCH, TIME, INPUT), [random(BATCH, HIDDEN) for _ in range(ours.cell.states)]
    given, leaves = (state, [x, *state]) if started else (None, [x])
    outputs, *final = theirs(x, initial_state=given, mask=None if mask is None else MASKS[mask])
    outputs = outputs.flip(1) if "go_backwards" in options else outputs  # Keras gives them in the order of reading
    expected = gradients(outputs, final, [*leaves, *weights(theirs.cell)])
    inside = None if mask is None else Inside.of_mask(MASKS[mask].T)
    for fused in {ours.cell.fused, False}:
        ours.cell.fused = fused
        hs, last = ours(x.transpose(0, 1), tuple(state) if started else None, inside)
        close([hs.transpose(0, 1), *last], [outputs, *final])
        found = gradients(hs.transpose(0, 1), last, [*leaves, *ours.cell.parameters()])
        close(found[: len(leaves)], expected[: len(leaves)])
        close_to_keras([theirs.cell], [ours.cell], expected[len(leaves) :], found[len(leaves) :])


@pytest.mark.parametrize("name", PLAIN)
def test_state_carried_on_equals_stateful(name: str) -> None:
    theirs, ours = twins(name, stateful=True)
    x = random(BATCH, TIME, INPUT)
    halves = [theirs(part) for part in (x[:, :3], x[:, 3:])]
    first, state = ours(x[:, :3].transpose(0, 1))
    second, last = ours(x[:, 3:].transpose(0, 1), state)
    theirs.reset_state()
    for expected in ([torch.cat([outputs for outputs, *_ in halves], 1), *halves[1][1:]], theirs(x)):
        close([torch.cat([first, second]).transpose(0, 1), *last], expected)


@pytest.mark.parametrize(
    "direction", ["forward", "backward", "bidirectional", "bidirectional_first", "alternating"]
)  # fmt: skip
@pytest.mark.parametrize("name", PLAIN)
def test_encoder_stack(name: str, direction: str) -> None:
    """Two Keras layers one above the other; `bidirectional` is Keras's Bidirectional, merged by concat."""
    torch.manual_seed(1)
    section = {"cell": our_cell(name), "hidden_size": HIDDEN, "layers": 2, "direction": direction}
    ours = EncoderStack(recipe.Encoder.model_validate(section), INPUT).double()
    x, y = random(BATCH, TIME, INPUT), None
    cells, finals = [], []
    for letters in recipe.Encoder.model_validate(section).directions:
        y = x if y is None else y
        theirs = keras_layer(
            name, y.shape[-1], wrap=letters == "fb", **{"go_backwards": True} if letters == "b" else {}
        )
        y, *final = theirs(y, mask=MASKS["padding"])
        y = y.flip(1) if letters == "b" else y
        half = len(final) // len(letters)  # Bidirectional: the forward states, then the backward ones
        finals.append([torch.cat(final[i::half], -1) for i in range(half)])
        cells += [theirs.forward_layer.cell, theirs.backward_layer.cell] if letters == "fb" else [theirs.cell]
    own = [layer.cell for layers in ours.layers for layer in layers]
    for one, other in zip(cells, own, strict=True):
        carry(one, other)
    outputs, last = ours(x, LENGTHS)
    close([outputs, *flat(last)], [y, *flat(finals)])
    expected = gradients(y, flat(finals), [x, *(weight for cell in cells for weight in weights(cell))])
    found = gradients(outputs, flat(last), [x, *(weight for cell in own for weight in cell.parameters())])
    close(found[:1], expected[:1])
    close_to_keras(cells, own, expected[1:], found[1:])


def flat(states: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    return [part for state in states for part in state]


@pytest.mark.parametrize("name", PLAIN)
def test_decoder_stack_equals_stacked_cells(name: str) -> None:
    torch.manual_seed(1)
    section = recipe.Stack.model_validate({"cell": our_cell(name), "hidden_size": HIDDEN, "layers": 2})
    ours = DecoderStack(section, INPUT).double()
    kind, options, _ = CELLS[name]
    cells = [getattr(keras.layers, kind + "Cell")(HIDDEN, dtype="float64", **options) for _ in range(2)]
    stacked = keras.layers.StackedRNNCells(cells, dtype="float64")
    theirs = keras.layers.RNN(stacked, return_sequences=True, return_state=True, dtype="float64")
    x, own = random(BATCH, TIME, INPUT), [layer.cell for layer in ours.layers]
    state: list[State] = [tuple(random(BATCH, HIDDEN) for _ in range(own[0].states)) for _ in own]
    theirs.build(x.shape)
    for one, other in zip(randomized(theirs).cell.cells, own, strict=True):
        carry(one, other)
    y, *finals = theirs(x, initial_state=[list(parts) for parts in state])
    outputs, last = ours(x, state)
    close([outputs, *flat(last)], [y, *flat(finals)])
    leaves = [x, *flat(state)]
    expected = gradients(y, flat(finals), [*leaves, *weights(theirs)])
    found = gradients(outputs, flat(last), [*leaves, *(weight for cell in own for weight in cell.parameters())])
    close(found[: len(leaves)], expected[: len(leaves)])
    close_to_keras(cells, own, expected[len(leaves) :], found[len(leaves) :])


@pytest.mark.parametrize("ours", ACTIVATIONS)
def test_activations(ours: str) -> None:
    x = torch.linspace(-5, 5, 100, dtype=torch.double, requires_grad=True)
    theirs = keras.activations.get("linear" if ours == "identity" else ours)
    runs = [function(x) for function in (ACTIVATIONS[ours], theirs)]
    close(runs[:1], runs[1:])
    close(*(torch.autograd.grad(run.sum(), x) for run in runs))


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru-after", "gru-before", "gru-after-no-bias"])
def test_penalties_on_weights(name: str) -> None:
    rates = {"kernel_regularizer": {"l1": 0.1, "l2": 0.2}, "recurrent_regularizer": {"l2": 0.3}}
    rates["bias_regularizer"] = {"l1": 0.4}
    theirs, ours = twins(name, rates, **{key: keras.regularizers.L1L2(**rate) for key, rate in rates.items()})
    expected, found = sum(theirs.losses), penalty(ours)
    close([found], [expected])
    slopes = torch.autograd.grad(expected, weights(theirs.cell))
    close_to_keras([theirs.cell], [ours.cell], slopes, torch.autograd.grad(found, list(ours.cell.parameters())))


@pytest.mark.parametrize("name", PLAIN)
def test_penalty_on_outputs_is_the_sum_over_sentences_of_kerass(name: str) -> None:
    """Of a batch, Keras gives the mean over its sentences: here each sentence is a batch of its own."""
    rates = {"l1": 0.1, "l2": 0.2}
    theirs, ours = twins(name, {"activity_regularizer": rates})
    theirs.activity_regularizer = keras.regularizers.L1L2(**rates)  # SimpleRNN drops the argument
    theirs.return_state = False  # Keras would count the last states too
    x, expected = random(BATCH, TIME, INPUT), torch.zeros((), dtype=torch.double)
    for row in range(BATCH):
        theirs(x[row : row + 1], mask=MASKS["holes"][row : row + 1])
        expected += sum(theirs.losses)
    ours(x.transpose(0, 1), None, Inside.of_mask(MASKS["holes"].T))
    close([penalty(ours)], [expected], 1e-6)  # Keras adds these up in float32


# Not gru-after with its biases: Keras takes norms over the two biases of each unit, ours over each bias.
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru-before", "gru-after-no-bias"])
@pytest.mark.parametrize(
    ("section", "constraint"),
    [
        ({"kind": "max_norm", "max": 0.9}, keras.constraints.MaxNorm(0.9)),
        ({"kind": "non_negative"}, keras.constraints.NonNeg()),
        ({"kind": "unit_norm"}, keras.constraints.UnitNorm()),
    ],
    ids=["max_norm", "non_negative", "unit_norm"],
)
def test_constraints(name: str, section: dict[str, object], constraint: Any) -> None:
    keys = ["kernel_constraint", "recurrent_constraint", "bias_constraint"]
    theirs, ours = twins(name, dict.fromkeys(keys, section), **dict.fromkeys(keys, constraint))
    constrain(ours)
    expected = as_ours(theirs.cell, [variable.constraint(variable.value) for variable in theirs.trainable_variables])
    for part, weight in ours.cell.named_parameters():
        close([weight], [expected[part]])


WIDE = 32
RANDOM = {  # the deviation of an LSTM's W_x [4 * WIDE, INPUT * 8], and its largest number
    "glorot_uniform": ("glorot_uniform", math.sqrt(2 / 144), math.sqrt(6 / 144)),
    "glorot_normal": ("glorot_normal", math.sqrt(2 / 144), math.inf),
    "he_uniform": ("he_uniform", math.sqrt(2 / 16), math.sqrt(6 / 16)),
    "he_normal": ("he_normal", math.sqrt(2 / 16), math.inf),
    "uniform": (keras.initializers.RandomUniform(-0.3, 0.3), 0.3 / math.sqrt(3), 0.3),
    "normal": (keras.initializers.RandomNormal(stddev=0.2), 0.2, math.inf),
}


def kernels(ours: object, theirs: object, part: str = "kernel") -> list[Tensor]:
    """The first kernel of our LSTM and of Keras's, [4 * WIDE, inputs]."""
    torch.manual_seed(1)
    keras.utils.set_random_seed(1)
    layer = keras.layers.LSTM(WIDE, **{f"{part.removesuffix('_kernel')}_initializer": theirs})
    layer.build((1, 1, 16))
    cell = {"kind": "lstm", f"{part.removesuffix('_kernel')}_initializer": ours}
    made = Layer(recipe.Stack.model_validate({"cell": cell, "hidden_size": WIDE}), 16)
    return [getattr(made.cell, part).detach(), getattr(layer.cell, part).value.detach().movedim(-1, 0)]


@pytest.mark.parametrize("kind", RANDOM)
def test_random_initializers(kind: str) -> None:
    theirs, deviation, bound = RANDOM[kind]
    ours = {"kind": kind, **{"uniform": {"range": 0.3}, "normal": {"deviation": 0.2}}.get(kind, {})}
    for kernel in kernels(ours, theirs):
        assert kernel.shape == (4 * WIDE, 16)
        assert abs(kernel.std() / deviation - 1) < 0.08 and abs(kernel.mean()) < 0.1 * deviation
        assert kernel.abs().max() <= bound and (bound == math.inf or kernel.abs().max() > 0.97 * bound)


def test_exact_initializers() -> None:
    for kernel in kernels("orthogonal", "orthogonal", "recurrent_kernel"):
        close([kernel.T @ kernel], [torch.eye(WIDE)], 1e-5)
    for kind in ("zeros", "ones"):
        ours, theirs = kernels(kind, kind)
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("unit_forget_bias", [True, False])
def test_forget_bias(unit_forget_bias: bool) -> None:
    layer = keras.layers.LSTM(HIDDEN, unit_forget_bias=unit_forget_bias)
    layer.build((1, 1, INPUT))
    cell = {"kind": "lstm", "forget_bias": float(unit_forget_bias)}
    ours = Layer(recipe.Stack.model_validate({"cell": cell, "hidden_size": HIDDEN}), INPUT)
    assert torch.equal(ours.cell.bias, layer.cell.bias.value)


@pytest.mark.parametrize(
    ("key", "recurrent", "dropped"), [("dropout", "zeros", 0), ("recurrent_dropout", "identity", 1)]
)
def test_dropout_has_one_mask_a_sentence(key: str, recurrent: str, dropped: int) -> None:
    """h_t = x_t, or x_t + h_{t-1}, with x_t = 1: h_t shows what was dropped, and it is the same at all steps."""
    options = {"kernel_initializer": "identity", "recurrent_initializer": recurrent}
    theirs = keras.layers.SimpleRNN(
        16, "linear", **options, return_sequences=True, dtype="float64", **{key: 0.5}, seed=1
    )
    cell = {"kind": "rnn", "activation": "identity", **options}
    section = {"cell": cell, "hidden_size": 16, "direction": "forward", key: 0.5}
    ours = EncoderStack(recipe.Encoder.model_validate(section), 16).double()
    x, lengths = torch.ones(BATCH, TIME, 16, dtype=torch.double), torch.tensor([TIME] * BATCH)
    torch.manual_seed(1)
    for run in (lambda: theirs(x, training=True), lambda: ours(x, lengths)[0]):
        one, other = (run()[:, 1:] == dropped for _ in range(2))
        assert torch.equal(one, one[:, :1].expand_as(one))
        assert 0 < one.sum() < one.numel()
        assert not torch.equal(one[0], one[1]) and not torch.equal(one, other)  # new for each sentence and batch
    close([ours.eval()(x, lengths)[0]], [theirs(x, training=False)])


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_is_dropped_after_training(name: str) -> None:
    torch.manual_seed(1)
    theirs = keras_layer(name, dropout=0.5, recurrent_dropout=0.5)
    section = {"cell": our_cell(name), "hidden_size": HIDDEN, "dropout": 0.5, "recurrent_dropout": 0.5}
    ours = EncoderStack(recipe.Encoder.model_validate({**section, "direction": "forward"}), INPUT).double().eval()
    carry(theirs.cell, ours.layers[0][0].cell)
    x = random(BATCH, TIME, INPUT)
    outputs, last = ours(x, LENGTHS)
    close([outputs, *last[0]], theirs(x, mask=MASKS["padding"], training=False))
