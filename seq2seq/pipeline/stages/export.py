"""The stage `export`: the model as graphs that translate without torch, where the recipe asks for them."""

from __future__ import annotations

from pathlib import Path

from seq2seq.files import write_json
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.pipeline.stages.train import bundle_config, decoding_inputs
from seq2seq.recipe import Recipe


class Export(Stage):
    """Writes the folder `export`."""

    name = "export"
    needs = ("train",)
    code_version = 1

    def inputs(self, recipe: Recipe) -> Inputs:
        """Which formats, and how translations are searched for, which stands beside them."""
        return {} if recipe.export is None else flatten("export", recipe.export) | decoding_inputs(recipe)

    def run(self, context: Context) -> list[Path]:
        """Fill the folder."""
        from seq2seq.export.folder import export

        folder = context.folder
        assert context.recipe.export is not None
        pairs = folder.data / "train.arrow" if context.recipe.export.shortlist else None
        write_json(folder.model / "config.json", bundle_config(context.recipe).model_dump())
        export(folder.model, folder.export, list(context.recipe.export.formats), pairs)
        return [folder.export]
