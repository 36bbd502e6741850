"""Reading parallel text, a pair at a time. A line is what stands between two `\\n`, whatever else is in it."""

from __future__ import annotations

import bz2
import difflib
import gzip
import hashlib
import itertools
import json
import lzma
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from seq2seq import recipe
from seq2seq.data import builtin
from seq2seq.errors import UserError
from seq2seq.run_folder import file_hash

Role = Literal["train", "valid", "test"]
Pairs = Iterator[tuple[str, str]]

BUILTIN_PAIRS = {"train": 40_000, "valid": 1_000, "test": 1_000}
HUB_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def read_pairs(source: recipe.AnySource, role: Role, src: str, tgt: str, seed: int, key: str = "data") -> Pairs:
    """The sentence pairs of a source, streaming.

    Args:
        role: what the source is for; decides its default split.
        src, tgt: language codes.
        key: the recipe key that the source stands under, for messages.

    Raises:
        UserError: something cannot be read; says which file and line.
    """
    if isinstance(source, recipe.FilesSource):
        return _from_files(*_two_files(source, src, tgt), key)
    if isinstance(source, recipe.TsvSource):
        return _from_tsv(source, key)
    if isinstance(source, recipe.JsonlSource):
        return _from_jsonl(source, source.src_field or src, source.tgt_field or tgt, key)
    if isinstance(source, recipe.HubSource):
        return _from_hub(source, role, src, tgt, key)
    return _from_builtin(source, role, src, tgt, seed, key)


def fingerprint(
    source: recipe.AnySource, role: Role, src: str, tgt: str, seed: int, key: str = "data"
) -> dict[str, str]:
    """What tells whether a source's contents have changed: hashes of its files, or what it is made from.

    Where the files lie is no part of it.
    """
    if isinstance(source, recipe.FilesSource):
        return {path.name: file_hash(_existing(path, key)) for path in _two_files(source, src, tgt)}
    if isinstance(source, recipe.TsvSource):
        return {Path(source.tsv).name: file_hash(_existing(Path(source.tsv), key)), **_options(source, "tsv")}
    if isinstance(source, recipe.JsonlSource):
        return {Path(source.jsonl).name: file_hash(_existing(Path(source.jsonl), key)), **_options(source, "jsonl")}
    if isinstance(source, recipe.HubSource):
        folder = Path(source.hub)
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        contents = {str(path.relative_to(folder)): file_hash(path) for path in files}
        return contents | _options(source, "hub" if files else "") | {"split": source.split or HUB_SPLITS[role]}
    pairs, split = source.pairs or BUILTIN_PAIRS[role], source.split or role
    made = {"languages": f"{src}-{tgt}", "pairs": str(pairs), "split": split, "seed": str(seed)}
    code = hashlib.sha256(Path(builtin.__file__).read_bytes()).hexdigest()
    return made | {"babel": version("babel"), "generator": code}


def read_lines(path: Path, key: str = "data") -> Iterator[str]:
    """The lines of a text file (`.gz`, `.bz2`, `.xz` too), without `\\n` and a `\\r` before it, and without a BOM.

    Raises:
        UserError: the file is missing, or is not UTF-8; says the line.
    """
    with _open(_existing(path, key)) as file:
        try:
            for number, line in enumerate(file, 1):
                text = line.removesuffix(b"\n").removesuffix(b"\r")
                yield (text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text).decode("utf-8")
        except UnicodeDecodeError as error:
            at = error.start + 1
            raise UserError(f"{path}:{number}: {key}: not UTF-8 at byte {at}; convert the file with iconv") from None
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise UserError(f"{path}: {key}: cannot be read: {error}") from None


