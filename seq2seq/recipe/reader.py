"""YAML with positions: plain data, where each key was written, and what cannot be read. No text takes long."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from seq2seq.errors import UserError

KeyPath = tuple[str | int, ...]

MAX_BYTES = 64 * 1024
"""Of a recipe: the parser reads some 50 kilobytes a second."""
MAX_VALUES = 20_000
"""After aliases are written out."""
MAX_DEPTH = 40
MAX_TEXT = 4096
"""Characters of one value."""


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
_Dumper.add_representer(str, lambda dumper, text: dumper.represent_str(text.replace("${", "$${")))


def write_yaml(data: dict[str, Any]) -> str:
    """YAML that `Source.read` reads back as the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class Place(NamedTuple):
    """Where something was written."""

    line: int
    """Of the file; behind all of them for the command line."""
    text: str
    """`file:line`, or the setting."""


class _Unreadable(Exception):
    """A value that is not one; the message says why."""


@dataclass
class Source:
    """Recipe text on its way to a Recipe."""

    path: Path
    data: Any = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    faults: list[tuple[Place, KeyPath, str]] = field(default_factory=list)
    """What cannot be read."""
    unread: set[KeyPath] = field(default_factory=set)
    """Keys whose values are not in `data` for that reason."""
    values: int = 0
    """How many were read."""

    def place(self, key: KeyPath) -> Place:
        """Where the key was written, or the nearest section around it."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key, Place(0, str(self.path)))

    def forget(self, key: KeyPath) -> None:
        """What could not be read at this key or below it no longer matters: another value takes its place."""
        gone = {unread for unread in self.unread if unread[: len(key)] == key}
        self.faults = [fault for fault in self.faults if fault[1] not in gone]
        self.unread -= gone

    def read(self, text: str, key: KeyPath = (), place: Place | None = None) -> Any:
        """Plain data from YAML text: the file's, or, where there is a `place`, one value of the command line.

        Raises:
            UserError: it is not YAML, too long or too deep; smaller faults are noted in `faults`.
        """
        where = place.text if place else str(self.path)
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise UserError(f"{where}: longer than {MAX_BYTES:,} bytes; this cannot be a recipe")
        try:
            node = yaml.compose(text, Loader=_Loader)
            return None if node is None else self._value(node, key, place)
        except yaml.YAMLError as error:
            line, problem = _problem(error, text)
            raise UserError(f"{where if place else f'{where}:{line + 1}'}: not valid YAML: {problem}") from None
        except RecursionError:
            raise UserError(f"{where}: too deep; a recipe has at most {MAX_DEPTH} levels") from None

    def _value(self, node: yaml.Node, key: KeyPath, place: Place | None) -> Any:
        """Plain data from a YAML node, `${NAME}` filled in, each key's place noted."""
        here = place or Place(node.start_mark.line + 1, f"{self.path}:{node.start_mark.line + 1}")
        self.places[key] = here
        self.values += 1
        if self.values > MAX_VALUES:
            raise UserError(f"{here.text}: more than {MAX_VALUES:,} values, aliases written out; use fewer")
        if len(key) > MAX_DEPTH:
            raise UserError(f"{here.text}: too deep, or an alias within itself: at most {MAX_DEPTH} levels")
        try:
            if node.tag not in _PLAIN_TAGS:
                tag = shown_text(node.tag.replace("tag:yaml.org,2002:", "!!"))
                raise _Unreadable(f"the tag {tag}; recipes hold plain values only, remove it")
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, key, place)
            if isinstance(node, yaml.SequenceNode):
                return [self._value(item, (*key, i), place) for i, item in enumerate(node.value)]
            return _scalar(node)
        except _Unreadable as error:
            self.faults.append((here, key, str(error)))
            self.unread.add(key)
            return None

    def _mapping(self, node: yaml.MappingNode, key: KeyPath, place: Place | None) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            here = place or Place(line, f"{self.path}:{line}")
            if not isinstance(name_node, yaml.ScalarNode):
                self.faults.append((here, key, "a key must be one word, not a list or a section"))
                continue
            name = str(name_node.value)
            if (bad := _bad_character(name)) or name_node.tag not in _PLAIN_TAGS:
                self.faults.append((here, key, f"the key {shown(name)} {bad or 'has a tag; remove it'}"))
                continue
            if name in result:
                self.faults.append((here, (*key, name), "duplicate key; remove one"))
                continue
            result[name] = self._value(value_node, (*key, name), place)
            self.places[(*key, name)] = here
        return result


