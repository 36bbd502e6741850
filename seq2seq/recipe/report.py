"""The section `report`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seq2seq.recipe.base import Config, Faults, PathName, rule


class ReportConfig(Config):
    """What the run's page tells besides the run itself."""

    compare_to: Annotated[list[PathName], Field(max_length=20)] = []
    """Other run folders, counted from where the command is run: the page shows their scores beside this run's, with
    paired significance tests, on the test sets that all have translated."""

    license: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=50)] = "unknown"
    """The model's licence in its card (model/README.md), by Hugging Face's identifier: apache-2.0, cc-by-4.0, ..."""

    @rule
    def _each_once(self) -> Faults:
        if len(set(self.compare_to)) != len(self.compare_to):
            yield "compare_to", "a run is named twice; name each once"
