"""Reading parallel text: one stream of (source, target) pairs, wherever the text lies.

A line is what stands between two "\\n"; no other character ends one. No pair holds a "\\n".
"""

from __future__ import annotations

import bz2
import difflib
import gzip
import itertools
import json
import lzma
import re
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, cast

from seq2seq.errors import MissingFile, UserError
from seq2seq.files import file_hash
from seq2seq.recipe import AnySource, FilesSourceConfig, HubSourceConfig, JsonlSourceConfig, TsvSourceConfig

Role = Literal["train", "valid", "test"]
Pairs = Iterator[tuple[str, str]]

SPLITS: dict[Role, str] = {"train": "train", "valid": "validation", "test": "test"}
"""A role's split of a hub data set."""
BUILTIN_PAIRS: dict[Role, int] = {"train": 40_000, "valid": 1_000, "test": 1_000}


def read_pairs(source: AnySource, role: Role, src: str, tgt: str, key: str = "") -> Pairs:
    """The source's sentence pairs, one after the other, in constant memory.

    Args:
        role: what the pairs are for; decides which split of a hub or built-in data set is read.
        src, tgt: the languages' codes, as the recipe writes them.
        key: where the recipe names this source (`data.train`), for errors.

    Raises:
        UserError: the data is missing, damaged, not UTF-8, not parallel or empty; while reading.
    """
    found = False
    for pair in _read(source, role, src, tgt, key):
        found = True
        yield pair
    if not found:
        _fail(key, " and ".join(_name(source, src, tgt)), "no sentence pairs in it; give a source that holds some")


