"""A sweep: a recipe, and the keys that take several values. A YAML file of its own, or words of the command line."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Faults, FileName, PathName, rule

OWN = ("seed", "seeds", "name", "output_dir")
MOST_POINTS = 1000


class SweepConfig(Config):
    """What `seq2seq sweep FILE` reads: the recipe's runs for every combination of the grid's values."""

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

    @rule
    def _has_keys_of_its_own(self) -> Faults:
        keys = [key for joined in self.grid for key in joined.split("+")]
        for key in keys:
            if key in OWN:
                yield f"grid.{key}", "a sweep sets this itself" + ("; use `seeds`" if key.startswith("seed") else "")
            if keys.count(key) > 1:
                yield f"grid.{key}", "is named twice; name each key once"
            if self.match is not None and key.endswith("hidden_size"):
                yield f"grid.{key}", "has no effect with match: parameters, which sets hidden sizes; remove one"
        points = 1
        for values in self.grid.values():
            points *= len(values)
            if len({json.dumps(value) for value in values}) < len(values):
                yield "grid", f"a value is named twice in {values}; name each once"
        if points > MOST_POINTS:
            yield "grid", f"{points:,} combinations; at most {MOST_POINTS:,} are run"

    @property
    def seed_list(self) -> list[int] | None:
        """The seeds; None: as the recipe says."""
        return list(range(1, self.seeds + 1)) if isinstance(self.seeds, int) else self.seeds
