"""Rows of a sweep carried out: what is equal once, the rest side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seq2seq.pipeline.manifest import digest
from seq2seq.pipeline.runner import Runner
from seq2seq.pipeline.seeds import SeedsRunner, of_seed, runner_of
from seq2seq.pipeline.sharing import share
from seq2seq.pipeline.sweep.grid import Row
from seq2seq.pipeline.sweep.jobs import Job, Workers
from seq2seq.run_folder import RunFolder


def runs_of(*rows: Row) -> list[Job]:
    """The rows' single runs."""
    found = []
    for row in rows:
        seeds = row.recipe.seeds
        alone = [Job(row.label, row.recipe)]
        found += alone if seeds is None else [Job(f"{row.label} seed {k}", of_seed(row.recipe, k)) for k in seeds]
    return found


def runners_of(rows: Sequence[Row]) -> list[tuple[str, Runner]]:
    """What carries out each run."""
    return [(job.label, Runner(job.recipe)) for job in runs_of(*rows)]


def prepare(rows: Sequence[Row], workers: Workers, beside: Sequence[Row] = ()) -> dict[str, str]:
    """Prepare the data, once for all rows for which they are the same; returns by label why runs have failed.

    Args:
        beside: rows that ran before, which may have made what these need.
    """
    for row in rows:
        if row.recipe.seeds is not None:
            SeedsRunner(row.recipe, row.recipe.seeds).start()
    runs = runs_of(*rows)
    _share(runs, runs_of(*beside), ("prepare",))
    failed = workers.run(_leaders(runs, "prepare", until="prepare"), "prepare")
    _share(runs, (), ("prepare",))
    return failed


def lead(rows: Sequence[Row], workers: Workers, until: str | None = None, beside: Sequence[Row] = ()) -> dict[str, str]:
    """Of rows that have a training in common, carry out one, whose model the others then take over.

    Args:
        until: a stage; None: all that the recipe asks for.
    """
    runs = runs_of(*rows)
    _share(runs, runs_of(*beside), ("prepare", "train"))
    failed = workers.run(_leaders(runs, "train", until), "run")
    _share(runs, (), ("prepare", "train"))
    return failed


def train(rows: Sequence[Row], workers: Workers, beside: Sequence[Row]) -> dict[str, str]:
    """Prepare data and train, and nothing more."""
    failed = prepare(rows, workers, beside) | lead(rows, workers, "train", beside)
    left = [Job(job.label, job.recipe, "train") for job in runs_of(*rows) if job.label not in failed]
    return failed | workers.run(_due(left), "run")


def finish(rows: Sequence[Row], workers: Workers, failed: dict[str, str]) -> list[Row]:
    """Do what is left, and put several seeds' runs together; returns the rows that are whole.

    Args:
        failed: runs that are left alone; others that fail are added.
    """
    failed |= workers.run(_due([job for job in runs_of(*rows) if job.label not in failed]), "run")
    whole = [row for row in rows if not any(job.label in failed for job in runs_of(row))]
    together = [Job(f"{row.label}, all seeds", row.recipe) for row in whole if row.recipe.seeds is not None]
    failed |= workers.run(_due(together), "seeds")
    return [row for row in whole if f"{row.label}, all seeds" not in failed]


def is_done(runner: Runner, stage: str) -> bool:
    """Whether a stage is up to date."""
    return not runner.plan(stage)[-1].reasons


def _leaders(runs: Sequence[Job], stage: str, until: str | None) -> list[Job]:
    """Of runs that have a stage in common, the one that has done it or is to do it; those with something to do."""
    leaders: dict[str, tuple[Job, Runner]] = {}
    for job in runs:
        runner = Runner(job.recipe)
        key = digest(runner.inputs[stage])
        if key not in leaders or (is_done(runner, stage) and not is_done(leaders[key][1], stage)):
            leaders[key] = job, runner
    return _due([Job(job.label, job.recipe, until) for job, _ in leaders.values()])


def _due(jobs: Sequence[Job]) -> list[Job]:
    def verdicts(job: Job) -> bool:
        runner = runner_of(job.recipe)
        plan = runner.plan_whole() if job.until is None else runner.plan(job.until)
        return any(verdict.reasons for verdict in plan)

    return [job for job in jobs if verdicts(job)]


def _share(runs: Sequence[Job], beside: Sequence[Job], stages: tuple[str, ...]) -> None:
    folders = [RunFolder(Path(job.recipe.output_dir)) for job in (*runs, *beside)]
    for job in runs:
        share(Runner(job.recipe), folders, stages)
