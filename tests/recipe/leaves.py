"""Every leaf of the schema: its key, the kinds on the way to it, and other values that it may take."""

import itertools
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from seq2seq.recipe.base import Config, sections_of

Settings = dict[str, Any]
"""Values by dotted key."""
NUMBERS = [1, 2, 3, 5, 10, 0, 40, 100, 0.3, 0.9, 0.05, 1e-3, 300, 1500]
"""Tried in this order, as far as the schema takes them."""


@dataclass(frozen=True)
class Leaf:
    """A key that holds no section; or one that holds one of several, or none: then these are its values."""

    key: str
    chosen: Settings
    """What chooses the kinds of the sections that it is in."""
    values: list[Any] = field(compare=False)
    """That it might take: the schema may refuse some."""

    @property
    def name(self) -> str:
        """The key and the kinds on the way to it."""
        return " ".join(
            [self.key, *(next(iter(kind[0])) if isinstance(kind, list) else str(kind) for kind in self.chosen.values())]
        )


def leaves(config: type[Config], prefix: str = "", chosen: Settings | None = None) -> Iterator[Leaf]:
    """Those of a section and of all sections that may stand in it."""
    chosen = chosen or {}
    for name, of in config.model_fields.items():
        key, configs = prefix + name, sections_of(of.annotation)
        if key in chosen:
            continue
        if not configs:
            yield Leaf(key, chosen, list(values_of(of.annotation)))
            continue
        kinds = [(each, kind) for each in configs for kind in kinds_of(each)]
        listed = get_origin(of.annotation) is list
        if len(kinds) > 1 or type(None) in get_args(of.annotation):
            yield Leaf(key, chosen, [None, *({"kind": kind} if kind else {} for _, kind in kinds)])
        for each, kind in kinds:
            inside = f"{key}.0." if listed else f"{key}."
            yield from leaves(each, inside, chosen | ({} if kind is None else {f"{inside}kind": kind}))


def kinds_of(config: type[Config]) -> tuple[str | None, ...]:
    """What its `kind` may be; (None,) where it has none."""
    kind = config.model_fields.get("kind")
    return get_args(kind.annotation) if kind is not None else (None,)


def values_of(annotation: Any) -> Iterator[Any]:
    """Values of a type, whatever its bounds; of free text none."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from values_of(parts[0])
    elif origin is Literal:
        yield from parts
    elif origin in (Union, types.UnionType):
        yield from itertools.chain.from_iterable(map(values_of, parts))
    elif origin is list:
        inner = list(values_of(parts[0]))
        yield from ([value] for value in inner)
        yield from (list(pair) for pair in itertools.pairwise(inner))
    elif annotation is bool:
        yield from (True, False)
    elif annotation in (int, float):
        yield from (annotation(number) for number in NUMBERS if annotation(number) == number)
    elif annotation is type(None):
        yield None


def put(nested: dict[str, Any], settings: Settings) -> None:
    """Set dotted keys, whole sections first; sections that are not there, or are null, become dicts, and `0` a list."""
    for key, value in sorted(settings.items(), key=lambda item: item[0].count(".")):
        *sections, last = key.split(".")
        place: Any = nested
        for here, below in itertools.pairwise([*sections, last]):
            if isinstance(place, list):
                place = place[int(here)]
                continue
            if not isinstance(place.get(here), dict | list):
                place[here] = [{}] if below == "0" else {}
            place = place[here]
        place[last] = value
