"""From a YAML file and command-line overrides to a checked `Recipe`; every error says file, line, key and mend."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from seq2seq.errors import UserError
from seq2seq.recipe import AnySource, FilesSource, HubSource, JsonlSource, Recipe, TsvSource, source_kind, suggestion

KeyPath = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's plain scalars: `no` is a string (Norwegian), `1e-3` a number."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
]:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


@dataclass
class _Source:
    """Recipe text on its way to a Recipe: plain data, and where each key was written."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, key: KeyPath) -> str:
        """`file:line` of the key, or of the nearest section around it."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key, str(self.path))


def load_recipe(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: the YAML file.
        overrides: `key.path=value` settings from the command line, each value in YAML.

    Raises:
        UserError: the file cannot be read, is not YAML, or does not fit the schema; one line for each mistake.
    """
    path = Path(path)
    source = _Source(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe; see recipes/ for examples") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; name the recipe's YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    tree = _parse(source, text, str(path))
    if tree is None or not isinstance(tree, yaml.MappingNode):
        raise UserError(f"{path}: a recipe is a mapping of keys (name, data, ...); this file has none")
    source.data = _build(source, tree, (), "")
    for override in overrides:
        _override(source, override)
    try:
        recipe = Recipe.model_validate(source.data)
    except ValidationError as error:
        raise UserError("\n".join(_explain_all(source, error))) from None
    return _with_absolute_paths(recipe, path.resolve().parent)


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out; reading it back gives the same recipe."""
    return yaml.safe_dump(recipe.model_dump(), sort_keys=False, allow_unicode=True, width=120)


def _parse(source: _Source, text: str, place: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{place}:{mark.line + 1}" if mark else place
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise UserError(f"{where}: not valid YAML: {problem}; check the indentation and the colons") from None


def _build(source: _Source, node: yaml.Node, key: KeyPath, place: str) -> Any:
    """Plain data from a YAML node, `${NAME}` filled in, each key's line noted."""
    source.places[key] = place or f"{source.path}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value)
            line = place or f"{source.path}:{name_node.start_mark.line + 1}"
            if name in result:
                raise UserError(f"{line}: {dotted((*key, name))}: this key stands twice; remove one")
            result[name] = _build(source, value_node, (*key, name), place)
            source.places[(*key, name)] = line
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(source, item, (*key, i), place) for i, item in enumerate(node.value)]
    return _scalar(source, node, key)


def _scalar(source: _Source, node: yaml.Node, key: KeyPath) -> Any:
    text = str(node.value)
    filled = re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}", lambda m: _variable(source, m, key), text)
    tag = node.tag
    if filled != text and getattr(node, "style", None) is None:
        tag = str(_Loader("").resolve(yaml.ScalarNode, filled, (True, False)))  # type: ignore[no-untyped-call]
    try:
        return _Loader("").construct_object(yaml.ScalarNode(tag, filled, node.start_mark, node.end_mark), deep=True)
    except yaml.YAMLError as error:
        raise UserError(
            f"{source.place(key)}: {dotted(key)}: {getattr(error, 'problem', error)}; recipes hold plain values only"
        ) from None


def _variable(source: _Source, match: re.Match[str], key: KeyPath) -> str:
    name, default = match.group(1), match.group(2)
    value = os.environ.get(name) or default
    if value is None:
        raise UserError(
            f"{source.place(key)}: {dotted(key)}: the environment variable {name} is not set; "
            f"set it, or give a default: ${{{name}:-default}}"
        )
    return value


def _override(source: _Source, text: str) -> None:
    """Set one `key.path=value` from the command line."""
    name, equals, value = text.partition("=")
    place = f"command line ({text})"
    if not equals or not name or name.startswith("-"):
        raise UserError(f"{place}: settings have the form key.path=value, as in training.max_epochs=3")
    key: KeyPath = tuple(int(part) if part.isdigit() else part for part in name.split("."))
    if key[:3] == ("data", "train", 0) and isinstance(source.data.get("data", {}).get("train"), dict):
        key = (*key[:2], *key[3:])  # a single source may be written without a list
    node = _parse(source, value, place)
    section: Any = source.data
    for depth, part in enumerate(key[:-1]):
        if isinstance(section, list) and isinstance(part, int) and part < len(section):
            section = section[part]
            continue
        if not isinstance(section, dict):
            raise UserError(f"{place}: {dotted(key[:depth])} holds no keys")
        section = section.setdefault(str(part), {})
    if not isinstance(section, dict):
        raise UserError(f"{place}: {dotted(key[:-1])} holds no keys")
    section[str(key[-1])] = None if node is None else _build(source, node, key, place)
    source.places[key] = place


