"""A recipe with several seeds: a run for each, one preparation for all, their mean and their ensemble."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.files import file_hash, write_text
from seq2seq.pipeline import continuation
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.manifest import Finished, Inputs, Manifest, digest, size
from seq2seq.pipeline.runner import NEW, SEEDS, Runner, Verdict, holds_seeds
from seq2seq.pipeline.sharing import share
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import dump_recipe
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:
    import torch

    from seq2seq.distributed import Processes

CODE_VERSION = 2
LONGEST_NAME = 80
"""Of a recipe's name, where the seed's comes behind it."""


def runner_of(recipe: Recipe, force: bool = False) -> Runner | SeedsRunner:
    """What carries a recipe out.

    Raises:
        UserError: the folder is something else's; data cannot be read.
    """
    return Runner(recipe, force) if recipe.seeds is None else SeedsRunner(recipe, recipe.seeds, force)


def of_seed(recipe: Recipe, seed: int) -> Recipe:
    """The recipe of one of its seeds' runs, in a folder of its own below the recipe's."""
    folder, name = str(Path(recipe.output_dir) / f"seed-{seed}"), f"{recipe.name[:LONGEST_NAME]}-seed-{seed}"
    return recipe.model_copy(update={"seed": seed, "seeds": None, "output_dir": folder, "name": name})


class SeedsRunner:
    """The runs of all seeds, and what they give together.

    Args:
        force: take what the folders hold as not there.

    Raises:
        UserError: a folder is something else's; data cannot be read.
    """

    def __init__(self, recipe: Recipe, seeds: list[int], force: bool = False) -> None:
        self.recipe, self.folder = recipe, RunFolder(Path(recipe.output_dir))
        root = self.folder.root
        if root.exists() and not root.is_dir():
            raise UserError(f"output_dir: {root} is a file; name a folder")
        if root.exists() and not holds_seeds(root) and any(not p.name.startswith(".") for p in root.iterdir()):
            raise UserError(f"output_dir: {root} exists and does not hold the runs of several seeds; name another")
        self.manifest = Manifest(name=recipe.name, stages={})
        if holds_seeds(root) and not force:
            self.manifest = Manifest.read(self.folder.manifest)
        self.runners = {str(seed): Runner(of_seed(recipe, seed), force) for seed in seeds}

    @property
    def folders(self) -> list[RunFolder]:
        """Those that hold a model."""
        return [runner.folder for runner in self.runners.values()]

    def plan_whole(self) -> list[Verdict]:
        """Each stage that the recipe asks for."""
        exports = [] if self.recipe.export is None else list(self.runners.items())
        return self.plan() + [Verdict(f"seed-{k} export", one.plan("export")[-1].reasons) for k, one in exports]

    def plan(self, until: str = "report") -> list[Verdict]:
        """Each stage of each seed's run, and what comes of all."""
        verdicts, first = [], next(iter(self.runners.values()))
        for seed, runner in self.runners.items():
            for verdict in runner.plan(until):
                shared = verdict.stage == "prepare" and verdict.reasons and runner is not first
                reasons = [f"is shared with {first.folder.root.name}"] if shared else verdict.reasons
                verdicts.append(Verdict(f"seed-{seed} {verdict.stage}", reasons))
        if until == "report":
            due = list(dict.fromkeys(verdict.stage.split()[0] for verdict in verdicts if verdict.reasons))
            verdicts.append(Verdict(SEEDS, [f"{', '.join(due)}: not up to date"] if due else self._reasons()))
        return verdicts

    def run(self, until: str = "report", processes: Processes | None = None) -> bool:
        """Run what has to run, seed after seed; returns whether anything had to.

        Raises:
            UserError: another training's model would be lost, and nobody has forced that.
        """
        if processes is not None and not processes.first:
            helped = [runner.run(until, processes) for runner in self.runners.values()]
            return any(helped)
        ran = False
        with alone(self.folder.root):
            obstacle = self.obstacle()
            if obstacle:
                raise UserError(obstacle)
            self.start()
            for i, (seed, runner) in enumerate(self.runners.items(), start=1):
                say(f"seed {seed} ({i} of {len(self.folders)}): {runner.folder.root}")
                for stage, donor in share(runner, self.folders):
                    say(f"[{stage}] shared with {donor.root}")
                ran = runner.run(until, processes) or ran
            if until in ("evaluate", "report") and self._reasons():
                device = None if processes is None else processes.device
                say(f"[{SEEDS}] {'; '.join(self._reasons())}")
                self._summarize(device)
                ran = True
        return ran

    def run_whole(self, processes: Processes | None = None) -> bool:
        """Run all that the recipe asks for, exports too; returns whether anything had to."""
        ran = self.run(processes=processes)
        if self.recipe.export is not None:
            for runner in self.runners.values():
                runner.force = False  # what has just run is up to date
                ran = runner.run("export", processes) or ran
        return ran

    def obstacle(self) -> str | None:
        """Why `run` would refuse to begin; None: it would not."""
        return next((found for runner in self.runners.values() if (found := runner.obstacle())), None)

    def start(self) -> None:
        """Note in the folder which recipe it belongs to."""
        self.manifest.begun.setdefault(SEEDS, {})
        self.manifest.write(self.folder.manifest)
        write_text(self.folder.recipe, dump_recipe(self.recipe))

    def _inputs(self) -> Inputs:
        """What the runs have left."""
        found = {"code version": str(CODE_VERSION)}
        for seed, runner in self.runners.items():
            files = [runner.folder.scores, *sorted(runner.folder.translations.glob(f"*.{self.recipe.data.tgt}"))]
            found[f"seed {seed}"] = digest({file.name: file_hash(file) for file in files if file.exists()})
        return found

    def _reasons(self) -> list[str]:
        """Why the summary has to be made; empty where it is up to date."""
        before = self.manifest.stages.get(SEEDS)
        if before is None:
            return [NEW]
        changes = continuation.differences(before.inputs, self._inputs())
        missing = [name for name, bytes in before.outputs.items() if size(self.folder.root / name) != bytes]
        return changes + [f"{name} is missing or was changed" for name in missing]

    def _summarize(self, device: torch.device | None) -> None:
        """Make the summary; note what it was made from."""
        from seq2seq.pipeline.seeds_summary import summarize_runs  # noqa: PLC0415  (loads torch)

        started, folder = time.perf_counter(), self.folder
        self.manifest.stages.pop(SEEDS, None)
        self.manifest.begun[SEEDS] = inputs = self._inputs()
        self.manifest.write(folder.manifest)
        outputs = summarize_runs(self.recipe, folder, {k: one.folder for k, one in self.runners.items()}, device)
        seconds = time.perf_counter() - started
        self.manifest.stages[SEEDS] = Finished.now(folder.root, inputs, outputs, seconds, str(device or "cpu"))
        del self.manifest.begun[SEEDS]
        self.manifest.write(folder.manifest)
