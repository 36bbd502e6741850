"""Layers and stacks: padding, direction, dropout of the recurrence, connections, penalties, constraints."""

import pytest
import torch

from seq2seq import recipe
from seq2seq.nn.layer import Layer, SequenceMask
from seq2seq.nn.regularization import Activity, constrain, constrained, weight_penalty
from seq2seq.nn.stack import Connection, DecoderStack, EncoderStack
from tests.nn.test_seq2seq import CELLS

LENGTHS = torch.tensor([4, 7, 1, 5])


def layer(reverse: bool = False, **keys: object) -> Layer:
    torch.manual_seed(1)
    config = recipe.StackConfig.model_validate({"hidden_size": 4, **keys})
    return Layer(config, 3, reverse).double()


def inputs() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(7, 4, 3, dtype=torch.double)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_padding_is_as_if_it_were_not_there(cell: object, reverse: bool, loop: bool) -> None:
    made, x = layer(reverse, cell=cell), inputs()
    if loop:
        made.cell.fused = False
    outputs, final = made(x, None, SequenceMask.of_lengths(LENGTHS, 7))
    for row, length in enumerate(LENGTHS.tolist()):
        alone, last = made(x[:length, row : row + 1])
        torch.testing.assert_close(outputs[:length, row], alone[:, 0], atol=1e-12, rtol=1e-12)
        assert outputs[length:, row].abs().sum() == 0
        for part, expected in zip(final, last, strict=True):
            torch.testing.assert_close(part[row], expected[0], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru", {"kind": "lstm", "peephole": True}], ids=str)
def test_holes_in_a_mask_are_stepped_over(cell: object, reverse: bool) -> None:
    made, x = layer(reverse, cell=cell), inputs()
    mask = torch.rand(7, 4) < 0.6
    mask[3] = True
    outputs, final = made(x, None, SequenceMask.of_mask(mask))
    for row in range(4):
        there = mask[:, row]
        alone, last = made(x[there, row : row + 1])
        torch.testing.assert_close(outputs[there, row], alone[:, 0], atol=1e-12, rtol=1e-12)
        assert outputs[~there, row].abs().sum() == 0
        torch.testing.assert_close(final[0][row], last[0][0], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_state_carried_over_two_halves_is_one_sequence(cell: object) -> None:
    made, x = layer(cell=cell), inputs()
    whole, last = made(x)
    first, state = made(x[:3])
    second, end = made(x[3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(end[0], last[0], atol=1e-12, rtol=1e-12)


def test_recurrent_dropout_is_one_mask_a_sentence_and_gone_after_training() -> None:
    made, x = layer(cell={"kind": "rnn", "activation": "identity"}, recurrent_dropout=0.5), inputs()
    mask = made.recurrent_mask(x, 4)
    assert mask is not None and set(mask.unique().tolist()) <= {0.0, 2.0}
    dropped, _ = made(x, mask=mask.double())
    h = torch.zeros(4, 4, dtype=torch.double)
    for t in range(7):
        h = made.cell.project(x[t]) + (h * mask) @ made.cell.recurrent_kernel.T
        torch.testing.assert_close(dropped[t], h)
    assert made.eval().recurrent_mask(x, 4) is None


def test_weight_dropout_is_the_same_at_all_steps_and_changes_with_the_update() -> None:
    made, x = layer(cell="lstm", weight_dropout=0.5), inputs()
    names = dict(made.named_parameters())
    assert any(name.endswith("recurrent_kernel.original") for name in names)
    torch.manual_seed(3)
    fused, _ = made(x)
    made.cell.fused = False
    torch.manual_seed(3)
    looped, _ = made(x)
    torch.testing.assert_close(fused, looped, atol=1e-12, rtol=1e-12)
    assert not torch.equal(made(x)[0], made(x)[0])
    made.eval()
    assert torch.equal(made(x)[0], made(x)[0])


def test_zoneout_keeps_numbers_in_training_and_their_share_after_it() -> None:
    made, x = layer(cell="gru", zoneout=0.4), inputs()
    (before,) = state = (torch.randn(4, 4, dtype=torch.double),)
    (plain,) = made.cell.step(made.cell.project(x[0]), state)
    kept = made.step(x[0], state)[0] == before
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(made.step(x[0], state)[0][~kept & False], plain[~kept & False])
    torch.testing.assert_close(made.eval().step(x[0], state)[0], 0.4 * before + 0.6 * plain)


def test_connections_equal_their_equations() -> None:
    x, h = torch.randn(2, 4), torch.randn(2, 4)
    assert torch.equal(Connection("plain", 4, 4)(x, h), h)
    assert torch.equal(Connection("residual", 4, 4)(x, h), x + h)
    assert torch.equal(Connection("dense", 4, 4)(x, h), torch.cat([x, h], -1))
    highway = Connection("highway", 4, 4)
    assert highway.gate is not None
    gate = torch.sigmoid(highway.gate(x) - 1)
    torch.testing.assert_close(highway(x, h), gate * h + (1 - gate) * x)
    assert torch.equal(Connection("residual", 3, 4)(x[:, :3], h), h)


def test_directions_alternate() -> None:
    """What a change of the last token can reach shows in which direction each layer reads."""

    def reached(direction: str, layers: int) -> list[bool]:
        torch.manual_seed(1)
        config = recipe.EncoderConfig.model_validate({"hidden_size": 4, "layers": layers, "direction": direction})
        stack, x = EncoderStack(config, 3), torch.randn(1, 5, 3)
        changed = x.clone()
        changed[0, -1] += 1
        lengths = torch.tensor([5])
        difference = (stack(x, lengths)[0] - stack(changed, lengths)[0])[0].abs().sum(-1)
        return (difference > 0).tolist()

    assert reached("forward", 2) == [False] * 4 + [True]
    assert reached("backward", 2) == [True] * 5
    assert reached("alternating", 2) == reached("bidirectional_first", 2) == [True] * 5
    assert recipe.EncoderConfig(layers=3, direction="alternating").directions == ["f", "b", "f"]
    assert recipe.EncoderConfig(layers=2, direction="bidirectional_alternating").directions == ["fb", "bf"]


def test_columns_of_an_alternating_stack_do_not_mix_below_the_top() -> None:
    config = recipe.EncoderConfig.model_validate(
        {"hidden_size": 4, "layers": 2, "direction": "bidirectional_alternating", "connections": "residual"}
    )
    torch.manual_seed(1)
    stack, x = EncoderStack(config, 4), torch.randn(2, 5, 4)
    lengths = torch.tensor([5, 3])
    outputs, _ = stack(x, lengths)
    inside = SequenceMask.of_lengths(lengths, 5)
    for column in range(2):
        h = x.transpose(0, 1)
        for layers in stack.layers:
            h = h + layers[column](h, None, inside)[0]
        expected = (h * inside.mask.unsqueeze(-1)).transpose(0, 1)
        torch.testing.assert_close(outputs[..., column * 4 : column * 4 + 4], expected)


def test_decoder_stack_steps_equal_the_sequence_with_its_masks() -> None:
    config = recipe.StackConfig.model_validate(
        {"cell": "gru", "hidden_size": 3, "layers": 3, "connections": "dense", "dropout": 0.3, "recurrent_dropout": 0.3}
    )
    stack = DecoderStack(config, 3).double()
    x = torch.randn(2, 5, 3, dtype=torch.double)
    masks, state = stack.masks(x), stack.start(x, 2)
    whole, last = stack(x, state, masks)
    state = [tuple(part.unsqueeze(1) for part in layer_state) for layer_state in state]
    for t in range(5):
        output, state = stack.step(x[:, t : t + 1], state, masks)
        torch.testing.assert_close(output[:, 0], whole[:, t])
    torch.testing.assert_close(state[2][0][:, 0], last[2][0])


def test_penalties_and_constraints() -> None:
    cell = {
        "kind": "lstm",
        "kernel_regularizer": {"l1": 0.1, "l2": 0.2},
        "activity_regularizer": {"l2": 0.3},
        "recurrent_constraint": {"kind": "max_norm", "max": 0.2},
        "kernel_constraint": "non_negative",
    }
    made, x = layer(cell=cell).train(), inputs()
    with Activity(made) as heard:
        outputs, _ = made(x)
    kernel = made.cell.kernel
    torch.testing.assert_close(weight_penalty(made), 0.1 * kernel.abs().sum() + 0.2 * (kernel**2).sum())
    torch.testing.assert_close(heard.penalty(), 0.3 * (outputs**2).sum())
    with Activity(made.eval()) as heard:
        made(x)
    assert heard.penalty() is None and made.listener is None
    constrain(made)
    assert kernel.min() >= 0
    torch.testing.assert_close(made.cell.recurrent_kernel.norm(dim=1).max().item(), 0.2, atol=1e-6, rtol=0)
    unit = constrained(torch.randn(5, 3), recipe.PlainConstraintConfig(kind="unit_norm"))
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(5))
    assert weight_penalty(layer()) is None
