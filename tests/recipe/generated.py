"""Recipes drawn at random from the schema: every key, every kind, every bound."""

import random
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt, MinLen
from pydantic.fields import FieldInfo

from seq2seq import recipe
from seq2seq.recipe.base import Config

TEXTS = {
    "src": ["en", "pt_BR", "zh-Hant"], "tgt": ["de", "no", "sr-Latn"], "name": ["x", "1e3", "run_2.1-b"],
    "budget": ["90s", "20m", "1.5h"], "files": ["a.{lang}", ["a b.en", "ü.de"]], "kind": ["a_module:ACell"],
    "license": ["mit", "cc-by-4.0"],
}  # fmt: skip
"""Of keys whose text has a form."""
ODD = ["plain", "no", "1e3", "null", "ü: #", " ' \" ", "a\tb", "2021-05-02", "~", "0x1F", "- x"]
"""Texts that YAML must put into quotes."""


def draw(rng: random.Random, annotation: Any, metadata: tuple[Any, ...], key: str) -> Any:  # noqa: PLR0911
    """A value of this type within its bounds, as YAML would hold it."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return draw(rng, inner, (*metadata, *more), key)
    if origin is Literal:
        return rng.choice(get_args(annotation))
    if origin in (Union, types.UnionType):
        return draw(rng, rng.choice(get_args(annotation)), metadata, key)
    if origin is list:
        few = rng.randint(1, 3) if any(isinstance(m, MinLen) for m in metadata) else rng.randint(0, 3)
        return [draw(rng, get_args(annotation)[0], (), key) for _ in range(few)]
    if origin is tuple:
        return [draw(rng, part, (), key) for part in get_args(annotation) if part is not Ellipsis]
    if origin is dict:
        return {}
    if annotation in (None, type(None)):
        return None
    if annotation is bool:
        return rng.random() < 0.5
    if annotation in (int, float):
        return number(rng, annotation, metadata)
    if annotation is str:
        return rng.choice(TEXTS.get(key, ODD))
    return section(rng, annotation)


def number(rng: random.Random, kind: type, metadata: tuple[Any, ...]) -> float:
    """Often small, now and then at a bound."""
    low, high = 0.0, 10.0**9
    for each in (part for m in metadata for part in (m if isinstance(m, Interval) else [m])):
        for bound in each.metadata if isinstance(each, FieldInfo) else [each]:
            low = bound.ge if isinstance(bound, Ge) else bound.gt if isinstance(bound, Gt) else low
            high = bound.le if isinstance(bound, Le) else bound.lt if isinstance(bound, Lt) else high
    if kind is int:
        return rng.choice([int(low) + 1, int(high), rng.randint(int(low), min(int(high), int(low) + 20))])
    return rng.choice([low + (high - low) * 1e-7, low + (min(high, low + 10) - low) * round(rng.random(), 3)])


def section(rng: random.Random, config: type[Config], chance: float = 0.3) -> dict[str, Any]:
    """Some of a section's keys; those without a default always."""
    return {
        name: draw(rng, field.annotation, tuple(field.metadata), name)
        for name, field in config.model_fields.items()
        if field.is_required() or name == "kind" or rng.random() < chance
    }


def recipe_of(seed: int) -> dict[str, Any]:
    """A recipe of random keys, most of which fit the schema and break one of its rules."""
    rng = random.Random(seed)
    parts = {name: field for name, field in recipe.Recipe.model_fields.items() if name not in ("name", "data")}
    drawn: dict[str, Any] = {"name": rng.choice(TEXTS["name"])}
    builtin = {"builtin": "cldr"}
    drawn["data"] = {"src": "en", "tgt": "de", "train": builtin, "valid": builtin, "test": {"a": builtin}}
    for name in dict.fromkeys([rng.choice(["model", "training"]), rng.choice(sorted(parts))]):
        drawn[name] = one_path(rng, parts[name].annotation, tuple(parts[name].metadata), name)
    return drawn


def one_path(rng: random.Random, annotation: Any, metadata: tuple[Any, ...], key: str) -> Any:
    """A value; of a section one or two keys alone, so that few rules are at stake."""
    configs = recipe.base.sections_of(annotation)
    if not configs:
        return draw(rng, annotation, metadata, key)
    config = rng.choice(configs)
    fields = config.model_fields
    chosen = rng.sample(sorted(fields), min(len(fields), rng.randint(1, 2)))
    needed = [name for name, field in fields.items() if field.is_required() or name == "kind"]
    return {
        name: one_path(rng, fields[name].annotation, tuple(fields[name].metadata), name)
        for name in dict.fromkeys([*needed, *chosen])
    }
