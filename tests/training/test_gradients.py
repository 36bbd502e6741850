"""A layer that starves of gradient is named; one that does not is not."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from seq2seq.pipeline import Runner
from seq2seq.training import gradients
from tests.command_line import seq2seq
from tests.toy import toy_recipe, write_toy


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [
        ("encoder.stack.layers.0.1.cell.kernel", "encoder.layers.0.1"),
        ("encoder.stack.layers.0.0.cell.parametrizations.recurrent_kernel.original", "encoder.layers.0.0"),
        ("decoder.stack.connections.1.gate.weight", "decoder.connections.1"),
        ("decoder.attention.weight.weight", "decoder.attention"),
        ("src_embedding.weight", "src_embedding"),
        ("output.bias", "output"),
    ],
)
def test_parameters_belong_to_layers(parameter: str, layer: str) -> None:
    assert gradients.layer_of(parameter) == layer


def test_norms_are_those_of_all_weights_of_a_layer_together() -> None:
    model = nn.ModuleDict({"one": nn.Linear(3, 4), "two": nn.Linear(4, 2)}).double()
    model["two"].bias.requires_grad_(False)
    model["two"](model["one"](torch.randn(5, 3, dtype=torch.double))).square().sum().backward()
    found = gradients.gradient_norms(model)
    one = torch.cat([weight.grad.flatten() for weight in model["one"].parameters()])  # type: ignore[union-attr]
    assert list(found) == ["one", "two"]
    assert found["one"] == pytest.approx(one.norm().item(), rel=1e-6)
    assert found["two"] == pytest.approx(model["two"].weight.grad.norm().item(), rel=1e-6)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 0.021}, []),
        ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 0.019}, ["d"]),
        ({"a": 1.0, "b": 2.0, "c": 0.0}, ["c"]),
        ({"a": 1.0, "b": 500.0, "c": 2.0, "d": 3.0}, []),  # one that is large starves no other
        ({"a": 0.0, "b": 0.0}, []),
        ({"a": 1.0}, []),
        ({}, []),
    ],
)
def test_starved(norms: dict[str, float], expected: list[str]) -> None:
    assert list(gradients.starved(norms)) == expected
    assert all("hardly learns" in text for text in gradients.warnings_of(norms).values())


def warned(folder: Path, capsys: pytest.CaptureFixture[str], *settings: str) -> str:
    Runner(toy_recipe(folder, "training.max_steps=6", *settings)).run("train")
    return capsys.readouterr().err


def test_a_training_tells_which_layer_starves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = "{kind: gru, kernel_initializer: {kind: uniform, range: 0.001}}"
    told = warned(tmp_path, capsys, f"model.encoder.cell={tiny}", "model.encoder.layers=3")
    assert told.count("warning: step 1: encoder.layers.0.0 gets") == 1


def test_a_healthy_training_tells_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "hardly learns" not in warned(tmp_path, capsys, "model.encoder.layers=3")


def test_the_command_shows_every_layer_before_training(tmp_path: Path) -> None:
    recipe = str(write_toy(tmp_path))
    healthy = seq2seq("analyze", "gradients", recipe, "--json")
    found = json.loads(healthy.out)
    assert healthy.code == 0 and found["warnings"] == []
    assert {"src_embedding", "encoder.layers.0.0", "encoder.bridge", "decoder.attention", "output"} <= {
        layer["layer"] for layer in found["layers"]
    }
    assert all(layer["norm"] > 0 for layer in found["layers"])
    tiny = "{kind: gru, kernel_initializer: {kind: uniform, range: 0.001}}"
    starving = seq2seq("analyze", "gradients", recipe, "model.encoder.layers=3", f"model.encoder.cell={tiny}")
    assert starving.code == 0 and "starves" in starving.out and "warning: encoder.layers.0.0 gets" in starving.out
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert "--cell has no effect" in seq2seq("analyze", "gradients", recipe, "--cell", "gru").err
