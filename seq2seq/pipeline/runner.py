"""Which stages of a recipe are stale and why, and running those: the only place that loops over them."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.files import remove_folder, write_text
from seq2seq.pipeline import continuation
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.manifest import Finished, Inputs, Manifest, digest, size
from seq2seq.pipeline.stage import Context, Stage
from seq2seq.pipeline.stages import STAGES
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import dump_recipe
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:
    from seq2seq.distributed import Processes

NAMES = tuple(stage.name for stage in STAGES)
NEW = "has not run yet"
SEEDS = "seeds"
"""What a manifest calls the mean and the ensemble of several seeds' runs, which lie in folders below."""


@dataclass(frozen=True)
class Verdict:
    """Whether a stage has to run, and why."""

    stage: str
    reasons: list[str]
    """Empty where it is up to date."""


class Runner:
    """A recipe and its run folder.

    Args:
        force: take what the folder holds as not there.

    Raises:
        UserError: the folder is something else's; data cannot be read.
    """

    def __init__(self, recipe: Recipe, force: bool = False) -> None:
        self.recipe, self.force = recipe, force
        self.folder = RunFolder(Path(recipe.output_dir))
        self.manifest = self._read_manifest()
        self.inputs = inputs_of(recipe)

    @property
    def folders(self) -> list[RunFolder]:
        """Those that hold a model."""
        return [self.folder]

    def plan_whole(self) -> list[Verdict]:
        """Each stage that the recipe asks for."""
        return self.plan() + (self.plan("export")[-1:] if self.recipe.export is not None else [])

    def plan(self, until: str = "report") -> list[Verdict]:
        """Each stage that `until` needs, and itself, in order."""
        verdicts: list[Verdict] = []
        for stage in needed(until):
            stale = [verdict.stage for verdict in verdicts if verdict.reasons]
            verdicts.append(Verdict(stage.name, self._reasons(stage, stale)))
        return verdicts

    def run(self, until: str = "report", processes: Processes | None = None) -> bool:
        """Run what has to run; returns whether anything had to.

        Args:
            processes: those that train; by default this one alone, on the CPU.

        Raises:
            UserError: another training's model would be lost, and nobody has forced that.
        """
        context = self.context(processes)
        if not context.processes.first:
            return _help(until, context)
        ran = False
        with alone(self.folder.root):
            obstacle = self.obstacle()
            if obstacle:
                raise UserError(obstacle)
            for stage in needed(until):
                reasons = self.plan(stage.name)[-1].reasons
                if reasons and not ran:
                    self.start()
                if stage.distributed:
                    context.processes.broadcast(bool(reasons))
                if reasons:
                    say(f"[{stage.name}] {'starts' if reasons == [NEW] else 'runs: ' + '; '.join(reasons)}")
                    self._run(stage, context)
                    ran = True
                else:
                    say(f"[{stage.name}] up to date")
        return ran

    def run_whole(self, processes: Processes | None = None) -> bool:
        """Run all that the recipe asks for, the export too; returns whether anything had to."""
        ran = self.run(processes=processes)
        if self.recipe.export is not None:
            self.force = False  # what has just run is up to date
            ran = self.run("export", processes) or ran
        return ran

    def obstacle(self) -> str | None:
        """Why `run` would refuse to begin; None: it would not."""
        return None if self.force else continuation.obstacle(self.folder, self.manifest, self.inputs)

    def context(self, processes: Processes | None = None) -> Context:
        """What the stages work with."""
        from seq2seq.distributed import SINGLE_PROCESS  # noqa: PLC0415  (loads torch)

        return Context(self.recipe, self.folder, self.inputs, self.manifest, processes or SINGLE_PROCESS)

    def start(self) -> None:
        """Note in the folder which recipe it belongs to. A model that is there stays until the new one is whole."""
        if self.force:
            remove_folder(self.folder.checkpoints)
        self.manifest.write(self.folder.manifest)
        write_text(self.folder.recipe, dump_recipe(self.recipe))

    def _run(self, stage: Stage, context: Context) -> None:
        """Do a stage's work; once it has ended well, note what it was made from, with what and when."""
        self.manifest.stages.pop(stage.name, None)
        self.manifest.begun[stage.name] = self.inputs[stage.name]
        self.manifest.write(self.folder.manifest)
        started = time.perf_counter()
        outputs = stage.run(context)
        seconds, device = time.perf_counter() - started, str(context.processes.device)
        self.manifest.stages[stage.name] = Finished.now(
            self.folder.root, self.inputs[stage.name], outputs, seconds, device
        )
        del self.manifest.begun[stage.name]
        self.manifest.write(self.folder.manifest)

    def _reasons(self, stage: Stage, stale: list[str]) -> list[str]:
        now, before = self.inputs[stage.name], self.manifest.stages.get(stage.name)
        step = self._step_to_continue_from() if stage.name == continuation.TRAIN else None
        if before is None:
            return [NEW if step is None else f"was interrupted, continues from step {step}"]
        changes = continuation.differences(before.inputs, now)
        reasons = [change.replace("data.train.0", self.recipe.data.train_key(0), 1) for change in changes]
        missing = [name for name, bytes in before.outputs.items() if size(self.folder.root / name) != bytes]
        reasons += [f"{name} is missing or was changed" for name in missing]
        if not reasons:
            reasons = stage.mismatches(self.recipe, self.folder)
        for need in stage.needs:
            if now[f"stage {need}"] != before.inputs.get(f"stage {need}"):
                reasons.append(f"{need} {'runs' if need in stale else 'has run'} again")
        if reasons and step is not None:
            reasons.append(f"continues from step {step}")
        return reasons

    def _step_to_continue_from(self) -> int | None:
        if continuation.conflicts(self.folder, self.manifest, self.inputs):
            return None
        return continuation.newest_step(self.folder, self.inputs[continuation.TRAIN])

    def _read_manifest(self) -> Manifest:
        new, root, path = Manifest(name=self.recipe.name, stages={}), self.folder.root, self.folder.manifest
        if root.exists() and not root.is_dir():
            raise UserError(f"output_dir: {root} is a file; name a folder")
        if holds_seeds(root):
            raise UserError(f"output_dir: {root} holds the runs of several seeds; name another, or remove that folder")
        if self.force:
            return new
        if not path.exists():
            if root.exists() and any(not entry.name.startswith(".") for entry in root.iterdir()):
                raise UserError(f"output_dir: {root} exists and is not a run folder; name another, or add --force")
            return new
        manifest = Manifest.read(path)
        if manifest.name != self.recipe.name:
            raise UserError(
                f"output_dir: {root} belongs to the recipe {manifest.name!r}, not to {self.recipe.name!r}; "
                "name another output_dir, or add --force to replace that run"
            )
        return manifest


