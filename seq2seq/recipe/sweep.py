"""A sweep: a recipe, and the keys that take several values. A YAML file of its own, or words of the command line."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Count, Faults, FileName, PathName, rule

OWN = ("seed", "seeds", "name", "output_dir")
DECIDES = "training.early_stopping.metric"
"""The key of a recipe by whose metric trials are compared."""
MOST_POINTS = 1000

Number = Annotated[int | float, Field(ge=-1e9, le=1e9)]


class RangeConfig(Config):
    """Numbers that a search chooses from: whole ones where both ends are."""

    low: Number
    """The smallest."""
    high: Number
    """The largest."""
    log: bool = False
    """As many below as above the geometric mean: for learning rates and the like."""
    step: Annotated[int | float, Field(gt=0, le=1e9)] | None = None
    """Only low, low + step, low + 2 step ..."""

    @rule
    def _is_a_range(self) -> Faults:
        if self.low >= self.high:
            yield "high", f"must be above low, {self.low}"
        if self.log and self.low <= 0:
            yield "low", "must be above 0 with log"
        if self.log and self.step is not None:
            yield "step", "has no effect with log; remove one"
        if self.is_whole and self.step is not None and self.step != int(self.step):
            yield "step", f"must be whole, as {self.low} and {self.high} are; or write {self.low}.0"

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class SearchConfig(Config):
    """A search instead of all combinations: each trial's values are chosen by what those before it came to."""

    trials: Annotated[int, Field(ge=2, le=MOST_POINTS)]
    """Trainings, besides that of the recipe as it is; with several seeds, each is one for every seed."""
    seed: Count = 1
    """Of the choices."""
    ranges: Annotated[dict[str, RangeConfig], Field(max_length=50)] = {}
    """By recipe key, the numbers that it may take; of the keys of `grid`, one of their values is chosen."""


class SweepConfig(Config):
    """What `seq2seq sweep FILE` reads: the recipe's runs for every combination of the grid's values, or for some."""

    recipe: PathName
    """The recipe's file, counted from the sweep's."""
    name: FileName = "sweep"
    """Default: the file's name."""
    output_dir: PathName = ""
    """The sweep's folder, counted from where the command is run. Default: sweeps/NAME."""
    grid: Annotated[dict[str, Annotated[list[Any], Field(min_length=1, max_length=100)]], Field(max_length=50)] = {}
    """By recipe key, its values; several keys joined by + take the same value together."""
    seeds: Annotated[int, Field(ge=1, le=100)] | Annotated[list[int], Field(min_length=1, max_length=100)] | None = None
    """A number N: the seeds 1 to N; or the seeds. Default: as the recipe says."""
    match: Literal["parameters"] | None = None
    """`parameters`: scale hidden sizes so that all models have as many weights as the first, within 1 %."""
    search: SearchConfig | None = None
    """Some of the combinations instead of all, chosen by their validation scores."""

    @rule
    def _has_keys_of_its_own(self) -> Faults:
        places = [("grid", joined) for joined in self.grid] + [("search.ranges", joined) for joined in self.ranges]
        keys = [(where, key) for where, joined in places for key in joined.split("+")]
        names = [key for _, key in keys]
        for where, key in keys:
            if key in OWN:
                yield f"{where}.{key}", "a sweep sets this itself" + ("; use `seeds`" if key.startswith("seed") else "")
            if names.count(key) > 1:
                yield f"{where}.{key}", "is named twice; name each key once"
            if self.match is not None and key.endswith("hidden_size"):
                yield f"{where}.{key}", "has no effect with match: parameters, which sets hidden sizes; remove one"
        for values in self.grid.values():
            if len({json.dumps(value) for value in values}) < len(values):
                yield "grid", f"a value is named twice in {values}; name each once"

    @rule
    def _can_be_run(self) -> Faults:
        points = 1
        for values in self.grid.values():
            points *= len(values)
        if self.search is None:
            if points > MOST_POINTS:
                yield (
                    "grid",
                    f"{points:,} combinations; at most {MOST_POINTS:,} are run; search: {{trials: 20}} tries some",
                )
            return
        if self.match is not None:
            yield "match", "cannot be kept in a search; remove one of them"
        if len(self.grid.get(DECIDES, [])) > 1:
            yield f"grid.{DECIDES}", "trials are compared by this metric; give it one value"
        if not self.ranges and points <= self.search.trials:
            yield "search.trials", f"there are only {points:,} combinations; leave the search out, and all are run"

    @property
    def ranges(self) -> dict[str, RangeConfig]:
        """Of the search."""
        return {} if self.search is None else self.search.ranges

    @property
    def seed_list(self) -> list[int] | None:
        """The seeds; None: as the recipe says."""
        return list(range(1, self.seeds + 1)) if isinstance(self.seeds, int) else self.seeds