def fingerprint(source: AnySource, role: Role, src: str, tgt: str, key: str = "") -> dict[str, str]:
    """What the pairs depend on, label by label; equal where they are, wherever the files lie.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    if isinstance(source, FilesSourceConfig):
        paths = dict(zip(("source text", "target text"), _files(source, src, tgt), strict=True))
        if source.alignments is not None:
            paths["alignments"] = Path(source.alignments)
        return {label: hash_of(path, key) for label, path in paths.items()}
    if isinstance(source, TsvSourceConfig):
        return {"tsv": hash_of(Path(source.tsv), key), "columns": f"{source.src_column}, {source.tgt_column}"}
    if isinstance(source, JsonlSourceConfig):
        fields = f"{source.src_field or src}, {source.tgt_field or tgt}"
        return {"jsonl": hash_of(Path(source.jsonl), key), "fields": fields}
    if isinstance(source, HubSourceConfig):
        parts = {
            "config": source.config or "default",
            "split": source.split or SPLITS[role],
            "fields": f"{source.src_field or src}, {source.tgt_field or tgt}",
        }
        folder = _local(source, key)
        if folder is None:
            return {"hub": source.hub, "revision": source.revision or "newest", **parts}
        files = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
        shown = {name: path for name, path in files.items() if not any(part.startswith(".") for part in name.parts)}
        return {**parts, **{f"file {name.as_posix()}": hash_of(path, key) for name, path in shown.items()}}
    from babel.core import get_cldr_version  # noqa: PLC0415 - only the built-in corpus needs it

    return {
        "builtin": source.builtin,
        "split": source.split or role,
        "pairs": str(source.pairs or BUILTIN_PAIRS[role]),
        "seed": str(source.seed),
        "made with": f"Babel {version('babel')}, CLDR {get_cldr_version()}",
    }


def _read(source: AnySource, role: Role, src: str, tgt: str, key: str) -> Pairs:
    if isinstance(source, FilesSourceConfig):
        return _read_files(_files(source, src, tgt), key)
    if isinstance(source, TsvSourceConfig):
        return _read_tsv(source, key)
    if isinstance(source, JsonlSourceConfig):
        return _read_jsonl(source, source.src_field or src, source.tgt_field or tgt, key)
    if isinstance(source, HubSourceConfig):
        return _read_hub(source, source.split or SPLITS[role], src, tgt, key)
    from seq2seq.data import builtin  # noqa: PLC0415 - Babel is needed for this source alone

    return builtin.phrases(src, tgt, source.split or role, source.pairs or BUILTIN_PAIRS[role], source.seed)


# --- files -----------------------------------------------------------------------------------------------------------


def _read_files(paths: list[Path], key: str) -> Pairs:
    sides = [read_lines(path, key) for path in paths]
    for count, (src, tgt) in enumerate(itertools.zip_longest(*sides)):
        if src is None or tgt is None:
            longer = count + 1 + sum(1 for _ in sides[src is None])
            counts = (count, longer) if src is None else (longer, count)
            text = " and ".join(f"{path} has {n:,} lines" for path, n in zip(paths, counts, strict=True))
            _fail(key, text, "line by line they must be translations of each other; mend the files")
        yield src, tgt


def _read_tsv(source: TsvSourceConfig, key: str) -> Pairs:
    path, last = Path(source.tsv), max(source.src_column, source.tgt_column)
    for number, line in enumerate(read_lines(path, key), 1):
        columns = line.split("\t")
        if len(columns) <= last:
            text = f"{len(columns)} column{'s' * (len(columns) != 1)}, but column {last} (from 0) is to be read"
            _fail(key, f"{path}:{number}", f"{text}; mend the line, or src_column and tgt_column")
        yield _one_line(columns[source.src_column]), _one_line(columns[source.tgt_column])


def _read_jsonl(source: JsonlSourceConfig, src: str, tgt: str, key: str) -> Pairs:
    path = Path(source.jsonl)
    for number, line in enumerate(read_lines(path, key), 1):
        if not line.strip():
            continue  # no record at all: most often behind the last one
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            _fail(key, where, f"not JSON: {error}; each line must hold one object")
        yield _field(record, [src], "src_field", key, where), _field(record, [tgt], "tgt_field", key, where)


def read_lines(path: Path, key: str = "") -> Iterator[str]:
    """The file's lines, without their ends and without a byte order mark; `.gz`, `.bz2`, `.xz` unpacked."""
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, 1):
                line = raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
                try:
                    yield (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).decode()
                except UnicodeDecodeError as error:
                    what = f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start} of the line"
                    _fail(key, f"{path}:{number}", f"{what}; convert the file: iconv -f ITS-ENCODING -t UTF-8")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        _unreadable(path, key, error)


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".bz2":
        return cast(IO[bytes], bz2.open(path))
    return cast(IO[bytes], lzma.open(path)) if path.suffix == ".xz" else open(path, "rb")


def _files(source: FilesSourceConfig, src: str, tgt: str) -> list[Path]:
    files = source.files
    names = [files.replace("{lang}", lang) for lang in (src, tgt)] if isinstance(files, str) else files
    return [Path(name) for name in names]


