"""What a stage is: a name, the stages it needs, the inputs that its results depend on, and its work."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from seq2seq.pipeline.manifest import Inputs, Manifest
from seq2seq.recipe import Recipe
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:  # torch is loaded when a stage runs, not when one is planned
    from seq2seq.distributed import Processes


@dataclass(frozen=True)
class Context:
    """What a stage works with."""

    recipe: Recipe
    folder: RunFolder
    inputs: dict[str, Inputs]
    """Of each stage."""
    manifest: Manifest
    """Of the stages that have run."""
    processes: Processes
    """Those that train; the first one does all the rest alone."""


class Stage(ABC):
    """A part of a run whose results are kept and made again only when their inputs have changed."""

    name: str
    needs: Sequence[str] = ()
    """Stages whose results this one reads, directly or by way of others; each stands before it in `STAGES`."""
    code_version: int
    """Raised when the results change for the same inputs, so that older ones are made again."""
    distributed: bool = False
    """Whether the other processes of torchrun take part, by `help`."""

    @abstractmethod
    def inputs(self, recipe: Recipe) -> Inputs:
        """All that the results depend on besides the stages needed: recipe keys, contents of data files."""

    @abstractmethod
    def run(self, context: Context) -> list[Path]:
        """Do the work; returns the files and folders that it made."""

    def mismatches(self, recipe: Recipe, folder: RunFolder) -> list[str]:
        """What in the folder was changed since, on purpose, and is not as the recipe says."""
        return []

    def help(self, context: Context) -> None:
        """What all processes but the first do while a distributed stage runs."""
        raise NotImplementedError


def flatten(key: str, config: BaseModel) -> Inputs:
    """A section as dotted keys and JSON values."""
    result: Inputs = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{prefix}.{name}", inner)
        else:
            result[prefix] = json.dumps(value, ensure_ascii=False)

    walk(key, config.model_dump())
    return result
