"""Reading recipes: what is written is what is meant."""

from pathlib import Path

import pytest

from seq2seq.recipe import Recipe
from seq2seq.recipe_file import dump_recipe, load_recipe

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
SMALL = "name: x\ndata:\n  src: en\n  tgt: de\n  train: {builtin: cldr}\n  valid: {builtin: cldr}\n"


def load(folder: Path, more: str = "", *settings: str, text: str = SMALL) -> Recipe:
    (folder / "recipe.yaml").write_text(text + more, encoding="utf-8")
    return load_recipe(folder / "recipe.yaml", settings)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_survives_being_written_out(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem and recipe.output_dir == f"runs/{path.stem}"
    (tmp_path / "resolved.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "resolved.yaml") == recipe


@pytest.mark.parametrize(
    "setting",
    [
        "tokenizer={kind: unigram}",
        "tokenizer={kind: char, joint: false}",
        "model.decoder.attention={kind: bahdanau, size: 7}",
        "model.decoder.attention={kind: none}",
        "training.optimizer={kind: adamw}",
        "training.schedule={kind: plateau}",
        "training.clip_norm=null",
        "decoding.length_penalty={kind: none}",
        "data.train=[{builtin: cldr, pairs: 5, weight: 2.0}, {tsv: a.tsv}, {jsonl: b.jsonl}, {hub: a/b}]",
    ],
)
def test_every_kind_survives_being_written_out(setting: str, tmp_path: Path) -> None:
    recipe = load(tmp_path, "", setting)
    (tmp_path / "resolved.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(tmp_path / "resolved.yaml") == recipe


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    recipe = load(tmp_path, "training: {optimizer: {kind: adam, learning_rate: 1e-3}}\n", "data.tgt=no")
    assert recipe.data.tgt == "no"  # Norwegian, not false
    assert recipe.training.optimizer.learning_rate == 0.001


def test_the_environment_is_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE_CODE", "fi")
    monkeypatch.setenv("SEED", "7")
    recipe = load(tmp_path, "seed: ${SEED}\n", "data.tgt=${LANGUAGE_CODE}", "name=run-${NO_SUCH:-default}")
    assert (recipe.seed, recipe.data.tgt, recipe.name) == (7, "fi", "run-default")


def test_settings_reach_everywhere(tmp_path: Path) -> None:
    recipe = load(tmp_path, "", "training.max_epochs=3", "data.train.0.weight=2.0", "model.decoder.dropout=0.5")
    assert recipe.training.max_epochs == 3
    assert recipe.data.train[0].weight == 2
    assert recipe.model.decoder.dropout == 0.5
    listed = load(
        tmp_path,
        "",
        "data.train.1.pairs=9",
        text=SMALL.replace("{builtin: cldr}", "[{builtin: cldr}, {builtin: cldr}]", 1),
    )
    assert listed.data.train[1].pairs == 9  # type: ignore[union-attr]


def test_data_counts_from_the_recipes_folder_and_output_from_the_command(tmp_path: Path) -> None:
    recipe = load(tmp_path, "output_dir: out\n", "data.train={files: 'a/b.{lang}'}", "data.valid={tsv: ../c.tsv}")
    assert recipe.data.train[0].files == f"{tmp_path}/a/b.{{lang}}"  # type: ignore[union-attr]
    assert recipe.data.valid.tsv == f"{tmp_path.parent}/c.tsv"  # type: ignore[union-attr]
    assert recipe.output_dir == "out"


def test_the_name_gives_the_folder_also_when_it_is_set_later(tmp_path: Path) -> None:
    assert load(tmp_path, "", "name=other").output_dir == "runs/other"
