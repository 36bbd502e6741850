"""A sweep: every row's runs, equal stages shared, side by side; taken up again where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.files import write_text
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.manifest import Inputs, digest
from seq2seq.pipeline.runner import Runner
from seq2seq.pipeline.seeds import SeedsRunner, of_seed, runner_of
from seq2seq.pipeline.sharing import share
from seq2seq.pipeline.sweep.grid import FILE, Row, rows_of, write_sweep
from seq2seq.pipeline.sweep.jobs import Job, Workers
from seq2seq.recipe import Recipe
from seq2seq.recipe.sweep import SweepConfig
from seq2seq.run_folder import RunFolder


@dataclass(frozen=True)
class Finished:
    """What a sweep has left.

    Attributes:
        rows: those whose runs have all ended well.
        failed: by label of a run, why it has not.
    """

    rows: list[Row]
    failed: dict[str, str]


class Sweep:
    """The rows of a grid and the folder that holds their runs.

    Raises:
        UserError: with every fault of every row.
    """

    def __init__(self, config: SweepConfig) -> None:
        self.config, self.folder = config, Path(config.output_dir)
        self.rows = rows_of(config)
        others = (
            [path for path in self.folder.glob("*") if not path.name.startswith(".")] if self.folder.exists() else []
        )
        if others and not (self.folder / FILE).exists():
            raise UserError(f"{self.folder} exists and is not a sweep's folder; name another with --output")
        obstacles = [runner.obstacle() for _, runner in self._runners()]
        found = [obstacle for obstacle in obstacles if obstacle]
        if found and config.match is None:  # matched rows have other sizes than these
            raise UserError("\n".join(found))

    def plan(self) -> list[tuple[str, list[str]]]:
        """Each run, and the stages of it that would run; equal ones once."""
        seen, found = set[str](), []
        for label, runner in self._runners():
            due = []
            for verdict in runner.plan_whole():
                inputs = digest(runner.inputs[verdict.stage])
                shared = verdict.stage in ("prepare", "train") and inputs in seen
                seen.add(inputs)
                if verdict.reasons:
                    due.append(f"{verdict.stage} (shared)" if shared else verdict.stage)
            found.append((label, due))
        return found

    def run(self, workers: Workers) -> Finished:
        """Carry out what is due.

        Raises:
            UserError: models cannot be matched.
            KeyboardInterrupt: it was asked to stop; every run has saved its work.
        """
        with alone(self.folder):
            write_text(self.folder / FILE, write_sweep(self.config, self.folder))
            for row in self.rows:
                if row.recipe.seeds is not None:
                    SeedsRunner(row.recipe, row.recipe.seeds).start()
            runs = self._runs()
            failed = workers.run(self._leaders(runs, "prepare", until="prepare"), "prepare")
            if self.config.match is not None:
                self.rows = self._matched(self.rows)
                runs = self._runs()
            self._share(runs, ("prepare",))
            failed |= workers.run(self._leaders(runs, "train"), "run")
            self._share(runs, ("prepare", "train"))
            failed |= workers.run(self._due([job for job in runs if job.label not in failed]), "run")
            whole = [row for row in self.rows if not any(job.label in failed for job in self._runs_of(row))]
            together = [Job(f"{row.label}, all seeds", row.recipe) for row in whole if row.recipe.seeds is not None]
            failed |= workers.run(self._due(together), "seeds")
        return Finished([row for row in whole if f"{row.label}, all seeds" not in failed], failed)

    def _runs(self) -> list[Job]:
        return [job for row in self.rows for job in self._runs_of(row)]

    def _runs_of(self, row: Row) -> list[Job]:
        """A row's single runs."""
        seeds = row.recipe.seeds
        if seeds is None:
            return [Job(row.label, row.recipe)]
        return [Job(f"{row.label} seed {seed}", of_seed(row.recipe, seed)) for seed in seeds]

    def _runners(self) -> list[tuple[str, Runner]]:
        return [(job.label, Runner(job.recipe)) for job in self._runs()]

    def _leaders(self, runs: Sequence[Job], stage: str, until: str | None = None) -> list[Job]:
        """Of runs that have a stage in common, the one that has done it or is to do it; those with something to do."""
        leaders: dict[str, tuple[Job, Runner]] = {}
        for job in runs:
            runner = Runner(job.recipe)
            key = digest(runner.inputs[stage])
            if key not in leaders or (_is_done(runner, stage) and not _is_done(leaders[key][1], stage)):
                leaders[key] = job, runner
        return self._due([Job(job.label, job.recipe, until) for job, _ in leaders.values()])

    def _due(self, jobs: Sequence[Job]) -> list[Job]:
        def verdicts(job: Job) -> bool:
            runner = runner_of(job.recipe)
            plan = runner.plan_whole() if job.until is None else runner.plan(job.until)
            return any(verdict.reasons for verdict in plan)

        return [job for job in jobs if verdicts(job)]

    def _share(self, runs: Sequence[Job], stages: tuple[str, ...]) -> None:
        folders = [RunFolder(Path(job.recipe.output_dir)) for job in runs]
        for job in runs:
            share(Runner(job.recipe), folders, stages)

    def _matched(self, rows: Sequence[Row]) -> list[Row]:
        """With hidden sizes by which all have as many weights as the first."""
        from seq2seq.data.tokenization import load_tokenizers  # noqa: PLC0415  (loads torch)
        from seq2seq.pipeline.sweep.matching import count_parameters, matched  # noqa: PLC0415

        prepared: dict[str, Path] = {}
        for job in self._runs():
            runner = Runner(job.recipe)
            if _is_done(runner, "prepare"):
                prepared.setdefault(digest(runner.inputs["prepare"]), runner.folder.data)
        target, found = 0, []
        for row in rows:
            data = prepared.get(digest(_prepare_inputs(self._runs_of(row)[0].recipe)))
            if data is None:
                raise UserError(f"{row.label}: its data could not be prepared; see {self.folder / 'logs'}")
            if not target:
                target = count_parameters(row.recipe.model, load_tokenizers(data))
            recipe, count = matched(row.recipe, data, target)
            sizes = recipe.model.encoder.hidden_size, recipe.model.decoder.hidden_size
            off = 100 * (count - target) / target
            say(f"[match] {row.label}: hidden sizes {sizes[0]} and {sizes[1]}, {count:,} weights ({off:+.2f} %)")
            found.append(Row(row.label, recipe))
        return found


def _is_done(runner: Runner, stage: str) -> bool:
    return not runner.plan(stage)[-1].reasons


def _prepare_inputs(recipe: Recipe) -> Inputs:
    return Runner(recipe).inputs["prepare"]
