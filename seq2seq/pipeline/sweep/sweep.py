"""A sweep: every row's runs, equal stages shared, side by side; taken up again where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.evaluation.search import SearchReport
from seq2seq.files import write_text
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.manifest import Inputs, digest
from seq2seq.pipeline.runner import Runner
from seq2seq.pipeline.sweep.carrying import finish, is_done, lead, prepare, runners_of, runs_of
from seq2seq.pipeline.sweep.grid import FILE, Row, check_folder, rows_of, write_sweep
from seq2seq.pipeline.sweep.jobs import Workers
from seq2seq.recipe import Recipe
from seq2seq.recipe.sweep import SweepConfig


@dataclass(frozen=True)
class Finished:
    """What a sweep has left.

    Attributes:
        rows: those whose runs have all ended well.
        failed: by label of a run, why it has not.
        search: what the trials have come to, where there were some.
    """

    rows: list[Row]
    failed: dict[str, str]
    search: SearchReport | None = None


class Sweep:
    """The rows of a grid and the folder that holds their runs.

    Raises:
        UserError: with every fault of every row.
    """

    def __init__(self, config: SweepConfig) -> None:
        self.config, self.folder = config, Path(config.output_dir)
        self.rows = rows_of(config)
        check_folder(self.folder)
        obstacles = [runner.obstacle() for _, runner in runners_of(self.rows)]
        found = [obstacle for obstacle in obstacles if obstacle]
        if found and config.match is None:  # matched rows have other sizes than these
            raise UserError("\n".join(found))

    def plan(self) -> list[tuple[str, list[str]]]:
        """Each run, and the stages of it that would run; equal ones once."""
        seen, found = set[str](), []
        for label, runner in runners_of(self.rows):
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
            failed = prepare(self.rows, workers)
            if self.config.match is not None:
                self.rows = self._matched(self.rows)
                failed |= prepare(self.rows, workers)
            failed |= lead(self.rows, workers)
            return Finished(finish(self.rows, workers, failed), failed)

    def _matched(self, rows: Sequence[Row]) -> list[Row]:
        """With hidden sizes by which all have as many weights as the first."""
        from seq2seq.data.tokenization import load_tokenizers  # noqa: PLC0415  (loads torch)
        from seq2seq.pipeline.sweep.matching import count_parameters, matched  # noqa: PLC0415

        prepared: dict[str, Path] = {}
        for _, runner in runners_of(rows):
            if is_done(runner, "prepare"):
                prepared.setdefault(digest(runner.inputs["prepare"]), runner.folder.data)
        target, found = 0, []
        for row in rows:
            data = prepared.get(digest(_prepare_inputs(runs_of(row)[0].recipe)))
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


def _prepare_inputs(recipe: Recipe) -> Inputs:
    return Runner(recipe).inputs["prepare"]
