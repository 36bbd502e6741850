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
from seq2seq.languages import CODE
from seq2seq.recipe import (
    AnyCell,
    AnySource,
    FilesSourceConfig,
    HubSourceConfig,
    JsonlSourceConfig,
    Recipe,
    StackConfig,
    TsvSourceConfig,
    source_kind,
    suggestion,
)

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
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))  # `010` is ten, not octal
_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "bool", "null", "int", "float")}


class _Dumper(yaml.SafeDumper):
    """Quotes what a reader of YAML 1.1 (`no`) or of 1.2 (`1e-3`) would not take for a string."""


_Dumper.yaml_implicit_resolvers = {
    first: yaml.SafeDumper.yaml_implicit_resolvers.get(first, []) + _Loader.yaml_implicit_resolvers.get(first, [])
    for first in yaml.SafeDumper.yaml_implicit_resolvers.keys() | _Loader.yaml_implicit_resolvers.keys()
}


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
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8; convert the file: iconv -f ITS-ENCODING -t UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    source.data = _read(source, text, (), "")
    if not isinstance(source.data, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys (name, data, ...); this file has none")
    for override in overrides:
        _override(source, override)
    try:
        recipe = Recipe.model_validate(source.data)
    except ValidationError as error:
        raise UserError("\n".join(_explain_all(source, error))) from None
    return _with_absolute_paths(recipe, path.resolve().parent)


def read_cell(text: str, place: str) -> AnyCell:
    """A cell as a recipe would name it: `gru`, or `{kind: gru, reset: before}`.

    Args:
        place: where it was written, for errors.

    Raises:
        UserError: there is no such cell.
    """
    source = _Source(Path(place))
    source.data = {"cell": _read(source, text, ("cell",), place)}
    try:
        return StackConfig.model_validate(source.data).cell
    except ValidationError as error:
        raise UserError("\n".join(_explain_all(source, error))) from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out; reading it back gives the same recipe."""
    return yaml.dump(recipe.model_dump(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def variables_left_to_default(path: Path) -> list[str]:
    """The environment's variables that a recipe asks for (`${NAME:-default}`) and that are not set."""
    names = re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*):-", path.read_text(encoding="utf-8")) if path.is_file() else []
    return [name for name in dict.fromkeys(names) if not os.environ.get(name)]


def _read(source: _Source, text: str, key: KeyPath, place: str) -> Any:
    """Plain data from YAML text: the file's, or, where there is a `place`, one value of the command line."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _build(source, node, key, place)
    except yaml.YAMLError as error:
        line, problem = _problem(error, text)
        raise UserError(f"{place or f'{source.path}:{line + 1}'}: not valid YAML: {problem}") from None
    except RecursionError:
        raise UserError(f"{place or source.path}: too deep, or an alias within itself; write the values out") from None


def _problem(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line (from 0) of a mistake in YAML, and what it is, with the mend."""
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    context = str(getattr(error, "context", ""))
    if begin and re.match("while (parsing a flow (sequence|mapping)|scanning a quoted)", context):
        what = "quote" if "quoted" in context else "bracket"
        until = f" up to line {mark.line + 1}" if mark and mark.line > begin.line else ""
        return begin.line, f"the {what} opened at column {begin.column + 1} is not closed{until}: {problem}"
    mark = mark or begin
    line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
    mend = "use spaces, not tabs" if "\\t" in problem else "check the indentation and the colons"
    mend = "a bracket is not closed" if "stream end" in problem else mend
    return line, f"{problem}; {mend}"


def _build(source: _Source, node: yaml.Node, key: KeyPath, place: str) -> Any:
    """Plain data from a YAML node, `${NAME}` filled in, each key's line noted."""
    source.places[key] = place or f"{source.path}:{node.start_mark.line + 1}"
    if node.tag not in _PLAIN_TAGS:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise UserError(f"{source.place(key)}: {dotted(key)}: the tag {tag}; recipes hold plain values only, remove it")
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = place or f"{source.path}:{name_node.start_mark.line + 1}"
            if not isinstance(name_node, yaml.ScalarNode):
                raise UserError(f"{line}: {dotted(key)}: a key must be one word, not a list or a section")
            name = str(name_node.value)
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
    except (yaml.YAMLError, ValueError, KeyError):  # what the tag says, the text is not
        shown = f"{filled[:40]!r} is no {tag.rpartition(':')[2]} that can be read"
        raise UserError(f"{source.place(key)}: {dotted(key)}: {shown}; write a plain value") from None


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
    parts = name.split(".")
    if not equals or "" in parts or name.startswith("-"):
        raise UserError(f"{place}: settings have the form key.path=value, as in training.max_epochs=3")
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
                raise UserError(f"{place}: {dotted(key)} has {len(config)} entries, counted from 0, and no {part!r}")
            step = int(part)
        elif not isinstance(config, dict):
            mend = f"; where that is a kind, set {dotted(key)}={{kind: {config}, {part}: ...}}"
            raise UserError(
                f"{place}: {dotted(key)} is {config!r} and holds no keys{mend if isinstance(config, str) else ''}"
            )
        elif part not in config:
            config[part], source.places[(*key, part)] = {}, place
        key = (*key, step)
    config[step] = _read(source, value, key, place)
    source.places[key] = place


