"""What run folders have in common to be compared on, and what differs in how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq.data.preparation import PreparedPairs
from seq2seq.errors import UserError
from seq2seq.evaluation.compare import TestSet
from seq2seq.pipeline.manifest import Manifest
from seq2seq.pipeline.stages.evaluate import read_test_set
from seq2seq.recipe import Recipe
from seq2seq.run_folder import RunFolder

MOST_TOKENS = 1 << 20
"""No vocabulary has more."""
PAIRS = 10_000
"""Training pairs that are counted at once."""


def read_test_sets(runs: Sequence[tuple[str, Recipe, RunFolder]]) -> list[TestSet]:
    """The test sets that all runs have translated, each with the translations of every run.

    Raises:
        UserError: the runs have none in common, or their test sets differ.
    """
    (_, recipe, first), *_ = runs
    names = [
        name
        for name in recipe.data.test
        if all((folder.translations / f"{name}.{one.data.tgt}").exists() for _, one, folder in runs)
    ]
    if not names:
        raise UserError(
            f"compare: {', '.join(name for name, _, _ in runs)}: no test set that all of them have translated"
        )
    counts, sets = _token_counts(first), []
    for name in names:
        sources, _, references = read_test_set(first, name, recipe.data.tgt)
        systems = []
        for label, one, folder in runs:
            theirs = read_test_set(folder, name, one.data.tgt)
            if (theirs[0], theirs[2]) != (sources, references):
                raise UserError(f"compare: {label}: its test set {name} has other sentences than that of {runs[0][0]}")
            systems.append((label, theirs[1]))
        ids, _ = PreparedPairs(first.test_set(name)).take(range(len(sources)))
        rarest = [int(counts[row[:-1]].min()) if len(row) > 1 else 0 for row in ids]
        sets.append(TestSet(name, sources, [references], systems, recipe.data.src, recipe.data.tgt, rarest))
    return sets


def facts(folder: RunFolder) -> dict[str, str]:
    """What a run was made from and with: recipe keys, hashes of its data, versions, machine, weights' training time."""
    manifest = Manifest.read(folder.manifest)
    found = {
        f"{name}: {key}" if key == "code version" else key: value
        for name, stage in manifest.stages.items()
        for key, value in stage.inputs.items()
        if not key.startswith("stage ")
    }
    train = manifest.stages.get("train")
    if train is not None:
        found |= {f"version of {name}": version for name, version in train.versions.items()}
        found |= {"machine": train.machine, "seconds of training": f"{train.seconds:.0f}"}
    return found


def read_run(path: str, recipe: Recipe) -> tuple[str, Recipe, RunFolder]:
    """A run by its folder's path, which names it.

    Raises:
        UserError: the folder holds the runs of several seeds.
    """
    if recipe.seeds is not None:
        one = Path(path) / f"seed-{recipe.seeds[0]}"
        raise UserError(f"{path}: holds several runs; name one of them, as {one}, or their translations' files")
    return path.rstrip("/"), recipe, RunFolder(Path(path))


def _token_counts(folder: RunFolder) -> np.ndarray:
    """How often each token is in the sources of the training data [vocabulary]."""
    pairs, counts = PreparedPairs(folder.data / "train.arrow"), np.zeros(MOST_TOKENS, np.int64)
    for start in range(0, len(pairs), PAIRS):
        ids, _ = pairs.take(range(start, min(start + PAIRS, len(pairs))))
        found = np.bincount(np.concatenate(ids))
        counts[: len(found)] += found
    return counts