def read_file(path: Path) -> Source:
    """A recipe's file.

    Raises:
        UserError: it cannot be read, or is not YAML.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "no regular file"
            raise UserError(f"{path}: this is {what}; name the recipe's YAML file")
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such recipe; see recipes/ for examples") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: not UTF-8; convert the file: iconv -f ITS-ENCODING -t UTF-8") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{shown_text(str(path), 300)}: cannot be read: {getattr(error, 'strerror', error)}") from None
    source = Source(path)
    source.data = source.read(text)
    if not isinstance(source.data, dict):
        raise UserError(f"{path}: a recipe is a mapping of keys (name, data, ...); this file has none")
    return source


def shown(value: Any) -> str:
    """A value as a message quotes it."""
    return shown_text(repr(value))


def shown_text(text: str, limit: int = 60) -> str:
    """Text of anybody's making as a message quotes it: no longer than `limit`."""
    return text if len(text) <= limit else f"{text[: limit - 2]}…{text[-1]}"


def _problem(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line (from 0) of a mistake in YAML, and what it is, with the fix."""
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    problem = shown_text(str(getattr(error, "problem", None) or getattr(error, "reason", None) or error), 200)
    context = str(getattr(error, "context", ""))
    if begin and re.match("while (parsing a flow (sequence|mapping)|scanning a quoted)", context):
        what = "quote" if "quoted" in context else "bracket"
        until = f" up to line {mark.line + 1}" if mark and mark.line > begin.line else ""
        return begin.line, f"the {what} opened at column {begin.column + 1} is not closed{until}: {problem}"
    mark = mark or begin
    line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
    fix = "use spaces, not tabs" if "\\t" in problem else "check the indentation and the colons"
    fix = "a bracket is not closed" if "stream end" in problem else fix
    return line, f"{problem}; {fix}"


_VARIABLE = re.compile(r"\$?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    filled = _VARIABLE.sub(_fill, text)
    tag = node.tag
    if filled != text and getattr(node, "style", None) is None:
        tag = str(_Loader("").resolve(yaml.ScalarNode, filled, (True, False)))  # type: ignore[no-untyped-call]
    if len(filled) > MAX_TEXT:
        raise _Unreadable(f"a value of {len(filled):,} characters; {MAX_TEXT:,} are the most")
    if bad := _bad_character(filled):
        raise _Unreadable(f"{shown(filled)} {bad}")
    try:
        scalar = yaml.ScalarNode(tag, filled, node.start_mark, node.end_mark)
        return _Loader("").construct_object(scalar, deep=True)
    except (yaml.YAMLError, ValueError, KeyError):  # what the tag says, the text is not
        kind = tag.rpartition(":")[2]
        raise _Unreadable(f"{shown(filled)} is no {kind} that can be read; write a plain value") from None


def _bad_character(text: str) -> str | None:
    """What keeps a text from being a file's name, or from being written."""
    bad = re.search("[\0\ud800-\udfff]", text)
    if bad is None:
        return None
    return f"holds {'a NUL character' if bad[0] == chr(0) else f'half a character (U+{ord(bad[0]):04X})'}; remove it"


def _fill(match: re.Match[str]) -> str:
    name, default = match.group(1), match.group(2)
    if match[0].startswith("$$"):  # `$${` stands for `${` itself
        return match[0][1:]
    if name is None:
        raise _Unreadable("`${` begins no variable; write ${NAME} or ${NAME:-default}, or $${ for the characters")
    value = os.environ.get(name) or default
    if value is None:
        state = "is empty" if name in os.environ else "is not set"
        raise _Unreadable(f"the environment variable {name} {state}; set it, or give a default: ${{{name}:-default}}")
    return value


def variables_left_to_default(path: Path) -> list[str]:
    """The environment's variables that a recipe asks for (`${NAME:-default}`) and that are not set."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    names = [match[1] for match in _VARIABLE.finditer(text) if match[2] is not None and not match[0].startswith("$$")]
    return [name for name in dict.fromkeys(names) if not os.environ.get(name)]
