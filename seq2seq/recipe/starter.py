"""A first recipe for a corpus: the settings that are known to be good for its size, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.languages import expected_scripts, language_name


@dataclass(frozen=True)
class Size:
    """What suits corpora of up to so many pairs."""

    pairs: float
    vocab_size: int
    hidden_size: int
    layers: int
    dropout: float
    word_dropout: float
    r_drop: float
    batch_tokens: int
    learning_rate: float
    max_epochs: int
    why: str


SIZES = (
    Size(15_000, 2000, 256, 1, 0.4, 0.2, 1.0, 1500, 0.002, 50,
         "little text: a small vocabulary, much dropout, small batches (Sennrich & Zhang 2019); not measured here"),
    Size(100_000, 8000, 256, 1, 0.3, 0.1, 1.0, 4000, 0.002, 28,
         "measured on 29,000 pairs: docs/quality.md"),
    Size(1_000_000, 16_000, 512, 1, 0.2, 0.0, 0.0, 6000, 0.001, 15,
         "wider, with less dropout, as usual for so much text; not measured here"),
    Size(float("inf"), 32_000, 512, 2, 0.1, 0.0, 0.0, 8000, 0.001, 6,
         "wider and deeper, with little dropout, as usual for so much text; not measured here"),
)  # fmt: skip


def size_for(pairs: int) -> Size:
    """What suits a corpus of so many pairs."""
    return next(size for size in SIZES if pairs <= size.pairs)


def starter_recipe(
    name: str,
    languages: tuple[str, str],
    pairs: int | None,
    train: Sequence[Mapping[str, Any]],
    valid: Mapping[str, Any],
    test: Mapping[str, Mapping[str, Any]],
    budget: str | None,
) -> str:
    """A commented recipe, as YAML.

    Args:
        languages: codes of source and target.
        pairs: how many the training data holds; None: not known, as those of a hub's data set.
        train, valid, test: sections of the recipe.
        budget: longest time of training; None: as many epochs as suit the size.
    """
    src, tgt = languages
    size = size_for(50_000 if pairs is None else pairs)
    joint = bool(expected_scripts(src) & expected_scripts(tgt))
    cell = "{kind: lstm, kernel_initializer: uniform, recurrent_initializer: orthogonal}"
    stack = f"layers: {size.layers}, " + ("connections: residual, " if size.layers > 1 else "")
    sources = [_flow(one) for one in train]
    lines = [
        f"# {language_name(src)} to {language_name(tgt)}, "
        + (f"{pairs:,} sentence pairs." if pairs is not None else "of a data set whose size was not looked at."),
        f"# Settings: {size.why}.",
        "# Written by `seq2seq init`. Every key: docs/recipe.md, or `seq2seq schema`.",
        f"name: {name}",
        "data:",
        f"  src: {src}",
        f"  tgt: {tgt}",
        *([f"  train: {sources[0]}"] if len(sources) == 1 else ["  train:", *(f"    - {one}" for one in sources)]),
        f"  valid: {_flow(valid)}  # decides which model is kept",
        *(["  test:  # translated and scored once, at the end"] if test else []),
        *(f"    {key}: {_flow(one)}" for key, one in test.items()),
        "# Duplicates are dropped from the training data, and pairs that share a sentence with validation or test, are",
        "# over 100 tokens long, or have over four times as many tokens on one side as on the other (data.filter).",
        f"tokenizer: {{kind: bpe, vocab_size: {size.vocab_size}, joint: {str(joint).lower()}}}"
        + ("" if joint else "  # two scripts: a vocabulary each"),
        "model:",
        f"  embedding: {{size: {size.hidden_size}, tie: {'all' if joint else 'decoder'}, "
        f"word_dropout: {size.word_dropout}}}",
        f"  encoder: {{cell: {cell}, {stack}hidden_size: {size.hidden_size}, dropout: {size.dropout}}}",
        f"  decoder: {{cell: {cell}, {stack}hidden_size: {2 * size.hidden_size}, dropout: {size.dropout}, "
        "attention: {kind: luong_general}}",
        "training:",
        f"  batch: {{tokens: {size.batch_tokens}}}  # of either side with padding, a step; less where memory is short",
        f"  optimizer: {{kind: adam, learning_rate: {size.learning_rate}}}",
        "  schedule: {kind: cosine}  # warms up, then falls to the training's end",
        "  label_smoothing: 0.1",
        *(
            [f"  r_drop: {size.r_drop}  # each step costs twice, and it is worth it on little text"]
            if size.r_drop
            else []
        ),
        *([f"  budget: {budget}  # the schedule falls to its end within it"] if budget else []),
        f"  max_epochs: {size.max_epochs}",
        "  early_stopping: {metric: bleu, patience: 5}",
        "decoding: {beam_size: 5, length_penalty: {kind: wu, alpha: 1.0}}  # can be changed for a trained run, too",
    ]
    return "\n".join(lines) + "\n"


def _flow(section: Mapping[str, Any]) -> str:
    """A section on one line; JSON's texts are YAML's too."""
    return "{" + ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in section.items()) + "}"
