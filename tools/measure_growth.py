"""How time and memory grow with the corpus: prepare, and some training steps, each in a process of its own.

    python tools/measure_growth.py 40000 400000

prints a row for each size (built-in corpus, English to Korean).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

RECIPE = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", type=int, help="sizes of the training data, in sentence pairs")
    parser.add_argument("--steps", type=int, default=100, help="updates to train")
    arguments = parser.parse_args()
    print("pairs      prepare: seconds  peak MiB   train: seconds  peak MiB")
    for pairs in arguments.pairs:
        with tempfile.TemporaryDirectory() as folder:
            stages = measure(Path(folder) / "run", pairs, arguments.steps)
        figures = [
            f"{stages[name]['seconds']:>10} {stages[name]['peak_memory_mib']:>9}" for name in ("prepare", "train")
        ]
        print(f"{pairs:<14,} {figures[0]}     {figures[1]}", flush=True)


def measure(folder: Path, pairs: int, steps: int) -> dict[str, dict[str, float]]:
    """The manifest's record of each stage."""
    settings = [
        f"output_dir={folder}",
        f"data.train.pairs={pairs}",
        "data.valid.pairs=50",
        "data.test.cldr.pairs=50",
        f"training.max_steps={steps}",
    ]
    for command in ("prepare", "train"):
        subprocess.run(
            [sys.executable, "-m", "seq2seq", command, str(RECIPE), *settings], check=True, capture_output=True
        )
    stages: dict[str, dict[str, float]] = json.loads((folder / "manifest.json").read_text())["stages"]
    return stages


if __name__ == "__main__":
    main()
