"""From a YAML file and command-line overrides to a checked `Recipe`; every error says file, line, key and fix."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.errors import MissingFile, UserError
from seq2seq.recipe import AnyCell, Config, DecodingConfig, Recipe, RunTokenizerConfig, StackConfig
from seq2seq.recipe.errors import checked, dotted
from seq2seq.recipe.reader import (
    MAX_DEPTH,
    KeyPath,
    Place,
    Source,
    read_file,
    shown,
    shown_text,
    variables_left_to_default,
    write_yaml,
)
from seq2seq.recipe.start import model_of, started_from


def load_recipe(recipe: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        recipe: a YAML file; a run folder, which holds its recipe; or the recipe's keys, whose paths count from the
            current folder.
        overrides: `key.path=value` settings from the command line, each value in YAML.

    Raises:
        UserError: the file cannot be read, is not YAML, or does not fit the schema; one line for each fault.
    """
    if isinstance(recipe, Mapping):
        source, folder = Source(Path("recipe"), copy.deepcopy(dict(recipe))), Path.cwd()
    elif Path(recipe).is_dir():
        source, folder = _of_run_folder(Path(recipe)), Path(recipe).resolve()
    else:
        source, folder = read_file(Path(recipe)), Path(recipe).resolve().parent
    for i, override in enumerate(overrides):
        _override(source, override, i)
    _take_model(source, folder)
    return _with_absolute_paths(checked(Recipe, source), folder)


def _take_model(source: Source, folder: Path) -> None:
    """Where training starts from another run, and no `model` is written, it is that run's."""
    start = started_from(source.data)
    if start is not None and "model" not in source.data:
        try:
            source.data["model"] = model_of(_absolute(start, folder))[0].model_dump()
        except UserError as error:
            raise UserError(f"{source.place(('training', 'start_from')).text}: {error}") from None
        except (OSError, ValueError):  # no name of a file: the schema tells
            pass


@contextlib.contextmanager
def naming_variables(recipe: str | Path | Mapping[str, Any]) -> Iterator[None]:
    """Where data is missing, name the variables by which the recipe would have looked elsewhere."""
    try:
        yield
    except MissingFile as error:
        names = [] if isinstance(recipe, Mapping) else variables_left_to_default(Path(recipe))
        examples = [f"{name}=folder seq2seq ..." for name in names]
        raise UserError("; set what the recipe reads from the environment: ".join([str(error), *examples])) from None


def _of_run_folder(folder: Path) -> Source:
    if not (folder / "recipe.yaml").exists():
        raise UserError(f"{folder}: not a run folder (it has no recipe.yaml)")
    source = read_file(folder / "recipe.yaml")
    source.data["output_dir"] = str(folder)  # it may have been moved
    source.forget(("output_dir",))
    return source


def read_cell(text: str, place: str) -> AnyCell:
    """A cell as a recipe would name it: `gru`, or `{kind: gru, reset: before}`.

    Args:
        place: where it was written, for errors.

    Raises:
        UserError: there is no such cell.
    """
    source = Source(Path(place))
    source.data = {"cell": source.read(text, ("cell",), Place(0, place))}
    return checked(StackConfig, source).cell


class _Decoding(Config):
    """What of a trained model's recipe can still be set."""

    decoding: DecodingConfig


