"""The stage `prepare`: read, clean, tokenize."""

from __future__ import annotations

from pathlib import Path

from seq2seq.data.lines import hash_of
from seq2seq.data.sources import fingerprints, sources_of
from seq2seq.data.sources.synthetic import SyntheticSource
from seq2seq.data.tokenization import JOINT, SRC, TGT
from seq2seq.data.tokenizer_training import folder_of
from seq2seq.errors import UserError
from seq2seq.files import new_folder
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.recipe import Recipe, RunTokenizerConfig


class Prepare(Stage):
    """Has text generated that is to be; writes the tokenizer, Arrow files of token ids, and the audit."""

    name = "prepare"
    code_version = 1

    def inputs(self, recipe: Recipe) -> Inputs:
        """The contents of training and validation data, the filters, the tokenizer.

        Test sets are not among them, though they are prepared with the rest and filter the training data: one that is
        named or changed later leaves the model as it is (see `data/test_sets.py`).
        """
        _refuse_own_run(recipe)
        languages = {"data.src": recipe.data.src, "data.tgt": recipe.data.tgt}
        filters = flatten("data.filter", recipe.data.filter)
        tokenizer = flatten("tokenizer", recipe.tokenizer)
        if isinstance(recipe.tokenizer, RunTokenizerConfig):
            folder = folder_of(recipe.tokenizer)
            names = [name for name in (JOINT, SRC, TGT) if (folder / name).exists()]
            if JOINT not in names and recipe.model.embedding.tie == "all":
                raise UserError("model.embedding.tie: `all` needs one vocabulary for both languages, and tokenizer.run "
                                "has two; set tie: decoder")  # fmt: skip
            if recipe.training.start_from is not None:
                del tokenizer["tokenizer.run"]  # contents count, wherever they lie (older runs have noted the place)
            tokenizer |= {f"tokenizer.run ({name})": hash_of(folder / name, "tokenizer.run") for name in names}
        return filters | tokenizer | languages | fingerprints(recipe.data, "train", "valid")

    def run(self, context: Context) -> list[Path]:
        """Fill the folder `data`."""
        from seq2seq.console import say
        from seq2seq.data.preparation import prepare
        from seq2seq.data.test_sets import note_test_sets
        from seq2seq.pipeline.synthesis import generate

        generate(context.recipe.data, context.processes.device)
        with new_folder(context.folder.data) as partial:
            audit = prepare(context.recipe.data, context.recipe.tokenizer, partial, say)
            note_test_sets(context.recipe.data, audit, partial)
        return [path for path in sorted(context.folder.data.iterdir()) if not path.name.startswith("test")]


def _refuse_own_run(recipe: Recipe) -> None:
    """A run cannot learn from itself.

    Raises:
        UserError: it is among its teachers.
    """
    own = Path(recipe.output_dir).resolve()
    for source in (one for one in sources_of(recipe.data) if isinstance(one, SyntheticSource)):
        for run in source.config.runs:
            if own in (Path(run).resolve(), Path(run).resolve().parent):
                raise UserError(f"{source.key}.{source.role_name}: {run} is this recipe's own run folder; name another "
                                "output_dir, or another run")  # fmt: skip
