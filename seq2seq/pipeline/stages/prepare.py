"""The stage `prepare`: read, clean, tokenize."""

from __future__ import annotations

from pathlib import Path

from seq2seq.data.sources import fingerprints
from seq2seq.files import new_folder
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.recipe import Recipe


class Prepare(Stage):
    """Writes the tokenizer, Arrow files of token ids, and the audit."""

    name = "prepare"
    code_version = 1

    def inputs(self, recipe: Recipe) -> Inputs:
        """The sources' contents, the filters, the tokenizer."""
        languages = {"data.src": recipe.data.src, "data.tgt": recipe.data.tgt}
        filters = flatten("data.filter", recipe.data.filter)
        return filters | flatten("tokenizer", recipe.tokenizer) | languages | fingerprints(recipe.data)

    def run(self, context: Context) -> list[Path]:
        """Fill the folder `data`."""
        from seq2seq.console import say
        from seq2seq.data.preparation import prepare

        with new_folder(context.folder.data) as partial:
            prepare(context.recipe.data, context.recipe.tokenizer, partial, say)
        return [context.folder.data]