def override_decoding(config: DecodingConfig, overrides: Sequence[str] | Mapping[str, Any]) -> DecodingConfig:
    """A trained model's `decoding` with some of its keys changed.

    Args:
        overrides: `decoding.KEY=value` settings from the command line; or keys and values, from Python.

    Raises:
        UserError: they are none of `decoding`, or do not fit the schema.
    """
    source = Source(Path("decoding"))
    source.data = {"decoding": config.model_dump()}
    if isinstance(overrides, Mapping):
        keys = list(overrides)
        for key, value in overrides.items():
            source.data["decoding"][key] = copy.deepcopy(value)
            source.places["decoding", key] = Place(0, f"{key}={shown(value)}")
    else:
        keys = [override.removeprefix("decoding.").partition("=")[0].partition(".")[0] for override in overrides]
        for i, override in enumerate(overrides):
            if not override.startswith("decoding."):
                raise UserError(f"{shown_text(override)}: of a trained model only keys of decoding can be set, as in "
                                "decoding.beam_size=10; to train another, name the recipe's YAML file")  # fmt: skip
            _override(source, override, i)
    if source.data["decoding"]["beam_size"] == 1 and "length_penalty" not in keys:  # it has no effect any more
        source.data["decoding"]["length_penalty"] = {"kind": "none"}
    return checked(_Decoding, source).decoding


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out; reading it back gives the same recipe."""
    return write_yaml(recipe.model_dump())


def _override(source: Source, text: str, number: int) -> None:
    """Set one `key.path=value` from the command line."""
    name, equals, value = text.partition("=")
    place = Place(10**6 + number, f"command line ({shown_text(text)})")
    parts = name.split(".")
    if not equals or "" in parts or name.startswith("-") or len(parts) > MAX_DEPTH:
        raise UserError(f"{place.text}: settings have the form key.path=value, as in training.max_epochs=3")
    data = source.data.get("data")
    if parts[:3] == ["data", "train", "0"] and isinstance(data, dict) and isinstance(data.get("train"), dict):
        del parts[2]  # a single source may be written without a list
    config: Any = {"": source.data}
    step: str | int = ""
    key: KeyPath = ()
    for part in parts:
        config, step = config[step], part
        if isinstance(config, list):
            if not part.isdecimal() or int(part) >= len(config):
                what = f"{len(config)} entries, counted from 0, and no {shown(part)}"
                raise UserError(f"{place.text}: {dotted(key)} has {what}")
            step = int(part)
        elif not isinstance(config, dict):
            what = f"{dotted(key)} is {shown(config)} and holds no keys"
            if isinstance(config, str):
                what += f"; where that is a kind, set {dotted(key)}={{kind: {shown_text(config)}, {part}: ...}}"
            raise UserError(f"{place.text}: {what}")
        elif part not in config:
            config[part], source.places[(*key, part)] = {}, place
        key = (*key, step)
    source.forget(key)
    config[step] = source.read(value, key, place)
    source.places[key] = place


def _with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    """Data paths count from the recipe's folder; from here on they are absolute."""

    def absolute(path: str) -> str:
        return _absolute(path, folder)

    data = recipe.data
    data = data.model_copy(
        update={
            "train": [source.located(absolute) for source in data.train],
            "valid": data.valid.located(absolute),
            "test": {name: source.located(absolute) for name, source in data.test.items()},
        }
    )
    tokenizer = recipe.tokenizer
    if isinstance(tokenizer, RunTokenizerConfig):
        tokenizer = tokenizer.model_copy(update={"run": absolute(tokenizer.run)})
    embedding = recipe.model.embedding
    vectors = {side: getattr(embedding, side) for side in ("src_vectors", "tgt_vectors")}
    found = {side: absolute(path) for side, path in vectors.items() if path is not None}
    model = recipe.model.model_copy(update={"embedding": embedding.model_copy(update=found)}) if found else recipe.model
    decoding, located = recipe.decoding, dict[str, Any]()
    if isinstance(decoding.glossary, str):
        located["glossary"] = absolute(decoding.glossary)
    if decoding.language_model is not None:
        run = absolute(decoding.language_model.run)
        located["language_model"] = decoding.language_model.model_copy(update={"run": run})
    if decoding.rescore:
        runs = [each.model_copy(update={"run": absolute(each.run)}) for each in decoding.rescore]
        located["rescore"] = runs
    decoding = decoding.model_copy(update=located)
    training = recipe.training
    if training.start_from is not None:
        training = training.model_copy(update={"start_from": absolute(training.start_from)})
    sections: dict[str, Any] = {"tokenizer": tokenizer, "model": model, "training": training, "decoding": decoding}
    if recipe.evaluation.comet is not None:
        comet = absolute(recipe.evaluation.comet)
        sections["evaluation"] = recipe.evaluation.model_copy(update={"comet": comet})
    return recipe.model_copy(update={"data": data, **sections})


def _absolute(path: str, folder: Path) -> str:
    """A path that counts from the recipe's folder; names of models on the hub are left as they are."""
    return path if path.startswith("hf:") else os.path.normpath(folder / os.path.expanduser(path))