def holds_seeds(root: Path) -> bool:
    """Whether a folder is that of a recipe with several seeds."""
    with contextlib.suppress(OSError, UserError):
        return Manifest.read(RunFolder(root).manifest).inputs_of(SEEDS) is not None
    return False


def needed(until: str) -> list[Stage]:
    """The stages that one needs, directly or by way of others, and itself, in the order in which they run."""
    wanted = {until}
    for stage in reversed(STAGES):
        if stage.name in wanted:
            wanted |= set(stage.needs)
    return [stage for stage in STAGES if stage.name in wanted]


def inputs_of(recipe: Recipe) -> dict[str, Inputs]:
    """By stage, all that its results depend on: its own inputs, its code, and the inputs of the stages that it needs.

    Raises:
        UserError: data cannot be read.
    """
    inputs: dict[str, Inputs] = {}
    for stage in STAGES:
        before = {f"stage {need}": digest(inputs[need]) for need in stage.needs}
        inputs[stage.name] = stage.inputs(recipe) | {"code version": str(stage.code_version)} | before
    return inputs


def _help(until: str, context: Context) -> bool:
    """What all processes but the first do: take part in the distributed stages that are due."""
    helped = False
    for stage in needed(until):
        if stage.distributed and context.processes.broadcast(False):
            stage.help(context)
            helped = True
    return helped
