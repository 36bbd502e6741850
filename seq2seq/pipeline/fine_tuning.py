"""Fine-tuning: what a training depends on by the run that it starts from, and whether that run's model fits."""

from __future__ import annotations

from pathlib import Path

from seq2seq.data.lines import hash_of
from seq2seq.errors import UserError
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import flatten
from seq2seq.recipe import Recipe
from seq2seq.recipe.start import KEY, model_folder, model_of

FREE = {
    "dropout", "input_dropout", "recurrent_dropout", "word_dropout", "zoneout", "frozen", "src_vectors", "tgt_vectors",
    "initializer", "kernel_initializer", "recurrent_initializer", "bias_initializer", "forget_bias",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
}  # fmt: skip
"""Keys of `model` that say how it is trained, not what its weights mean."""
MOST_SHOWN = 5


def start_inputs(recipe: Recipe) -> Inputs:
    """What a training depends on by the run that it starts from: its weights, wherever they lie.

    Raises:
        UserError: there is no such run, it is the recipe's own, or its model is another one.
    """
    start = recipe.training.start_from
    if start is None:
        return {}
    folder = model_folder(start)
    if folder.resolve().is_relative_to(Path(recipe.output_dir).resolve()):
        raise UserError(f"{KEY}: {start} is this recipe's own run folder; name another output_dir, or another run")
    _check_fit(start, recipe)
    return {KEY: hash_of(folder / "model.safetensors", KEY)}


def _check_fit(start: str, recipe: Recipe) -> None:
    """Weights of equal shapes can mean different things: so the models' keys are compared.

    Raises:
        UserError: they differ.
    """
    taken, backward = model_of(start)
    ours, theirs = flatten("model", recipe.model), flatten("model", taken)
    ours["data.reverse_target"], theirs["data.reverse_target"] = (
        str(each).lower() for each in (recipe.data.reverse_target, backward)
    )
    different = [
        f"{key} {theirs.get(key, '(none)')}, this recipe {ours.get(key, '(none)')}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key) and not FREE.intersection(key.split("."))
    ]
    if different:
        shown = "; ".join(different[:MOST_SHOWN])
        more = f"; and {len(different) - MOST_SHOWN} more" if len(different) > MOST_SHOWN else ""
        fix = "set them alike, or remove `model`: it is then that run's"
        raise UserError(f"{KEY}: its weights do not fit: {start} has {shown}{more}; {fix}")
