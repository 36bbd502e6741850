"""Listening changes nothing; each gate is told by its right name; what was changed is put back."""

from __future__ import annotations

import pytest
import torch
import yaml

from seq2seq.analysis.recording import recorded
from seq2seq.nn.layer import Layer, SequenceMask
from seq2seq.recipe import StackConfig

HIDDEN = 6
BLOCKS = {  # rows of the bias, block by block
    "lstm": {"input": 0, "forget": 1, "output": 3},
    "{kind: lstm, coupled: true}": {"forget": 0, "output": 2},
    "{kind: lstm, peephole: true}": {"input": 0, "forget": 1, "output": 3},
    "gru": {"reset": 0, "update": 1},
    "{kind: gru, reset: before}": {"reset": 0, "update": 1},
    "mingru": {"forget": 0},
    "ssru": {"forget": 0},
    "sru": {"forget": 0, "reset": 1},
    "{kind: sru, peephole: false}": {"forget": 0, "reset": 1},
}


def layer_of(cell: str, reverse: bool = False) -> Layer:
    torch.manual_seed(1)
    return Layer(StackConfig.model_validate({"cell": yaml.safe_load(cell), "hidden_size": HIDDEN}), 5, reverse).eval()


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("cell", [*BLOCKS, "rnn", "minlstm", "{kind: transition_gru, transitions: 2}"])
def test_listening_changes_nothing(cell: str, reverse: bool) -> None:
    layer, x = layer_of(cell, reverse), torch.randn(7, 2, 5)
    inside = SequenceMask.of_lengths(torch.tensor([7, 4]), 7)
    before = {name: dict(vars(part)) for name, part in layer.named_modules()}
    with torch.no_grad():
        expected, _ = layer(x, None, inside)
        with recorded(layer) as found:
            heard, _ = layer(x, None, inside)
    torch.testing.assert_close(heard, expected)
    torch.testing.assert_close(found.states[0].transpose(0, 1), heard)
    assert {name: dict(vars(part)) for name, part in layer.named_modules()} == before
    for values in found.gates.values():
        assert all(v.min() >= 0 and v.max() <= 1 and v.shape[-1] == HIDDEN for v in values)
    assert (found.keeping is None) == (cell == "rnn")


@pytest.mark.parametrize(("cell", "gate"), [(cell, gate) for cell, gates in BLOCKS.items() for gate in gates])
def test_each_gate_has_its_name(cell: str, gate: str) -> None:
    layer, x = layer_of(cell), torch.randn(5, 3, 5)
    rows = slice(BLOCKS[cell][gate] * HIDDEN, (BLOCKS[cell][gate] + 1) * HIDDEN)
    with torch.no_grad():
        assert layer.cell.bias is not None
        layer.cell.bias[rows] += 20
        with recorded(layer) as found:
            layer(x)
    means = {name: torch.cat([v.flatten() for v in values]).mean().item() for name, values in found.gates.items()}
    assert means.keys() == BLOCKS[cell].keys()
    assert means.pop(gate) > 0.999 and all(mean < 0.95 for mean in means.values())


def test_an_error_meanwhile_leaves_no_trace() -> None:
    layer = layer_of("lstm")
    with pytest.raises(RuntimeError), recorded(layer):
        layer(torch.randn(3, 2, 99))
    assert layer.listener is None and layer.cell.fused
