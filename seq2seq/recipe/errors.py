"""What is wrong with a recipe, all of it at once: a line for each fault, with file, line, key and fix."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from seq2seq.errors import UserError
from seq2seq.languages import CODE
from seq2seq.recipe.base import SHAPE_ONLY, Config, sections_of, suggestion
from seq2seq.recipe.reader import KeyPath, Place, Source, shown, shown_text
from seq2seq.recipe.sources import SOURCE_KEYS, source_kind

MAX_LINES, MAX_CHARACTERS = 20, 2000
"""Of a message, its paths not counted."""

# What users look for in other sections than those that have it here.
ELSEWHERE = {
    "dropout": "model.encoder.dropout and model.decoder.dropout are for the stacks, model.embedding.word_dropout for "
    "words, training.bpe_dropout for merges of BPE",
    "reversed": "a run that writes from right to left is trained with data.reverse_target",
    "<<": "merge keys are not YAML 1.2; write the keys out",
}

# For what a recipe must have and has not: with it, the rest can be checked.
STAND_INS: dict[str | int, Any] = {
    "name": "x", "data": {}, "src": "xx", "tgt": "yy", "train": [{"builtin": "cldr"}], "valid": {"builtin": "cldr"},
}  # fmt: skip

C = TypeVar("C", bound=Config)


def checked(root: type[C], source: Source) -> C:
    """The section that was read.

    Raises:
        UserError: it does not fit the schema, or could not be read; with every fault that can be known.
    """
    if not source.faults:
        with contextlib.suppress(ValidationError):
            return root.model_validate(source.data)
    faults = [*source.faults]
    faults += [(source.place(key), key, message) for key, message in _faults(root, source)]
    raise UserError(listed([(place, f"{place.text}: {dotted(key)}: {message}") for place, key, message in faults]))


def listed(faults: list[tuple[Place, str]]) -> str:
    """The first faults, by line; how many more there are."""
    lines: list[str] = []
    room = MAX_CHARACTERS
    for place, line in sorted(faults, key=lambda fault: fault[0].line):
        room -= len(line) - len(place.text)
        if lines and (len(lines) == MAX_LINES or room < 0):
            return "\n".join([*lines, f"and {len(faults) - len(lines)} more"])
        lines.append(line)
    return "\n".join(lines)


def dotted(key: KeyPath) -> str:
    """`training.optimizer.kind`"""
    return shown_text(".".join(shown_text(str(part)) for part in key) or "recipe", 120)


def _faults(root: type[Config], source: Source) -> list[tuple[KeyPath, str]]:
    """With their keys: what the schema says; then what the rules say of all that is not in doubt itself."""
    data = copy.deepcopy(source.data)
    doubtful = [_remove(data, key) for key in source.unread]
    found: dict[KeyPath, str] | None = None
    while True:
        try:
            config = root.model_validate(data, context=SHAPE_ONLY)
            break
        except ValidationError as error:
            wrong = [_written(data, e) for e in error.errors()]
            found = _explained(root, source, data, wrong) if found is None else found
        removed = [_remove(data, key) for key in dict.fromkeys(key for _, key, _ in wrong)]
        doubtful += removed
        if not any(removed):
            return list(found.items())
    broken = _broken_rules(_without(config, [key for key in doubtful if key]))
    return [*(found or {}).items(), *((_as_written(source.data, key), message) for key, message in broken)]


_Wrong = tuple[Any, KeyPath, Any]
"""One of pydantic's errors, the key as the user wrote it, the value that stands there."""


def _explained(root: type[Config], source: Source, data: Any, wrong: list[_Wrong]) -> dict[KeyPath, str]:
    """By key, what is wrong; a union of types would report an error a type, and of a list what its entries say."""
    found: dict[KeyPath, str] = {}
    for error, key, value in wrong:
        if key not in source.unread:
            found.setdefault(key, _unknown(root, data, key, error) or explain(error, value))
    return {key: m for key, m in found.items() if not any(key == other[: len(key)] != other for other in found)}


def _remove(data: Any, key: KeyPath) -> KeyPath | None:
    """Take a key out of the data; where it is needed, something is made up.

    Returns:
        what went: with a wrong kind its whole section, with an entry its list. None: nothing did.
    """
    while key and (key[-1] == "kind" or isinstance(key[-1], int)):
        key = key[:-1]
    try:
        *sections, name = key
        part: Any
        for part in sections:
            data = data[part]
        if name in data:
            del data[name]
        else:
            data[name] = copy.deepcopy(STAND_INS[name])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return key


def _without(config: Config, doubtful: list[KeyPath]) -> Config:
    """The section without what stands at doubtful keys: rules that ask for it break off."""
    config = config.model_copy(deep=True)
    for *sections, name in doubtful:
        part: Any = config
        with contextlib.suppress(AttributeError, KeyError, IndexError, TypeError):
            for section in sections:
                part = getattr(part, str(section)) if isinstance(part, Config) else part[section]
            (part if isinstance(part, dict) else part.__dict__).pop(name, None)
    return config


