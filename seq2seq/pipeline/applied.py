"""Decoding settings written into a run that has been trained: its model translates with them from then on."""

from __future__ import annotations

from seq2seq.bundle import BundleConfig, load_config
from seq2seq.files import write_json, write_text
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.stages.translate import APPLIED
from seq2seq.recipe import DecodingConfig, Recipe
from seq2seq.recipe.file import dump_recipe, load_recipe, override_decoding
from seq2seq.run_folder import RunFolder


def apply_decoding(folder: RunFolder, chosen: DecodingConfig) -> list[str]:
    """Take over beam size and length penalty: in the model's config, and in the run's recipe, so that the test sets'
    translations count as out of date, which they are. Returns what to tell the user.

    Raises:
        UserError: another process is at work on the run, or it has no recipe.
    """
    with alone(folder.root):
        config, recipe = load_config(folder.model), load_recipe(folder.recipe)
        settings = {key: chosen.model_dump()[key] for key in APPLIED}
        if all({key: each[key] for key in APPLIED} == settings for each in (_dumped(recipe), _dumped(config))):
            return [f"{folder.root} has these settings already"]
        own = override_decoding(config.decoding, settings)
        write_json(folder.model / "config.json", config.model_copy(update={"decoding": own}).model_dump())
        decoding = override_decoding(recipe.decoding, settings)
        write_text(folder.recipe, dump_recipe(recipe.model_copy(update={"decoding": decoding})))
    return [
        f"written to {folder.model / 'config.json'} and {folder.recipe}: translate uses these settings",
        f"the test sets' translations and scores are those of the settings before: seq2seq run {folder.root}",
        "the recipe's own file has the old ones, and run would put them back: change it too",
    ]


def _dumped(config: Recipe | BundleConfig) -> dict[str, object]:
    return config.decoding.model_dump()
