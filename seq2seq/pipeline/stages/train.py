"""The stage `train`: the model."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq import __version__
from seq2seq.data.lines import hash_of
from seq2seq.decoding.glossary import KEY, pairs
from seq2seq.files import file_hash
from seq2seq.pipeline.fine_tuning import start_inputs
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.recipe import CustomCellConfig, Recipe
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:
    from seq2seq.bundle import BundleConfig

NO_RESULT = ("training.checkpoints", "training.log_every", "training.track")
"""Sections and keys that change nothing of the model."""

LATER = ("training.start_from", "training.freeze")
"""Keys that older runs have not noted: where they are null, those runs are as they were."""


class Train(Stage):
    """Trains, from the newest checkpoint if there is one; leaves the best weights as the model."""

    name = "train"
    needs = ("prepare",)
    code_version = 4
    distributed = True

    def inputs(self, recipe: Recipe) -> Inputs:
        """The model, the training, the random seed; contents of word vectors, weights of the run that it starts from;
        code of cells that are the user's own."""
        keys = flatten("model", recipe.model) | flatten("training", recipe.training)
        inputs = {key: value for key, value in keys.items() if not key.startswith(NO_RESULT)}
        inputs = {key: value for key, value in inputs.items() if key not in LATER or value != "null"}
        for side, config in (("encoder", recipe.model.encoder), ("decoder", recipe.model.decoder)):
            if isinstance(config.cell, CustomCellConfig):
                inputs[f"model.{side}.cell (code)"] = code_hash(config.cell.kind)
        for key in ("src_vectors", "tgt_vectors"):
            path = getattr(recipe.model.embedding, key)
            if path is not None:
                inputs[f"model.embedding.{key}"] = hash_of(Path(path), f"model.embedding.{key}")
        inputs |= {f"data.train.{i}.weight": str(source.weight) for i, source in enumerate(recipe.data.train)}
        return inputs | start_inputs(recipe) | {"seed": str(recipe.seed)}

    def run(self, context: Context) -> list[Path]:
        """Fill the folder `model`."""
        from seq2seq.bundle import save_bundle
        from seq2seq.pipeline.trainer import make_trainer

        folder, trainer = context.folder, make_trainer(context)
        try:
            trainer.run()
        finally:
            trainer.log.close()
        save_bundle(folder.model, bundle_config(context.recipe), trainer.best_weights(), folder.data)
        # Not the whole folder: the translate stage brings its config up to date.
        tokenizers = sorted(folder.model.glob("*tokenizer*.json"))
        return [folder.model / "model.safetensors", *tokenizers, folder.log]

    def help(self, context: Context) -> None:
        """Train, and write nothing."""
        from seq2seq.pipeline.trainer import make_trainer

        make_trainer(context).run()


def code_hash(kind: str) -> str:
    """Of the file that a cell of the user's own stands in: a changed cell is another model."""
    from seq2seq.nn.cells import custom_class

    return file_hash(Path(inspect.getfile(custom_class(kind))))


def bundle_config(recipe: Recipe) -> BundleConfig:
    """What the model's config.json holds: it needs no other file."""
    from seq2seq import bundle

    glossary = recipe.decoding.glossary

    return bundle.BundleConfig(
        format=bundle.FORMAT,
        seq2seq_version=__version__,
        name=recipe.name,
        task=recipe.task,
        src=recipe.data.src,
        tgt=recipe.data.tgt,
        reverse_target=recipe.data.reverse_target,
        max_length=recipe.data.filter.max_length,
        model=recipe.model,
        decoding=recipe.decoding.model_copy(update={"glossary": glossary and pairs(glossary)}),
    )


def decoding_inputs(recipe: Recipe) -> Inputs:
    """How translations are searched for, contents of files included."""
    glossary = recipe.decoding.glossary
    hashes = {"decoding.glossary": hash_of(Path(glossary), KEY)} if isinstance(glossary, str) else {}
    runs = {f"decoding.rescore.{i}.run": each.run for i, each in enumerate(recipe.decoding.rescore)}
    if recipe.decoding.language_model is not None:
        runs["decoding.language_model.run"] = recipe.decoding.language_model.run
    for key, run in runs.items():
        hashes[key] = hash_of(RunFolder(Path(run)).model / "model.safetensors", key)
    return flatten("decoding", recipe.decoding) | hashes
