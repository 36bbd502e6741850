"""Models of equal size: counted without being made, and scaled to within 1 %."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq.bundle import make_model
from seq2seq.data.tokenization import load_tokenizers
from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from seq2seq.pipeline.sweep.matching import TOLERANCE, count_parameters, matched
from seq2seq.recipe.file import load_recipe
from tests.toy import toy_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matched")
    Runner(toy_recipe(folder, train=60)).run("prepare")
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        ["model.encoder.cell=rnn", "model.decoder.cell=rnn"],
        ["model.encoder.cell=lstm", "model.decoder.cell=lstm"],
        ["model.encoder.layers=2", "model.decoder.attention={kind: multi_head, heads: 4}"],
    ],
)
def test_other_models_get_as_many_weights(folder: Path, settings: list[str]) -> None:
    tokenizers = load_tokenizers(folder / "run/data")
    target = count_parameters(load_recipe(folder / "recipe.yaml", ["model.decoder.hidden_size=64"]).model, tokenizers)
    recipe, count = matched(load_recipe(folder / "recipe.yaml", settings), folder / "run/data", target)
    assert abs(count - target) <= TOLERANCE * target
    assert count == sum(weight.numel() for weight in make_model(recipe.model, tokenizers).parameters())


def test_what_cannot_be_reached_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match="no hidden sizes give 500 weights"):
        matched(load_recipe(folder / "recipe.yaml"), folder / "run/data", 500)
