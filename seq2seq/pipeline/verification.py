"""Whether a run folder still holds what its manifest says, and its scores are those of its translations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

from seq2seq.bundle import load_bundle
from seq2seq.decoding.ensemble import ensemble_of
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from seq2seq.files import file_hash
from seq2seq.pipeline.manifest import Manifest, digest
from seq2seq.pipeline.runner import SEEDS, holds_seeds
from seq2seq.pipeline.seeds import of_seed
from seq2seq.pipeline.seeds_summary import seeds_scores
from seq2seq.pipeline.stages.evaluate import read_test_set, score_test_set
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from seq2seq.run_folder import MANIFEST, RunFolder


@dataclass(frozen=True)
class Check:
    """Something that was looked at.

    Attributes:
        kind: file, number, chain or translations.
        fault: how it differs from what is recorded; empty where it does not.
    """

    run: str
    kind: str
    what: str
    fault: str


def run_folders(root: Path) -> list[Path]:
    """A run folder; with the runs of its seeds, where it has several; those of a sweep of which a stage has ended.

    Raises:
        UserError: it is none of these.
    """
    if RunFolder(root).manifest.exists():
        seeds = sorted(path.parent for path in root.glob(f"seed-*/{MANIFEST}")) if holds_seeds(root) else []
        return [*seeds, root]
    if (root / "sweep.yaml").exists():
        runs = [run for path in sorted(root.glob(f"*/{MANIFEST}")) for run in run_folders(path.parent)]
        return [run for run in runs if Manifest.read(RunFolder(run).manifest).stages]
    raise UserError(f"{root}: no run folder (it has no {MANIFEST})")


def verify(root: Path) -> Iterator[Check]:
    """Files against the hashes in the manifest; what each stage read against what those before it left; scores.

    Raises:
        UserError: there is nothing to verify, or the manifest cannot be read.
    """
    folder = RunFolder(root)
    manifest, recipe = Manifest.read(folder.manifest), load_recipe(root)
    if not manifest.stages:
        raise UserError(f"{root}: no stage has ended yet; run its recipe first")
    for name, stage in manifest.stages.items():
        for file, recorded in stage.hashes.items():
            path = root / file
            found = file_hash(path) if path.is_file() else ""
            fault = "" if found == recorded else "has other bytes than were written" if found else "is missing"
            yield Check(str(root), "file", file, fault)
        if not stage.hashes:
            yield Check(str(root), "file", f"stage {name}", "has no hashes: it ran with an older seq2seq; run it again")
        for key, value in stage.inputs.items():
            needed = manifest.stages.get(key.removeprefix("stage "))
            if key.startswith("stage "):
                same = needed is not None and digest(needed.inputs) == value
                yield Check(str(root), "chain", f"{name} from {key}", "" if same else "was made from another one")
    if folder.scores.exists():
        yield from _numbers(root, _stored(folder), _computed(recipe, folder))


def verify_translations(root: Path, device: torch.device) -> Iterator[Check]:
    """The test sets' translations beside those that the run's model (of several seeds: their ensemble) writes now."""
    folder = RunFolder(root)
    manifest, recipe = Manifest.read(folder.manifest), load_recipe(root)
    runs = [folder] if recipe.seeds is None else list(_runs_of_seeds(recipe, folder).values())
    if not {"translate", SEEDS} & manifest.stages.keys() or recipe.task != "translation":
        return
    models = [load_bundle(run.root, device) for run in runs]
    translator = Translator(ensemble_of(models, [str(run.root) for run in runs], []) if models[1:] else models[0])
    for name in recipe.data.test:
        sources, _, _ = read_test_set(runs[0], name, recipe.data.tgt)
        stored = (folder.translations / f"{name}.{recipe.data.tgt}").read_text(encoding="utf-8").split("\n")[:-1]
        again = [one.text for one in translator.translate(sources)]
        others = [i for i, (old, new) in enumerate(zip_longest(stored, again), start=1) if old != new]
        told = f"{len(others):,} of {len(again):,} lines come out otherwise, the first is line"
        fault = f"{told} {others[0]:,}" if others else ""
        yield Check(str(root), "translations", f"translations of {name}", fault)


def _numbers(root: Path, stored: Mapping[str, Any], computed: Mapping[str, Sequence[Any]]) -> Iterator[Check]:
    """Each number of scores.json beside the same, computed again."""
    for name in dict.fromkeys([*stored, *computed]):
        mine = {entry.get("metric"): entry for entry in stored.get(name, [])}
        again = {entry["metric"]: entry for entry in map(asdict, computed.get(name, []))}
        for metric in dict.fromkeys([*mine, *again]):
            before, now = mine.get(metric, {}), again.get(metric, {})
            for key in dict.fromkeys([*before, *now]):
                old, new = before.get(key), now.get(key)
                fault = "" if old == new else f"scores.json says {old}, computed again it is {new}"
                yield Check(str(root), "number", f"{name} {metric} {key}", fault)


def _computed(recipe: Recipe, folder: RunFolder) -> dict[str, Sequence[Any]]:
    """The scores of the translations in the folder."""
    if recipe.seeds is not None:
        return dict(seeds_scores(recipe, folder, _runs_of_seeds(recipe, folder)))
    return {name: score_test_set(recipe, folder, name) for name in recipe.data.test}


def _runs_of_seeds(recipe: Recipe, folder: RunFolder) -> dict[str, RunFolder]:
    """By seed, the folder of its run."""
    seeds = recipe.seeds or []
    return {str(seed): RunFolder(folder.root / Path(of_seed(recipe, seed).output_dir).name) for seed in seeds}


def _stored(folder: RunFolder) -> dict[str, Any]:
    try:
        found = json.loads(folder.scores.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{folder.scores}: damaged; run seq2seq evaluate {folder.root}") from None
    return found if isinstance(found, dict) else {}
