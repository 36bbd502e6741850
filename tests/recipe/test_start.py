"""What a recipe takes over from the run that its training starts from."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from seq2seq.errors import UserError
from seq2seq.recipe import ModelConfig, Recipe
from seq2seq.recipe.file import dump_recipe, load_recipe

MODEL = {"embedding": {"size": 24, "src_vectors": "old.vec", "frozen": True}, "encoder": {"cell": "gru"}}
DATA = {"src": "en", "tgt": "de", "train": {"files": "a.{lang}"}, "valid": {"files": "a.{lang}"}}


def write_model(folder: Path, model: dict[str, Any] = MODEL) -> Path:
    """Of a trained run what a recipe reads."""
    folder.mkdir(parents=True, exist_ok=True)
    read = ModelConfig.model_validate(model).model_dump()
    (folder / "config.json").write_text(json.dumps({"model": read}), encoding="utf-8")
    return folder


def loaded(tmp_path: Path, *settings: str, start: str = "general", **sections: Any) -> Recipe:
    path = tmp_path / "recipe.yaml"
    training = {"start_from": start, **sections.pop("training", {})}
    content = {"name": "new", "data": DATA, **sections, "training": training}
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return load_recipe(path, settings)


@pytest.mark.parametrize("inner", ["", "model"])
def test_model_and_tokenizer_are_those_of_the_start(tmp_path: Path, inner: str) -> None:
    """But not the vectors that it began with once: they would take the place of what it has learnt."""
    write_model(tmp_path / "general" / inner)
    recipe = loaded(tmp_path)
    folder = str(tmp_path / "general")
    assert recipe.training.start_from == folder
    assert recipe.tokenizer.model_dump() == {"kind": "run", "run": folder}
    assert (recipe.model.embedding.size, recipe.model.encoder.cell.kind) == (24, "gru")
    assert (recipe.model.embedding.src_vectors, recipe.model.embedding.frozen) == (None, False)


def test_what_is_written_out_stands_by_itself(tmp_path: Path) -> None:
    """A run folder's recipe is read when the start has gone, or has another model."""
    write_model(tmp_path / "general")
    recipe = loaded(tmp_path)
    shutil.rmtree(tmp_path / "general")
    (tmp_path / "resolved.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "resolved.yaml") == recipe


def test_a_model_that_is_written_counts(tmp_path: Path) -> None:
    write_model(tmp_path / "general")
    assert loaded(tmp_path, model={"embedding": {"size": 48}}).model.embedding.size == 48
    assert loaded(tmp_path, "model.encoder.dropout=0.5").model.embedding.size == ModelConfig().embedding.size


def test_a_start_from_the_command_line(tmp_path: Path) -> None:
    write_model(tmp_path / "other", {"embedding": {"size": 32}})
    recipe = loaded(tmp_path, "training.start_from=other", start="gone")
    assert recipe.model.embedding.size == 32
    assert recipe.tokenizer.model_dump()["run"] == str(tmp_path / "other")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["tokenizer=bpe"], "tokenizer: the weights of training.start_from go with its tokenizer alone; remove"),
        (["tokenizer={kind: run, run: b}"], "tokenizer: the weights of training.start_from go with its tokenizer"),
        (["model.embedding.src_vectors=a.vec"], "src_vectors: has no effect beside training.start_from"),
        (["training.freeze=[embedding, embedding]"], "training.freeze: a part is named twice"),
        (["training.freeze=[]"], "training.freeze"),
        (["training.freeze=[encodr]"], "training.freeze.0"),
        (["training.start_from=null", "training.freeze=[encoder]", "tokenizer=bpe"], "name the run that"),
        (["training.start_from=elsewhere"], "elsewhere: no such run folder, or it has no trained model yet; run its"),
        (["training.start_from=seeds"], "holds several runs; name one of them, as "),
        (["training.start_from=damaged"], "config.json is damaged: "),
        (["training.start_from=3"], "training.start_from"),
        (["training.start_from='a\\0b'"], "training.start_from"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_a_start_is_told(tmp_path: Path, settings: list[str], told: str) -> None:
    write_model(tmp_path / "general")
    write_model(tmp_path / "seeds/seed-1/model")
    write_model(tmp_path / "damaged")
    (tmp_path / "damaged/config.json").write_text('{"model": {"embedding": {"size": "big"}}}')
    with pytest.raises(UserError) as error:
        loaded(tmp_path, *settings)
    assert told in str(error.value)
    assert str(error.value).count("\n") < 2


def test_a_missing_start_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"recipe.yaml:\d+: training.start_from: .*general: no such run folder"):
        loaded(tmp_path)
