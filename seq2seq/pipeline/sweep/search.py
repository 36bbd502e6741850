"""A search: trials of a sweep's values, each chosen by the validation scores of those before; taken up again."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.console import say
from seq2seq.errors import UserError
from seq2seq.evaluation.search import Axis, SearchReport, TrialResult
from seq2seq.files import read_jsonl, write_json, write_text
from seq2seq.pipeline.lock import alone
from seq2seq.pipeline.sweep.carrying import finish, is_done, runners_of, train
from seq2seq.pipeline.sweep.choice import Space, Tried, check_optuna, next_values
from seq2seq.pipeline.sweep.grid import FILE, Row, check_folder, label_of, placed, settings_of, short_names, write_sweep
from seq2seq.pipeline.sweep.jobs import Workers
from seq2seq.pipeline.sweep.sweep import Finished
from seq2seq.recipe import Recipe
from seq2seq.recipe.file import load_recipe
from seq2seq.recipe.sweep import RangeConfig, SearchConfig, SweepConfig
from seq2seq.training.ranking import LOWER

TRIALS = "trials.json"
AS_IT_IS = "recipe"
"""Label and folder of the row in which nothing is searched for."""
INCOMPARABLE = ("loss", "perplexity", "accuracy")
"""Scores that count tokens: of another tokenizer they say nothing."""


@dataclass(frozen=True)
class Trial:
    """Values that are tried.

    Attributes:
        row: None: they do not fit the recipe's schema.
        fault: why they do not.
    """

    number: int
    values: Mapping[str, Any]
    label: str
    row: Row | None
    fault: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a training came to: the kept model's validation score (None: no number) and its time, means over seeds."""

    score: float | None
    seconds: float


