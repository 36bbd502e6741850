"""From a sweep's grid to its rows: recipes, each with a short label, and all that is wrong with any of them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.errors import UserError
from seq2seq.recipe import Recipe
from seq2seq.recipe.errors import checked
from seq2seq.recipe.file import load_recipe
from seq2seq.recipe.reader import Source, read_file, shown_text, write_yaml
from seq2seq.recipe.sweep import SweepConfig

FILE = "sweep.yaml"
MOST_FAULTS = 20


@dataclass(frozen=True)
class Row:
    """A combination of the grid's values.

    Attributes:
        label: what sets it apart, such as `cell=gru layers=2`.
        recipe: with a folder of its own in the sweep's.
    """

    label: str
    recipe: Recipe


def read_sweep(path: Path, settings: Sequence[str], more: dict[str, Any]) -> SweepConfig:
    """A sweep from a file of its own, a sweep's folder, or a recipe; and words of the command line.

    Args:
        settings: `KEY=VALUE,VALUE,...` or, in a search, `KEY={low: NUMBER, high: NUMBER}`; these replace what the
            file has for that key.
        more: other keys, which replace those of the file; of `search`, the keys that it holds.

    Raises:
        UserError: it cannot be read or does not fit the schema.
    """
    path = path / FILE if path.is_dir() and (path / FILE).exists() else path
    if path.is_dir():
        raise UserError(f"{path}: neither a sweep's folder nor a file; name a recipe's or a sweep's YAML file")
    source = read_file(path)
    if "recipe" not in source.data:
        source = Source(path, {"recipe": str(path.absolute()), "name": path.stem})
    elif isinstance(source.data["recipe"], str):
        source.data["recipe"] = str(path.absolute().parent / source.data["recipe"])
        source.data.setdefault("name", path.stem)
    before = source.data.get("search")
    source.data |= more
    if isinstance(before, dict) and isinstance(trials := more.get("search"), dict):
        source.data["search"] = before | trials
    for text in settings:
        _take(source, text)
    config = checked(SweepConfig, source)
    return config.model_copy(update={"output_dir": config.output_dir or f"sweeps/{config.name}"})


def _take(source: Source, text: str) -> None:
    """A word of the command line."""
    key, equals, values = text.partition("=")
    if not equals or not key:
        raise UserError(f"{shown_text(text)}: a sweep's settings have the form key.path=value,value,...")
    search = source.data.get("search")
    ranges = search.setdefault("ranges", {}) if isinstance(search, dict) else None
    grid = source.data.setdefault("grid", {})
    for of in (grid, ranges):
        if isinstance(of, dict):
            of.pop(key, None)
    read = [source.read(part, ("grid", key)) for part in split_values(values)]
    if not (isinstance(read[0], dict) and {"low", "high"} & read[0].keys()):
        if isinstance(grid, dict):
            grid[key] = read
    elif search is None:
        raise UserError(f"{shown_text(text)}: a range is for a search; add --trials N, or list the values")
    elif isinstance(ranges, dict):
        ranges[key] = source.read(values, ("search", "ranges", key))


def split_values(text: str) -> list[str]:
    """At the commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "[{(":
            depth += 1
        elif c in ")}]":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += c
    return parts


def rows_of(config: SweepConfig) -> list[Row]:
    """The sweep's rows, the last key's values changing fastest.

    Raises:
        UserError: some combinations do not fit the recipe's schema: with every fault, and the rows that have it.
    """
    rows: list[Row] = []
    faults: dict[str, list[str]] = {}
    names = short_names([key for key, values in config.grid.items() if len(values) > 1])
    for values in itertools.product(*config.grid.values()):
        point = dict(zip(config.grid, values, strict=True))
        label = label_of(point, names)
        try:
            recipe = load_recipe(config.recipe, settings_of(point))
        except UserError as error:
            for line in str(error).split("\n"):
                faults.setdefault(line, []).append(label)
            continue
        rows.append(Row(label or recipe.name, placed(recipe, _folder(label, rows), config)))
    if faults:
        lines = [f"{fault} ({_which(labels)})" for fault, labels in faults.items()]
        lines = [*lines[:MOST_FAULTS], *([f"and {len(lines) - MOST_FAULTS} more"] if lines[MOST_FAULTS:] else [])]
        raise UserError("\n".join(lines))
    return rows


def write_sweep(config: SweepConfig, folder: Path) -> str:
    """The text of a sweep's file in its folder: the same sweep from wherever it is read."""
    return write_yaml(config.model_dump() | {"recipe": str(Path(config.recipe).absolute()), "output_dir": str(folder)})


def label_of(point: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What sets a row apart, by the short names of its keys; others are left out."""
    return " ".join(f"{names[key]}={_text(value)}" for key, value in point.items() if key in names)


def settings_of(point: Mapping[str, Any]) -> list[str]:
    """As of a command line."""
    return [f"{key}={_yaml(value)}" for joined, value in point.items() for key in joined.split("+")]


def placed(recipe: Recipe, folder: str, config: SweepConfig) -> Recipe:
    """The recipe with the sweep's seeds, in a folder of its own below the sweep's."""
    update: dict[str, Any] = {"name": folder, "output_dir": str(Path(config.output_dir) / folder)}
    seeds = config.seed_list
    if seeds is not None:
        update |= {"seed": seeds[0], "seeds": None} if len(seeds) == 1 else {"seed": 1, "seeds": seeds}
    return recipe.model_copy(update=update)


def check_folder(folder: Path) -> None:
    """Raises UserError where a folder holds something else than a sweep."""
    others = [path for path in folder.glob("*") if not path.name.startswith(".")] if folder.exists() else []
    if others and not (folder / FILE).exists():
        raise UserError(f"{folder} exists and is not a sweep's folder; name another with --output")


def _folder(label: str, before: Sequence[Row]) -> str:
    """A name for a row's folder that no other has."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.")[:60] or "run"
    taken = {Path(row.recipe.output_dir).name for row in before}
    return next(one for i in itertools.count(1) if (one := name if i == 1 else f"{name}-{i}") not in taken)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """By key, as many of its last words as tell it from the others."""
    lasts = {key: key.split("+")[-1].split(".") for key in keys}
    found = {}
    for key, words in lasts.items():
        others = [other for name, other in lasts.items() if name != key]
        count = next(
            n for n in range(1, len(words) + 1) if n == len(words) or words[-n:] not in [o[-n:] for o in others]
        )
        found[key] = ".".join(words[-count:])
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else re.sub(r'[" ]', "", _yaml(value))


def _yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _which(labels: Sequence[str]) -> str:
    shown = ", ".join(label or "the recipe" for label in labels[:3])
    return f"{shown}, and {len(labels) - 3} more" if len(labels) > 3 else shown