def _explain_all(source: _Source, errors: ValidationError) -> list[str]:
    """Each mistake as `file:line: key: what; mend`; one a key (a union of types would report one a type)."""
    lines: dict[KeyPath, str] = {}
    for error in errors.errors():
        key, value = _written_path(source.data, error["loc"])
        if "key" in error.get("ctx", {}):
            key += tuple(str(error["ctx"]["key"]).split("."))
        if error["type"] == "union_tag_invalid":
            key += ("kind",)
        lines.setdefault(key, f"{source.place(key)}: {dotted(key)}: {_explain(error, value)}")
    return list(lines.values())


def _explain(error: Any, value: Any) -> str:
    """What is wrong with the value, and the mend."""
    context = error.get("ctx", {})
    kind, message = error["type"], str(error["msg"])
    if kind == "missing":
        message = "this key is missing; add it"
    elif kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        message = f"must be one of {', '.join(known)}, not {value!r}{suggestion(str(value), known)}"
    elif kind == "union_tag_invalid":
        known = re.findall(r"'([^']*)'", context["expected_tags"])
        message = f"must be one of {', '.join(known)}, not {context['tag']!r}{suggestion(context['tag'], known)}"
    elif kind == "union_tag_not_found":
        message = (
            "this section needs its `kind`"
            if isinstance(value, dict)
            else f"must be a section with a `kind`, not {value!r}"
        )
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        message = f"must be a section of keys, not {value!r}"
    elif kind.endswith("_type"):
        message = f"{_plain(message)}, not {value!r}"
    elif kind not in ("unknown_key", "combination", "source_kind"):
        message = f"{_plain(message)}, but is {value!r}"
    if kind == "string_pattern_mismatch":
        message = _PATTERNS.get(context["pattern"], message).format(value=value)
    return message


_PATTERNS = {
    r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$": "must be a language code such as en or pt_BR, not {value!r}",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "is used as a file name: only letters, digits, `.`, `_` and `-`, not {value!r}",
}


def _plain(message: str) -> str:
    return (
        message.replace("Input should be a valid", "must be a")
        .replace("Input should be", "must be")
        .replace("a integer", "an integer")
    )


def _written_path(data: Any, location: tuple[str | int, ...]) -> tuple[KeyPath, Any]:
    """The path as the user wrote it (pydantic's has the unions' tags in it), and the value that stands there."""
    key: KeyPath = ()
    tag_seen = False
    part: Any
    for depth, part in enumerate(location):
        if isinstance(data, dict) and not tag_seen and part in (data.get("kind"), source_kind(data)):
            tag_seen = True
        elif (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            key, data, tag_seen = (*key, part), data[part], False
        elif depth == len(location) - 1 and isinstance(part, str) and part != "[key]" and isinstance(data, dict):
            key, data = (*key, part), None  # a missing key
    return key, data


def dotted(key: KeyPath) -> str:
    """`training.optimizer.kind`"""
    return ".".join(str(part) for part in key) or "recipe"


def _with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    """Data paths count from the recipe's folder; from here on they are absolute."""

    def absolute(path: str) -> str:
        return os.path.normpath(folder / os.path.expanduser(path))

    def resolve(source: AnySource) -> AnySource:
        if isinstance(source, FilesSource):
            files = absolute(source.files) if isinstance(source.files, str) else [absolute(f) for f in source.files]
            return source.model_copy(update={"files": files})
        if isinstance(source, TsvSource):
            return source.model_copy(update={"tsv": absolute(source.tsv)})
        if isinstance(source, JsonlSource):
            return source.model_copy(update={"jsonl": absolute(source.jsonl)})
        if isinstance(source, HubSource) and Path(absolute(source.hub)).exists():
            return source.model_copy(update={"hub": absolute(source.hub)})
        return source

    data = recipe.data
    data = data.model_copy(
        update={
            "train": [resolve(source) for source in data.train],
            "valid": resolve(data.valid),
            "test": {name: resolve(source) for name, source in data.test.items()},
        }
    )
    return recipe.model_copy(update={"data": data})
