"""What first weights are worth, by cell and depth: scores after a few hundred steps, and the first step's gradients.

    python tools/study_initialization.py --output runs/initialization

One process, one training after the other, on data that is prepared once. What is done already is
not done again. It prints the tables of docs/initialization.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from seq2seq.device import set_up
from seq2seq.pipeline.runner import Runner
from seq2seq.pipeline.trainer import make_trainer
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe

RECIPE = """\
name: {name}
output_dir: {output}
seed: {seed}
data: {data}
tokenizer: {{kind: bpe, vocab_size: 2000}}
model:
  embedding: {{size: 128, tie: all}}
  encoder: {{cell: {cell}, layers: {depth}, hidden_size: 64, dropout: 0.1}}
  decoder: {{cell: {cell}, layers: {depth}, hidden_size: 128, dropout: 0.1}}
training:
  batch: {{tokens: {tokens}}}
  optimizer: {{kind: adam, learning_rate: {rate}}}
  ema_decay: null
  max_steps: {steps}
  validate_every: {steps}
  checkpoints: {{every_steps: {steps}}}
  precision: fp32
"""
BUILTIN = "{src: en, tgt: ko, train: {builtin: cldr, pairs: 20000}, valid: {builtin: cldr, pairs: 300}}"
SCHEMES = {
    "uniform": "{{kind: {kind}, kernel_initializer: uniform, recurrent_initializer: uniform}}",
    "uniform, orthogonal": "{{kind: {kind}, kernel_initializer: uniform, recurrent_initializer: orthogonal}}",
    "preserving, orthogonal": (
        "{{kind: {kind}, kernel_initializer: variance_preserving, recurrent_initializer: orthogonal}}"
    ),
}
"""W_x and W_h: both of 1/sqrt(hidden size), as torch's; orthogonal W_h; kernels of a scale measured for the cell."""
Result = dict[str, Any]


def main() -> None:
    """Train what is not trained yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cells", nargs="+", default=["rnn", "lstm", "gru"])
    parser.add_argument("--depths", nargs="+", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument(
        "--multi30k", type=Path, help="folder of train.en, train.de, val.en, val.de; else built-in data"
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=1500, help="of a batch")
    parser.add_argument("--rate", type=float, default=0.002, help="learning rate at its highest")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    set_up("cpu", threads=1)
    trained: dict[tuple[str, int, str], list[Result]] = {}
    for seed, depth, kind, scheme in itertools.product(arguments.seeds, arguments.depths, arguments.cells, SCHEMES):
        result = trained_once(arguments, kind, depth, scheme, seed)
        trained.setdefault((kind, depth, scheme), []).append(result)
        print(
            f"{kind} {depth} {scheme}, seed {seed}: loss {result['loss']:.3f}, BLEU {result['bleu']:.1f}",
            file=sys.stderr,
            flush=True,
        )
    print(table(trained, "BLEU", lambda each: ", ".join(f"{one['bleu']:.1f}" for one in each)))
    print(table(trained, "loss", lambda each: f"{statistics.mean(one['loss'] for one in each):.2f}"))
    for layer in ("encoder.layers.0.0", "decoder.attention"):
        print(table(trained, layer, lambda each, layer=layer: f"{share(each, layer):.2g}"))  # type: ignore[misc]


def trained_once(arguments: argparse.Namespace, kind: str, depth: int, scheme: str, seed: int) -> Result:
    """Train one model, unless it is trained: validation loss and BLEU, and each layer's gradient at the first step."""
    settings = f"{arguments.steps} steps, {arguments.tokens} tokens, rate {arguments.rate:g}"
    kept = arguments.output / f"{kind}, {depth} layers, {scheme}, seed {seed}, {settings}.json"
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    data = arguments.output / "prepared"
    with TemporaryDirectory(dir=arguments.output) as scratch:
        cell = SCHEMES[scheme].format(kind=kind)
        text = RECIPE.format(
            name="study", output=scratch, seed=seed, data=data_of(arguments.multi30k), cell=cell, depth=depth,
            tokens=arguments.tokens, rate=arguments.rate, steps=arguments.steps,
        )  # fmt: skip
        made: Recipe = load_recipe(yaml.safe_load(text))
        Runner(made.model_copy(update={"output_dir": str(data)})).run("prepare")
        (Path(scratch) / "data").symlink_to((data / "data").resolve())
        trainer = make_trainer(Runner(made, force=True).context())
        norms = trainer.first_gradients()
        trainer.run()
        lines = (Path(scratch) / "train.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    scores = json.loads(lines[-1])
    result = {"loss": scores["loss"], "bleu": scores["bleu"], "norms": norms}
    kept.write_text(json.dumps(result), encoding="utf-8")
    return result


def data_of(multi30k: Path | None) -> str:
    """The section `data`."""
    if multi30k is None:
        return BUILTIN
    train, valid = (json.dumps({"files": f"{multi30k.resolve()}/{split}.{{lang}}"}) for split in ("train", "val"))
    return f"{{src: en, tgt: de, train: {train}, valid: {valid}}}"


def share(results: list[Result], layer: str) -> float:
    """A layer's gradient norm at the first step, by the norm over all weights; the geometric mean of the seeds."""
    shares = [one["norms"][layer] / math.hypot(*one["norms"].values()) for one in results]
    return statistics.geometric_mean(shares)


def table(trained: dict[tuple[str, int, str], list[Result]], what: str, shown: Callable[[list[Result]], str]) -> str:
    """A row for each cell and depth, a column for each scheme."""
    lines = [f"\n| {what} | layers | {' | '.join(SCHEMES)} |", "|---" * (2 + len(SCHEMES)) + "|"]
    for kind, depth in sorted(dict.fromkeys((kind, depth) for kind, depth, _ in trained)):
        lines.append(f"| {kind} | {depth} | {' | '.join(shown(trained[kind, depth, scheme]) for scheme in SCHEMES)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