def hash_of(path: Path, key: str) -> str:
    """Of a file's contents.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return file_hash(path)
    except OSError as error:
        _unreadable(path, key, error)


# --- data sets -------------------------------------------------------------------------------------------------------


def _read_hub(source: HubSourceConfig, split: str, src: str, tgt: str, key: str) -> Pairs:
    sides = [
        ([source.src_field] if source.src_field else [src, f"translation.{src}"], "src_field"),
        ([source.tgt_field] if source.tgt_field else [tgt, f"translation.{tgt}"], "tgt_field"),
    ]
    try:
        dataset = _load(source, split, key)
        columns = dataset.column_names or []
        used = [next((c for f in fields for c in (f, f.split(".")[0]) if c in columns), None) for fields, _ in sides]
        if None not in used:  # the others may be pictures, slow to decode
            dataset = dataset.select_columns(sorted({str(column) for column in used}))
        for number, record in enumerate(dataset):
            src_text, tgt_text = (
                _field(record, fields, name, key, f"{source.hub}, {split}, row {number}") for fields, name in sides
            )
            yield src_text, tgt_text
    except UserError:
        raise
    except Exception as error:  # whatever the hub, the network and two dozen file formats raise
        what = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
        mend = "check hub, config, split and revision (a folder's path counts from the recipe), and the network"
        _fail(key, source.hub, f"{what[:300].rstrip('.')}; {mend}")


def _load(source: HubSourceConfig, split: str, key: str) -> Any:
    """The split as a `datasets.Dataset`, memory-mapped, or an `IterableDataset`; never with code from the hub."""
    import datasets  # noqa: PLC0415 - takes a second

    folder = _local(source, key)
    if folder is None:  # kept in the hub's cache: a second run needs no network
        return datasets.load_dataset(source.hub, source.config, split=split, revision=source.revision)
    if not ((folder / "dataset_dict.json").exists() or (folder / "state.json").exists()):
        return datasets.load_dataset(str(folder), source.config, split=split, streaming=True)
    saved = datasets.load_from_disk(str(folder))
    if isinstance(saved, datasets.DatasetDict):
        if split not in saved:
            _fail(key, str(folder), f"no split {split!r}; set `split` to one of {', '.join(saved)}")
        return saved[split]
    if source.split:
        _fail(key, str(folder), "one data set without splits; remove `split`")
    return saved


def _local(source: HubSourceConfig, key: str) -> Path | None:
    """The data set's folder; None where it is the hub's. (A recipe's paths are absolute once it is read.)"""
    folder = Path(source.hub)
    if not folder.is_absolute() or folder.is_dir():
        return folder if folder.is_absolute() else None
    if folder.exists():
        _fail(key, str(folder), "a file; name its folder, or use files:, tsv: or jsonl:")
    _unreadable(folder, key, FileNotFoundError())


def _field(record: Any, names: list[str], option: str, key: str, where: str) -> str:
    """The text in the first of the named fields that is there."""
    for name in names:
        value = record
        for part in [name] if isinstance(record, dict) and name in record else name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str):
            if not value.isascii() and re.search("[\ud800-\udfff]", value):
                _fail(key, where, f"{name}: half a surrogate pair (\\ud800 to \\udfff) is no text; mend the line")
            return _one_line(value)
        if value is not None:
            _fail(key, where, f"{name} is {str(value)[:50]!r}, not a text; set {option} to a field that holds text")
    there = ", ".join(_field_names(record)) or "none"
    _fail(key, where, f"no field {' or '.join(names)}; set {option} to one of the fields here: {there}")


def _field_names(record: Any, prefix: str = "") -> Iterator[str]:
    for name, value in record.items() if isinstance(record, dict) else ():
        if isinstance(value, dict):
            yield from _field_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _one_line(text: str) -> str:
    """A field's text may hold line ends; a sentence must not."""
    return re.sub("[\r\n]+", " ", text) if "\n" in text or "\r" in text else text


# --- errors ----------------------------------------------------------------------------------------------------------


def _fail(key: str, where: str, what: str, kind: type[UserError] = UserError) -> NoReturn:
    raise kind(": ".join(part for part in (key, where, what) if part)) from None


def _unreadable(path: Path, key: str, error: Exception) -> NoReturn:
    if isinstance(error, IsADirectoryError):
        _fail(key, str(path), "a folder; name a file in it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if not path.parent.is_dir():
            _fail(key, str(path), f"no such file: there is no folder {path.parent}; check the path", MissingFile)
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "check the path"
        base = " (paths count from the recipe's folder)" if key else ""
        _fail(key, str(path), f"no such file; {hint}{base}", MissingFile)
    if isinstance(error, PermissionError):
        _fail(key, str(path), "may not be read; check its permissions")
    _fail(key, str(path), f"damaged or unreadable: {error}; fetch or pack it again")


def _name(source: AnySource, src: str, tgt: str) -> list[str]:
    """What a source is called in an error."""
    if isinstance(source, FilesSourceConfig):
        return [str(path) for path in _files(source, src, tgt)]
    if isinstance(source, TsvSourceConfig):
        return [source.tsv]
    if isinstance(source, JsonlSourceConfig):
        return [source.jsonl]
    return [source.hub if isinstance(source, HubSourceConfig) else source.builtin]
