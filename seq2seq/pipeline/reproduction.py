"""A run carried out again in another folder, and what came out equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.errors import UserError
from seq2seq.files import file_hash
from seq2seq.pipeline.continuation import differences
from seq2seq.pipeline.manifest import Manifest, versions
from seq2seq.pipeline.runner import Runner, holds_seeds
from seq2seq.pipeline.seeds import SeedsRunner, runner_of
from seq2seq.pipeline.stages.evaluate import read_scores
from seq2seq.recipe.file import load_recipe
from seq2seq.run_folder import MANIFEST, RunFolder

if TYPE_CHECKING:
    from seq2seq.distributed import Processes


@dataclass(frozen=True)
class Outcome:
    """A result of both runs.

    Attributes:
        difference: empty where both have the same.
    """

    what: str
    difference: str


def prepared(run: Path, output: Path) -> tuple[Runner | SeedsRunner, list[str]]:
    """What carries the run's recipe out in another folder, and what it is made from that differs from then.

    Raises:
        UserError: there is no finished run; the other folder is something else's; data cannot be read.
    """
    if not RunFolder(run).manifest.exists():
        raise UserError(f"{run}: no run folder (it has no {MANIFEST})")
    if output.resolve() == run.resolve():
        raise UserError(f"--output {output}: that is the run itself; name another folder")
    runner = runner_of(load_recipe(run).model_copy(update={"output_dir": str(output)}))
    pairs = _pairs(run, runner)
    found: list[str] = []
    for folder, one in pairs:
        for name, stage in Manifest.read(RunFolder(folder).manifest).stages.items():
            found += differences(stage.inputs, one.inputs.get(name, {}))
            now = versions()
            found += [f"{k} {v} -> {now[k]}" for k, v in stage.versions.items() if now.get(k, v) != v]
    return runner, list(dict.fromkeys(line for line in found if not line.startswith("name ")))


def reproduce(run: Path, runner: Runner | SeedsRunner, processes: Processes | None = None) -> Iterator[Outcome]:
    """Carry it out; compare data, weights, translations and scores with the run's.

    Raises:
        UserError: the run has not ended; see `Runner.run`.
    """
    if not (run / "report" / "scores.json").exists():
        raise UserError(f"{run}: has no scores yet; run its recipe first")
    runner.run_whole(processes)
    for before, one in _pairs(run, runner):
        yield from _compared(RunFolder(before), one.folder, "" if before == run else f"{before.name} ")
    if isinstance(runner, SeedsRunner):
        yield from _scores(RunFolder(run), runner.folder, "")


def _pairs(run: Path, runner: Runner | SeedsRunner) -> list[tuple[Path, Runner]]:
    """Each single run then, and now."""
    if isinstance(runner, Runner):
        return [(run, runner)]
    if not holds_seeds(run):
        raise UserError(f"{run}: its recipe has several seeds, but it does not hold their runs")
    return [(run / one.folder.root.name, one) for one in runner.runners.values()]


def _compared(before: RunFolder, now: RunFolder, prefix: str) -> Iterator[Outcome]:
    for path in sorted(before.data.glob("*.arrow")):
        yield _file(f"{prefix}data/{path.name}", path, now.data / path.name)
    yield _file(f"{prefix}model", before.model / "model.safetensors", now.model / "model.safetensors")
    for path in sorted(file for file in before.translations.glob("*.*") if not file.name.endswith((".json", ".jsonl"))):
        other = now.translations / path.name
        lines = [file.read_text(encoding="utf-8").split("\n") if file.exists() else [] for file in (path, other)]
        changed = sum(a != b for a, b in zip(*lines, strict=False)) + abs(len(lines[0]) - len(lines[1]))
        difference = f"{changed:,} of {len(lines[0]) - 1:,} lines differ" if changed else ""
        yield Outcome(f"{prefix}translations/{path.name}", difference)
    yield from _scores(before, now, prefix)


def _file(what: str, before: Path, now: Path) -> Outcome:
    same = now.is_file() and file_hash(before) == file_hash(now)
    return Outcome(what, "" if same else "other bytes" if now.is_file() else "is missing")


def _scores(before: RunFolder, now: RunFolder, prefix: str) -> Iterator[Outcome]:
    """Each score and its interval."""
    again = {(name, s.metric): s for name, of_set in read_scores(now).items() for s in of_set}
    for name, of_set in read_scores(before).items():
        for old in of_set:
            new = again.get((name, old.metric))
            fault = "is missing" if new is None else "" if new == old else f"{old.value:.2f} -> {new.value:.2f}"
            if new is not None and fault and new.value == old.value:
                fault = f"{old.value:.2f}, but interval or signature differ: {json.dumps(vars(new))}"
            yield Outcome(f"{prefix}{name} {old.label} {old.value:.2f}", fault)