class Search:
    """Trials, and the folder that holds their runs.

    Raises:
        UserError: optuna is missing; a key or all of its values do not fit the recipe; the folder is something else's.
    """

    def __init__(self, config: SweepConfig, search: SearchConfig) -> None:
        check_optuna()
        self.config, self.search, self.folder = config, search, Path(config.output_dir)
        check_folder(self.folder)
        several = {key: values for key, values in config.grid.items() if len(values) > 1}
        self.space: Space = {**several, **search.ranges}
        self.fixed = {key: values[0] for key, values in config.grid.items() if len(values) == 1}
        self.names = short_names(list(self.space))
        self.first = Row(AS_IT_IS, placed(self._recipe({}), AS_IT_IS, config))
        self.metric = self.first.recipe.training.early_stopping.metric
        self._check_values()
        self.trials = [self._trial(i, values) for i, values in enumerate(self._stored(), start=1)]
        rows = self._rows()
        self.outcomes: dict[str, Outcome] = {}
        if found := [obstacle for _, runner in runners_of(rows) if (obstacle := runner.obstacle())]:
            raise UserError("\n".join(found))
        self._look(rows)

    def plan(self) -> list[tuple[str, list[str]]]:
        """Each trial that is known, and whether its training is due; how many are still to be chosen."""
        known = [AS_IT_IS, *(trial.label for trial in self.trials if trial.row is not None)]
        left = self.search.trials - len(self.trials)
        more = [(f"{left} more trials", ["values to be chosen"])] if left > 0 else []
        return [(label, [] if label in self.outcomes else ["train"]) for label in known] + more

    def run(self, workers: Workers) -> Finished:
        """Train all trials; translate and score the test sets with the best model, and that of the recipe as it is.

        Raises:
            KeyboardInterrupt: it was asked to stop; every run has saved its work.
        """
        failed: dict[str, str] = {}
        with alone(self.folder):
            write_text(self.folder / FILE, write_sweep(self.config, self.folder))
            waiting = [trial for trial in self.trials if trial.label not in self.outcomes]
            rows = [] if AS_IT_IS in self.outcomes else [self.first]
            while rows or waiting or len(self.trials) < self.search.trials:
                batch, waiting = waiting[: workers.count] or self._choose(workers.count), waiting[workers.count :]
                for trial in batch:
                    say(f"[search] {trial.label} ({trial.number} of {self.search.trials})")
                rows += [trial.row for trial in batch if trial.row is not None]
                failed |= train(rows, workers, [row for row in self._rows() if row.label in self.outcomes])
                self._look(rows)
                rows = []
            report = self._report()
            chosen = [row for row in self._rows() if row.label in (AS_IT_IS, report.best)]
            whole = finish([row for row in chosen if row.label in self.outcomes], workers, failed)
        return Finished(whole, failed, report)

    def _choose(self, most: int) -> list[Trial]:
        """The next trials, which run side by side, noted in the folder."""
        found: list[Trial] = []
        for _ in range(min(most, self.search.trials - len(self.trials))):
            tried = [Tried(t.values, s) for t in self.trials if (s := self._score(t.label)) is not None]
            tried += [Tried(trial.values, None) for trial in found]
            number = len(self.trials) + 1
            values = next_values(self.space, tried, number, self.search.seed, self.metric in LOWER)
            found.append(self._trial(number, values))
            self.trials.append(found[-1])
        write_json(self.folder / TRIALS, {"trials": [dict(trial.values) for trial in self.trials]})
        return found

    def _trial(self, number: int, values: Mapping[str, Any]) -> Trial:
        label = f"trial-{number:03} {label_of(values, self.names)}"
        try:
            recipe = placed(self._recipe(values), f"trial-{number:03}", self.config)
        except UserError as error:
            return Trial(number, values, label, None, str(error).split("\n")[0])
        return Trial(number, values, label, Row(label, recipe))

    def _recipe(self, values: Mapping[str, Any]) -> Recipe:
        return load_recipe(self.config.recipe, settings_of({**self.fixed, **values}))

    def _check_values(self) -> None:
        """A key is wrong where the recipe takes none of its values, all others left as they are."""
        faults = []
        for key, of in self.space.items():
            told = [self._fault({key: value}) for value in ((of.low, of.high) if isinstance(of, RangeConfig) else of)]
            if all(told):
                faults.append(told[0])
            if self.metric in INCOMPARABLE and any(name.startswith("tokenizer") for name in key.split("+")):
                fix = "set training.early_stopping.metric to bleu, chrf or ter"
                faults.append(f"{key}: validation {self.metric} is not comparable between tokenizers; {fix}")
        if faults:
            raise UserError("\n".join(faults))

    def _fault(self, values: Mapping[str, Any]) -> str:
        try:
            self._recipe(values)
        except UserError as error:
            return str(error)
        return ""

    def _stored(self) -> list[Mapping[str, Any]]:
        """The values of the trials that were begun before."""
        path = self.folder / TRIALS
        if not path.exists():
            return []
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))["trials"]
            return [{key: one[key] for key in one} for one in stored]
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{path}: damaged; remove {self.folder} and search again") from None

    def _score(self, label: str) -> float | None:
        return self.outcomes[label].score if label in self.outcomes else None

    def _rows(self) -> list[Row]:
        return [self.first, *(trial.row for trial in self.trials if trial.row is not None)]

    def _look(self, rows: Sequence[Row]) -> None:
        """Note what has been trained."""
        self.outcomes |= {row.label: found for row in rows if (found := outcome(row, self.metric)) is not None}

    def _report(self) -> SearchReport:
        trials = [
            TrialResult(t.number, t.label, dict(t.values), score, self.outcomes[t.label].seconds)
            for t in self.trials
            if (score := self._score(t.label)) is not None
        ]
        axes = [Axis(key, self.names[key], of.log) for key, of in self.space.items() if isinstance(of, RangeConfig)]
        ranked = sorted(trials, key=lambda t: (t.score if self.metric in LOWER else -t.score, t.number))
        refused = {t.label: t.fault for t in self.trials if t.fault}
        return SearchReport(self.metric, self._score(AS_IT_IS), ranked, refused, axes)


def outcome(row: Row, metric: str) -> Outcome | None:
    """Of a row whose runs are all trained; None: they are not."""
    runners = [runner for _, runner in runners_of([row])]
    if not all(is_done(runner, "train") for runner in runners):
        return None
    logs = [read_jsonl(runner.folder.log) for runner in runners]
    score = statistics.fmean([record for record in log if record.get("best")][-1][metric] for log in logs)
    return Outcome(None if math.isnan(score) else score, statistics.fmean(log[-1]["seconds"] for log in logs))