def _explain_all(source: _Source, errors: ValidationError) -> list[str]:
    """Each mistake as `file:line: key: what; mend`; one a key (a union of types would report one a type)."""
    lines: dict[KeyPath, str] = {}
    for error in errors.errors():
        key, value = _written_path(source.data, error["loc"], error["type"] == "missing")
        if "key" in error.get("ctx", {}):
            key += tuple(str(error["ctx"]["key"]).split("."))
        if error["type"] == "union_tag_invalid" and isinstance(value, dict):
            key += ("kind",)
        lines.setdefault(key, f"{source.place(key)}: {dotted(key)}: {explain(error, value)}")
    # What a union says of a whole list is idle where one of its entries is wrong.
    return [line for key, line in lines.items() if not any(key == other[: len(key)] != other for other in lines)]


def explain(error: Any, value: Any) -> str:
    """What is wrong with a value, and the mend, from one of pydantic's errors."""
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
    r"^[0-9]+([.][0-9]+)?[smh]$": "must be a time such as 90s, 20m or 1.5h, not {value!r}",
    CODE: "must be a language code such as en or pt_BR, not {value!r}",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "is used as a file name: only letters, digits, `.`, `_` and `-`, not {value!r}",
}


def _plain(message: str) -> str:
    message = re.sub(r"^(List|String) should have (.*?)( after validation, not \d+)?$", r"must have \2", message)
    return (
        message.replace("Input should be a valid", "must be a")
        .replace("Input should be", "must be")
        .replace("a integer", "an integer")
    )


def _written_path(data: Any, location: tuple[str | int, ...], missing: bool) -> tuple[KeyPath, Any]:
    """The path as the user wrote it (pydantic's has the unions' tags in it), and the value that stands there."""
    key: KeyPath = ()
    tag_seen = False
    part: Any
    for depth, part in enumerate(location):
        if isinstance(data, dict) and not tag_seen and part in (data.get("kind"), source_kind(data), "custom"):
            tag_seen = True
        elif (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            key, data, tag_seen = (*key, part), data[part], False
        elif missing and depth == len(location) - 1:
            key, data = (*key, part), None
        elif part == "[key]":
            data = key[-1]  # the name itself is wrong, not what stands under it
    return key, data


def dotted(key: KeyPath) -> str:
    """`training.optimizer.kind`"""
    return ".".join(str(part) for part in key) or "recipe"


def _with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    """Data paths count from the recipe's folder; from here on they are absolute."""

    def absolute(path: str) -> str:
        return os.path.normpath(folder / os.path.expanduser(path))

    def resolve(source: AnySource) -> AnySource:
        if isinstance(source, FilesSourceConfig):
            files = absolute(source.files) if isinstance(source.files, str) else [absolute(f) for f in source.files]
            alignments = None if source.alignments is None else absolute(source.alignments)
            return source.model_copy(update={"files": files, "alignments": alignments})
        if isinstance(source, TsvSourceConfig):
            return source.model_copy(update={"tsv": absolute(source.tsv)})
        if isinstance(source, JsonlSourceConfig):
            return source.model_copy(update={"jsonl": absolute(source.jsonl)})
        if isinstance(source, HubSourceConfig) and Path(absolute(source.hub)).exists():
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
    embedding = recipe.model.embedding
    vectors = {side: getattr(embedding, side) for side in ("src_vectors", "tgt_vectors")}
    found = {side: absolute(path) for side, path in vectors.items() if path is not None}
    model = recipe.model.model_copy(update={"embedding": embedding.model_copy(update=found)}) if found else recipe.model
    return recipe.model_copy(update={"data": data, "model": model})
