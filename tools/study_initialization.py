"""What first weights are worth, by cell and depth: BLEU after a few hundred steps, and the first step's gradients.

    python tools/study_initialization.py --output runs/initialization

Each training is a run of its own; what is done already is not done again. It prints
the table of docs/initialization.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

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
  optimizer: {{kind: adam, learning_rate: 0.002}}
  ema_decay: null
  max_steps: {steps}
  validate_every: {steps}
"""
BUILTIN = "{src: en, tgt: ko, train: {builtin: cldr, pairs: 20000}, valid: {builtin: cldr, pairs: 300}}"
SCHEMES = {
    "old": "{{kind: {kind}, kernel_initializer: uniform, recurrent_initializer: uniform}}",
    "scale 1": "{{kind: {kind}, kernel_initializer: {{kind: variance_scaling, distribution: uniform}}}}",
    "new": "{{kind: {kind}, kernel_initializer: variance_preserving, recurrent_initializer: orthogonal}}",
}
"""Both of 1/sqrt(hidden size), as torch's; kernels of variance 1/inputs, and the default, with orthogonal W_h."""


def main() -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cells", nargs="+", default=["rnn", "lstm", "gru"])
    parser.add_argument("--depths", nargs="+", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument(
        "--multi30k", type=Path, help="folder of train.en, train.de, val.en, val.de; else built-in data"
    )
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    data = BUILTIN
    if arguments.multi30k is not None:
        files = [
            json.dumps({"files": f"{arguments.multi30k.resolve()}/{split}.{{lang}}"}) for split in ("train", "val")
        ]
        data = f"{{src: en, tgt: de, train: {files[0]}, valid: {files[1]}}}"
    trained: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for seed, depth, kind, scheme in itertools.product(arguments.seeds, arguments.depths, arguments.cells, SCHEMES):
        result = train(arguments.output, data, kind, depth, scheme, seed, arguments.steps)
        trained.setdefault((kind, depth, scheme), []).append(result)
        print(f"{kind} {depth} {scheme} seed {seed}: BLEU {result['bleu']:.1f}", file=sys.stderr, flush=True)
    print(table(trained))


def train(output: Path, data: str, kind: str, depth: int, scheme: str, seed: int, steps: int) -> dict[str, Any]:
    """Train one model, unless it is trained: its validation BLEU, and each layer's gradient norm at the first step."""
    name = f"{kind}-{depth}-{scheme}-{seed}-{steps}".replace(" ", "-")
    recipe = output / f"{name}.yaml"
    cell = SCHEMES[scheme].format(kind=kind)
    recipe.write_text(
        RECIPE.format(name=name, output=output / name, data=data, seed=seed, cell=cell, depth=depth, steps=steps),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "seq2seq", "train", str(recipe), "--device", "cpu", "--threads", "1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    records = [
        json.loads(line) for line in (output / name / "train.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    ]
    first = next(record for record in records if record["kind"] == "train")
    return {"bleu": records[-1]["bleu"], "norms": first["gradient_norms"]}


def table(trained: dict[tuple[str, int, str], list[dict[str, Any]]]) -> str:
    """A row for each cell and depth: BLEU of each seed, and what reaches the lowest encoder layer and the attention."""
    columns = "BLEU", "encoder", "attention"
    lines = [
        f"| cell | layers | {' | '.join(f'{what} {s}' for what in columns for s in SCHEMES)} |",
        "|---" * (2 + 3 * len(SCHEMES)) + "|",
    ]
    for kind, depth in dict.fromkeys((kind, depth) for kind, depth, _ in trained):
        results = [trained[kind, depth, scheme] for scheme in SCHEMES]
        scores = [", ".join(f"{one['bleu']:.1f}" for one in each) for each in results]
        norms = [
            f"{statistics.mean(one['norms'][layer] for one in each):.1e}"
            for layer in ("encoder.layers.0.0", "decoder.attention")
            for each in results
        ]
        lines.append(f"| {kind} | {depth} | {' | '.join([*scores, *norms])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
