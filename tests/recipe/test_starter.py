"""A first recipe is valid for every size and pair of languages, and on Multi30k's size it is Multi30k's own."""

import itertools
from pathlib import Path

import pytest
import yaml

from seq2seq.recipe.file import load_recipe
from seq2seq.recipe.starter import SIZES, size_for, starter_recipe

FILES = {"files": "x.{lang}"}


@pytest.mark.parametrize("languages", [("en", "de"), ("en", "ko"), ("zh_Hans", "ja"), ("sr_Latn", "sr_Cyrl")])
@pytest.mark.parametrize("pairs", [None, 100, 20_000, 500_000, 10**8])
def test_it_is_valid(tmp_path: Path, languages: tuple[str, str], pairs: int | None) -> None:
    train = [FILES, {"tsv": "a: b.tsv", "header": True, "src_column": "en", "tgt_column": "x"}]
    path = tmp_path / "recipe.yaml"
    path.write_text(starter_recipe("a", languages, pairs, train, FILES, {"test": FILES}, "20m"), encoding="utf-8")
    recipe = load_recipe(path)
    assert (recipe.data.src, recipe.data.tgt) == languages and len(recipe.data.train) == 2
    assert recipe.training.budget_seconds == 1200 and list(recipe.data.test) == ["test"]
    assert recipe.tokenizer.joint == (languages in [("en", "de"), ("zh_Hans", "ja")])


def test_more_text_gives_more_room() -> None:
    assert [size_for(pairs) for pairs in (0, 15_000, 15_001, 100_001, 10**7)] == [
        SIZES[0], SIZES[0], SIZES[1], SIZES[2], SIZES[3]
    ]  # fmt: skip
    for small, large in itertools.pairwise(SIZES):
        assert small.vocab_size < large.vocab_size and small.dropout > large.dropout
        assert small.max_epochs > large.max_epochs


def test_on_the_size_that_was_measured_it_is_the_recipe_that_was() -> None:
    own = yaml.safe_load(starter_recipe("multi30k-en-de", ("en", "de"), 29_000, [FILES], FILES, {}, None))
    measured = yaml.safe_load((Path(__file__).parents[2] / "recipes/multi30k-en-de.yaml").read_text())
    own["training"]["schedule"]["warmup_steps"] = 300
    for stack in ("encoder", "decoder"):
        assert own["model"][stack].pop("layers") == 1
    own["tokenizer"].pop("joint")
    for key in ("tokenizer", "model", "training", "decoding"):
        assert own[key] == measured[key]