def _open(path: Path) -> BinaryIO:
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix, open)
    try:
        return cast(BinaryIO, opener(path, "rb"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _existing(path: Path, key: str) -> Path:
    """The path, if there is such a file."""
    if path.is_file():
        return path
    if path.is_dir():
        raise UserError(f"{path}: {key}: this is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"{path}: {key}: no such file, nor its folder; relative paths count from the recipe's folder")
    near = difflib.get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1)
    raise UserError(f"{path}: {key}: no such file{f'; is it {near[0]}?' if near else ''}")


def _two_files(source: recipe.FilesSource, src: str, tgt: str) -> tuple[Path, Path]:
    if isinstance(source.files, str):
        return Path(source.files.replace("{lang}", src)), Path(source.files.replace("{lang}", tgt))
    return Path(source.files[0]), Path(source.files[1])


def _from_files(src: Path, tgt: Path, key: str) -> Pairs:
    sides = read_lines(src, key), read_lines(tgt, key)
    end = object()
    for number, (a, b) in enumerate(itertools.zip_longest(*sides, fillvalue=end)):
        if a is end or b is end:
            counts = [
                number + (0 if side is end else 1 + sum(1 for _ in rest))
                for side, rest in zip((a, b), sides, strict=True)
            ]
            raise UserError(
                f"{src} has {counts[0]:,} lines but {tgt} has {counts[1]:,}: {key}: "
                "line i of one must be the translation of line i of the other"
            )
        yield cast(str, a), cast(str, b)


def _from_tsv(source: recipe.TsvSource, key: str) -> Pairs:
    path, needed = Path(source.tsv), max(source.src_column, source.tgt_column) + 1
    for number, line in enumerate(read_lines(path, key), 1):
        columns = line.split("\t")
        if len(columns) < needed:
            raise UserError(
                f"{path}:{number}: {key}: {len(columns)} columns, but column {needed - 1} (from 0) is asked for"
            )
        yield _one_line(columns[source.src_column]), _one_line(columns[source.tgt_column])


def _from_jsonl(source: recipe.JsonlSource, src: str, tgt: str, key: str) -> Pairs:
    path = Path(source.jsonl)
    for number, line in enumerate(read_lines(path, key), 1):
        where = f"{path}:{number}: {key}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: not JSON: {error}") from None
        yield _field(record, src, where), _field(record, tgt, where)


def _from_hub(source: recipe.HubSource, role: Role, src: str, tgt: str, key: str) -> Pairs:
    split = source.split or HUB_SPLITS[role]
    records = _hub_records(source, split, key)
    for number, record in enumerate(records):
        where = f"{key}: {source.hub}, split {split}, row {number}"
        inside = "translation." if isinstance(record.get("translation"), dict) else ""
        yield (
            _field(record, source.src_field or inside + src, where),
            _field(record, source.tgt_field or inside + tgt, where),
        )


def _hub_records(source: recipe.HubSource, split: str, key: str) -> Iterable[dict[str, Any]]:
    import datasets  # noqa: PLC0415  (a second to import; most sources do not need it)

    try:
        if (Path(source.hub) / "state.json").exists() or (Path(source.hub) / "dataset_dict.json").exists():
            saved = datasets.load_from_disk(source.hub)
            return cast(Iterable[dict[str, Any]], saved[split] if isinstance(saved, datasets.DatasetDict) else saved)
        return cast(
            Iterable[dict[str, Any]],
            datasets.load_dataset(source.hub, source.config, split=split, revision=source.revision, streaming=True),
        )
    except Exception as error:  # the library raises many kinds, for names, splits, files and the network
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{key}: cannot load {source.hub!r}, split {split!r}: {reason}") from None


def _from_builtin(source: recipe.BuiltinSource, role: Role, src: str, tgt: str, seed: int, key: str) -> Pairs:
    try:
        yield from builtin.phrases(src, tgt, source.split or role, source.pairs or BUILTIN_PAIRS[role], seed)
    except UserError as error:
        raise UserError(f"{key}: {error}") from None


def _field(record: Any, name: str, where: str) -> str:
    """The text at a dotted name."""
    value = record
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            known = f"; there is {', '.join(map(str, value))}" if isinstance(value, dict) else ""
            raise UserError(f"{where}: no field {name!r}{known}; set src_field and tgt_field")
        value = value[part]
    if not isinstance(value, str):
        raise UserError(f"{where}: the field {name!r} holds {value!r}, not a text")
    return _one_line(value)


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _options(source: recipe.Source, location: str) -> dict[str, str]:
    """A source's settings but for its weight and where it lies."""
    return {name: str(value) for name, value in source.model_dump(exclude={"weight", location, "split"}).items()}
