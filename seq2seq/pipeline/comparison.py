"""What run folders have in common to be compared on, and what differs in how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import load_tokenizers
from seq2seq.errors import UserError
from seq2seq.evaluation.buckets import Rarity
from seq2seq.evaluation.compare import TestSet
from seq2seq.languages import has_spaces
from seq2seq.pipeline.manifest import Manifest
from seq2seq.pipeline.stages.evaluate import read_test_set
from seq2seq.pipeline.word_counts import rarity
from seq2seq.recipe import Recipe
from seq2seq.run_folder import RunFolder


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
    sets = []
    for name in names:
        sources, _, references = read_test_set(first, name, recipe.data.tgt)
        systems = []
        for label, one, folder in runs:
            theirs = read_test_set(folder, name, one.data.tgt)
            if (theirs[0], theirs[2]) != (sources, references):
                raise UserError(f"compare: {label}: its test set {name} has other sentences than that of {runs[0][0]}")
            systems.append((label, theirs[1]))
        known = rarity_in(first, recipe.data.src, name)
        sets.append(TestSet(name, sources, [references], systems, recipe.data.src, recipe.data.tgt, known))
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


def rarity_in(folder: RunFolder, src: str, name: str) -> Rarity:
    """How a run's training data know the words of a test set."""
    tokenizer, _ = load_tokenizers(folder.model)
    test = PreparedPairs(folder.test_set(name))
    ids, _ = test.take(range(len(test)))
    return rarity(tokenizer, has_spaces(src), PreparedPairs(folder.data / "train.arrow"), ids)


def read_run(path: str, recipe: Recipe) -> tuple[str, Recipe, RunFolder]:
    """A run by its folder's path, which names it.

    Raises:
        UserError: the folder holds the runs of several seeds.
    """
    if recipe.seeds is not None:
        one = Path(path) / f"seed-{recipe.seeds[0]}"
        raise UserError(f"{path}: holds several runs; name one of them, as {one}, or their translations' files")
    return path.rstrip("/"), recipe, RunFolder(Path(path))
