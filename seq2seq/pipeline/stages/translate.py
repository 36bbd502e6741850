"""The stage `translate`: every test set, by the model."""

from __future__ import annotations

from pathlib import Path

from seq2seq.files import new_folder, write_json, write_text
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.pipeline.stages.train import bundle_config
from seq2seq.recipe import Recipe


class Translate(Stage):
    """Writes a file of translations for each test set."""

    name = "translate"
    needs = ("train",)
    code_version = 1

    def inputs(self, recipe: Recipe) -> Inputs:
        """How translations are searched for."""
        return flatten("decoding", recipe.decoding)

    def run(self, context: Context) -> list[Path]:
        """Fill the folder `translations`."""
        from seq2seq.bundle import load_bundle
        from seq2seq.data.preparation import PreparedPairs
        from seq2seq.decoding.translator import Translator

        recipe, folder = context.recipe, context.folder
        write_json(folder.model / "config.json", bundle_config(recipe).model_dump())
        translator = Translator(load_bundle(folder.model, context.processes.device))
        with new_folder(folder.translations) as partial:
            for name in recipe.data.test:
                sources = PreparedPairs(folder.test_set(name)).src_texts()
                lines = [translation.text for translation in translator.translate(sources)]
                write_text(partial / f"{name}.{recipe.data.tgt}", "".join(line + "\n" for line in lines))
        return [folder.translations]
