"""A toy translation task that a small model learns in seconds: number words, into another language, in reverse."""

import random
from pathlib import Path

from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe

ENGLISH = "zero one two three four five six seven eight nine".split()
GERMAN = "null eins zwei drei vier fünf sechs sieben acht neun".split()

RECIPE = """\
name: toy
output_dir: {folder}/run
data:
  src: en
  tgt: de
  train: {{files: "train.{{lang}}"}}
  valid: {{files: "valid.{{lang}}"}}
  test:
    toy: {{files: "test.{{lang}}"}}
tokenizer: {{kind: word, vocab_size: 100, min_frequency: 1}}
model:
  embedding: {{size: 16}}
  encoder: {{cell: gru, hidden_size: 16}}
  decoder: {{cell: gru, hidden_size: 32, dropout: 0.1}}
training:
  batch: {{tokens: 150}}
  optimizer: {{kind: adam, learning_rate: 0.01}}
  schedule: {{kind: cosine, warmup_steps: 10}}
  max_epochs: 2
  checkpoints: {{every_steps: 5}}
  log_every: 5
  precision: fp32
decoding: {{beam_size: 2}}
evaluation: {{bootstrap: 20}}
"""


def write_toy(folder: Path, train: int = 300) -> Path:
    """Data and recipe in a folder; returns the recipe's file."""
    generator = random.Random(1)
    seen: set[tuple[int, ...]] = set()
    for split, count in (("train", train), ("valid", 20), ("test", 20)):
        rows = []
        while len(rows) < count:
            row = tuple(generator.randrange(10) for _ in range(generator.randint(3, 6)))
            if row not in seen:
                seen.add(row)
                rows.append(row)
        english = "".join(" ".join(ENGLISH[i] for i in row) + "\n" for row in rows)
        german = "".join(" ".join(GERMAN[i] for i in reversed(row)) + "\n" for row in rows)
        links = "".join(" ".join(f"{i}-{len(row) - 1 - i}" for i in range(len(row))) + "\n" for row in rows)
        (folder / f"{split}.align").write_text(links)
        (folder / f"{split}.en").write_text(english, encoding="utf-8")
        (folder / f"{split}.de").write_text(german, encoding="utf-8")
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(folder=folder), encoding="utf-8")
    return path


def toy_recipe(folder: Path, *settings: str, train: int = 300) -> Recipe:
    """The toy's recipe, its data written."""
    return load_recipe(write_toy(folder, train), settings)
