"""What holds for every recipe that the schema allows."""

import json
import os
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.recipe.file import dump_recipe, load_recipe
from tests.recipe.generated import recipe_of

DRAWN = int(os.environ.get("DRAWN_RECIPES", "400"))


def test_a_drawn_recipe_is_refused_by_key_or_the_same_when_written_and_read_again(tmp_path: Path) -> None:
    given, resolved = tmp_path / "recipe.yaml", tmp_path / "resolved.yaml"
    refused, kinds = 0, set[str]()
    for seed in range(DRAWN):
        text = json.dumps(recipe_of(seed), ensure_ascii=False)  # JSON is YAML
        given.write_text(text, encoding="utf-8")
        try:
            recipe = load_recipe(given)
        except UserError as error:
            refused += 1
            assert "recipe.yaml:" in str(error) and len(str(error)) < 5000, text
            continue
        resolved.write_text(dump_recipe(recipe), encoding="utf-8")
        assert load_recipe(resolved) == recipe, text
        kinds |= {recipe.model.encoder.cell.kind, recipe.model.decoder.attention.kind, recipe.training.schedule.kind}
    assert 0.05 < refused / DRAWN < 0.6 and len(kinds) > 6, (refused, kinds)