def _broken_rules(config: Any, key: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Of a section and all below it."""
    if isinstance(config, Config):
        for each in config.rules():
            with contextlib.suppress(AttributeError):
                for place, message in each(config):
                    yield (*key, *(int(part) if part.isdecimal() else part for part in place.split("."))), message
        inner: Any = config.__dict__.items()
    elif isinstance(config, dict):
        inner = config.items()
    else:
        inner = enumerate(config) if isinstance(config, list) else ()
    for name, value in inner:
        yield from _broken_rules(value, (*key, name))


def _as_written(data: Any, key: KeyPath) -> KeyPath:
    """The key without the index of what was written without a list."""
    result: KeyPath = ()
    part: Any
    for part in key:
        if part != 0 or not isinstance(data, dict):
            result = (*result, part)
            data = data.get(part) if isinstance(data, dict) else data[part] if isinstance(data, list) else None
    return result


def _written(data: Any, error: Any) -> _Wrong:
    """An error's key as the user wrote it (pydantic's has the unions' tags in it), and the value that stands there."""
    key: KeyPath = ()
    tag_seen = False
    location = error["loc"]
    for depth, part in enumerate(location):
        if isinstance(data, dict) and not tag_seen and part in (data.get("kind"), source_kind(data), "custom"):
            tag_seen = True
        elif (isinstance(data, dict) and part in data) or (isinstance(data, list) and isinstance(part, int)):
            key, data, tag_seen = (*key, part), data[part], False
        elif error["type"] == "missing" and depth == len(location) - 1:
            key, data = (*key, part), None
        elif part == "[key]":
            data = key[-1]  # the name itself is wrong, not what stands under it
    if error["type"] == "union_tag_invalid" and isinstance(data, dict):
        key = (*key, "kind")
    return error, key, data


def explain(error: Any, value: Any) -> str:
    """What is wrong with a value, and the fix, from one of pydantic's errors."""
    context = error.get("ctx", {})
    kind, message = error["type"], str(error["msg"])
    if kind == "missing":
        message = "this key is missing; add it"
    elif kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        message = f"must be one of {', '.join(known)}, not {shown(value)}{suggestion(str(value)[:60], known)}"
    elif kind == "union_tag_invalid":
        known = re.findall(r"'([^']*)'", context["expected_tags"])
        tag = str(context["tag"])
        message = f"must be one of {', '.join(known)}, not {shown(tag)}{suggestion(tag[:60], known)}"
    elif kind == "union_tag_not_found":
        message = (
            "this section needs its `kind`"
            if isinstance(value, dict)
            else f"must be a section with a `kind`, not {shown(value)}"
        )
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        message = f"must be a section of keys, not {shown(value)}"
    elif kind.endswith("_type"):
        message = f"{_plain(message)}, not {shown(value)}"
    elif kind not in ("path", "source_kind"):
        message = f"{_plain(message)}, but is {shown(value)}"
    if kind == "string_pattern_mismatch":
        message = _PATTERNS.get(context["pattern"], message).format(value=shown(value))
    return message


_PATTERNS = {
    r"^[0-9]+([.][0-9]+)?[smh]$": "must be a time such as 90s, 20m or 1.5h, not {value}",
    CODE: "must be a language code such as en or pt_BR, not {value}",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "is used as a file name: only letters, digits, `.`, `_` and `-`, not {value}",
}


def _plain(message: str) -> str:
    message = re.sub(r"^(List|String) should have (.*?)( after validation, not \d+)?$", r"must have \2", message)
    return (
        message.replace("Input should be a valid", "must be a")
        .replace("Input should be", "must be")
        .replace("a integer", "an integer")
    )


def _unknown(root: type[Config], data: Any, key: KeyPath, error: Any) -> str | None:
    """Of an unknown key, what it may have been meant to be."""
    if error["type"] != "extra_forbidden":
        return None
    *sections, name = key
    configs = [root]
    for part in sections:
        annotations = [config.model_fields[part].annotation for config in configs if part in config.model_fields]
        configs = [config for each in annotations for config in sections_of(each)] if annotations else configs
    tag = ("", *error["loc"])[-2]  # of a union, which it is
    own = next((config for config in configs if tag in _tags(config)), configs[0])
    known = ", ".join(own.model_fields)
    kinds = [kind for config in configs if name in config.model_fields for kind in _tags(config)]
    if name in ELSEWHERE:
        return f"unknown key; {ELSEWHERE[name]}"
    if kinds and "kind" in own.model_fields:
        return f"unknown key; kind {' or '.join(kinds)} has it; the keys of kind {tag} are {known}"
    return f"unknown key{suggestion(str(name)[:60], list(own.model_fields)) or f'; the keys here are {known}'}"


def _tags(config: type[Config]) -> tuple[str, ...]:
    """How pydantic names a section in a union."""
    if "kind" in config.model_fields:
        return get_args(config.model_fields["kind"].annotation) or ("custom",)
    return tuple(key for key in SOURCE_KEYS if key in config.model_fields)
