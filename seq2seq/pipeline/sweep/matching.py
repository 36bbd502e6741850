"""Models of equal size: hidden sizes scaled until each has as many weights as the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seq2seq.bundle import shapes_of
from seq2seq.data.tokenization import load_tokenizers
from seq2seq.errors import UserError
from seq2seq.pipeline.trainer import Tokenizers
from seq2seq.recipe import ModelConfig, Recipe
from seq2seq.recipe.file import load_recipe

TOLERANCE, CLOSE = 0.01, 0.001
"""Shares of the weights: how far a model may be off, and how near is near enough to stop searching."""
WIDEST = 65_536
AROUND = 8
"""Sizes tried on either side of the proportional ones."""


def count_parameters(model: ModelConfig, tokenizers: Tokenizers) -> int:
    """Numbers that a model learns, without making it."""
    total = 0
    for shape in shapes_of(model, tokenizers).values():
        product = 1
        for size in shape:
            product *= size
        total += product
    return total


def matched(recipe: Recipe, data: Path, target: int) -> tuple[Recipe, int]:
    """The recipe with the hidden sizes of encoder and decoder scaled, in proportion, and its count of weights.

    Args:
        data: its prepared data, for the sizes of the vocabularies.

    Raises:
        UserError: no sizes come within 1 % of the target.
    """
    tokenizers = load_tokenizers(data)
    best, best_count = recipe, count_parameters(recipe.model, tokenizers)
    for size in _candidates(recipe.model, tokenizers, target):
        if abs(best_count - target) <= CLOSE * target:
            break
        try:
            tried = _resized(recipe, *size)
        except UserError:
            continue  # sizes that the recipe's other keys forbid
        count = count_parameters(tried.model, tokenizers)
        if abs(count - target) < abs(best_count - target):
            best, best_count = tried, count
    if abs(best_count - target) > TOLERANCE * target:
        raise UserError(
            f"--match parameters: {recipe.name}: no hidden sizes give {target:,} weights (the nearest give "
            f"{best_count:,}); change model.embedding.size or tokenizer.vocab_size, or leave this row out"
        )
    return best, best_count


def _candidates(model: ModelConfig, tokenizers: Tokenizers, target: int) -> Iterator[tuple[int, int]]:
    """Sizes of encoder and decoder: the proportional ones first, then those around them, the nearest first."""
    encoder, decoder = model.encoder.hidden_size, model.decoder.hidden_size

    def proportional(size: int) -> tuple[int, int]:
        return size, max(1, round(decoder * size / encoder))

    low, high = 1, min(WIDEST, encoder * 64)
    while low < high:  # the smallest that has as many as the target
        middle = (low + high) // 2
        width = dict(zip(("encoder", "decoder"), proportional(middle), strict=True))
        if count_parameters(_with_sizes(model, **width), tokenizers) < target:
            low = middle + 1
        else:
            high = middle
    yield proportional(low)
    steps = sorted(range(-AROUND, AROUND + 1), key=abs)
    yield from (proportional(low + step) for step in steps if low + step > 0)
    for step in steps:
        if low + step > 0:
            size, beside = proportional(low + step)
            yield from ((size, beside + more) for more in steps if beside + more > 0)


def _with_sizes(model: ModelConfig, encoder: int, decoder: int) -> ModelConfig:
    sizes = {"encoder": encoder, "decoder": decoder}
    parts = {n: getattr(model, n).model_copy(update={"hidden_size": size}) for n, size in sizes.items()}
    return model.model_copy(update=parts)


def _resized(recipe: Recipe, encoder: int, decoder: int) -> Recipe:
    """With other sizes, checked against all rules."""
    model = _with_sizes(recipe.model, encoder, decoder)
    return load_recipe(recipe.model_copy(update={"model": model}).model_dump())
