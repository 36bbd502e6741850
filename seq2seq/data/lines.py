"""Lines of text files: what stands between two "\\n", no other character ends one. No file takes unbounded memory.

Bad lines are gathered, so that one message names them all; what keeps a file from being read at all is told at once.
"""

from __future__ import annotations

import bz2
import difflib
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn, cast

from seq2seq.errors import MissingFile, UserError
from seq2seq.files import file_hash

MAX_LINE = 100_000
"""Bytes of a line."""
MAX_TEXT = 10_000
"""Characters of one side of a pair: the time of learning subwords and the memory of attention grow with its square."""
MAX_RATIO, FREE_BYTES = 100, 1 << 24
"""A compressed file may unpack to this many times its size, and to `FREE_BYTES` whatever its size."""
PACKED = (".gz", ".bz2", ".xz")
_PACKED_BEGINNINGS = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"PK",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"7z\xbc",
    b"Rar!",
)
"""Of gzip, bzip2, xz, zip, zstd, lz4, 7-Zip and RAR."""
MAX_FAULTS = 20
"""Bad lines that are told of at once."""

_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Faults:
    """Bad lines of a source, told all at once.

    Args:
        key: where the recipe names the source.
        limit: of how many; with the last one the error is raised.
    """

    def __init__(self, key: str = "", limit: int = MAX_FAULTS) -> None:
        self._key, self._limit = key, limit
        self._found: dict[str, str] = {}
        self._fix = ""

    def add(self, where: str, what: str, fix: str) -> None:
        """Note what is wrong in a line; of one line the first fault counts.

        Raises:
            UserError: these are as many as are told at once.
        """
        self._found.setdefault(where, what if fix == self._fix else f"{what}; {fix}")
        self._fix = fix
        if len(self._found) == self._limit:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """The end has come.

        Raises:
            UserError: there are bad lines.
        """
        lines = [": ".join(part for part in (self._key, *fault) if part) for fault in self._found.items()]
        if len(lines) == self._limit > 1:
            lines.append(f"these are the first {self._limit} bad lines; what follows was not read")
        if lines:
            raise UserError("\n".join(lines))


def read_lines(path: Path, key: str = "", pipe: bool = False) -> Iterator[str]:
    """`text_lines`, up to the first bad one.

    Raises:
        UserError: a line or the file cannot be read.
    """
    return text_lines(path, Faults(key, limit=1), key, pipe)


def text_lines(path: Path, faults: Faults, key: str = "", pipe: bool = False) -> Iterator[str]:
    """The file's lines, without their ends and without a byte order mark; `.gz`, `.bz2`, `.xz` unpacked.

    Args:
        faults: notes lines that are not UTF-8; in their place an empty one is given.
        key: where the recipe names the file, for errors.
        pipe: whether it may be a pipe.

    Raises:
        UserError: the file is missing, no regular file, damaged, has a line of more than `MAX_LINE` bytes, or
            unpacks to more than any text does.
    """
    try:
        with open_file(path, key, pipe) as file:
            left, number = most_bytes(path), 0
            while raw := file.readline(MAX_LINE + 2):
                number += 1
                left -= len(raw)
                line = raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if len(line) > MAX_LINE:
                    what = f"this line has more than {MAX_LINE:,} bytes, which is no sentence"
                    fail(key, f"{path}:{number}", f"{what}; split or remove it")
                if left < 0:
                    _fail_unpacking(key, path)
                try:
                    text = line.decode()
                except UnicodeDecodeError as error:
                    encoding = _ENCODINGS.get(line[:2], "ITS-ENCODING") if number == 1 else "ITS-ENCODING"
                    what = f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start} of the line"
                    faults.add(f"{path}:{number}", what, f"convert the file: iconv -f {encoding} -t UTF-8")
                    text = ""
                yield text
    except (OSError, EOFError, zlib.error, lzma.LZMAError, MemoryError) as error:
        unreadable(path, key, error)


def check_unpacked(path: Path, key: str) -> None:
    """Refuse a compressed file that no text is in, before a library, which goes by its first bytes, reads it whole.

    Raises:
        UserError: it cannot be read, or unpacks to more than any text does; it is packed in another way than its name
            says, or in one that is not known here.
    """
    try:
        with open(path, "rb") as raw:
            packed = raw.read(6).startswith(_PACKED_BEGINNINGS)
        if path.suffix not in PACKED:
            if packed:
                fail(key, str(path), f"packed, and not called {', '.join(PACKED)}; unpack it, or pack it so")
            return
        with open_file(path, key) as file:
            left = most_bytes(path)
            while left >= 0 and (read := len(file.read(1 << 20))):
                left -= read
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        unreadable(path, key, error)
    if left < 0:
        _fail_unpacking(key, path)


def open_file(path: Path, key: str = "", pipe: bool = False) -> IO[bytes]:
    """A regular file, or a pipe where that is allowed; unpacked as it is read.

    Raises:
        UserError: it is neither; its name cannot be one.
        OSError: it cannot be opened.
    """
    check_regular(path, key, pipe)
    if path.suffix == ".gz":
        return io.BufferedReader(cast(io.RawIOBase, gzip.open(path)))
    if path.suffix == ".bz2":
        return io.BufferedReader(cast(io.RawIOBase, bz2.open(path)))
    return io.BufferedReader(cast(io.RawIOBase, lzma.open(path))) if path.suffix == ".xz" else open(path, "rb")


def check_regular(path: Path, key: str = "", pipe: bool = False) -> None:
    """Refuse what has no end, or no name.

    Raises:
        UserError: not a regular file, nor a pipe where that is allowed; a name that cannot be one.
        OSError: there is no such file.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # NUL, half a surrogate pair
        fail(key, ascii(str(path)), f"cannot be a file's name: {error}; name another file")
    if stat.S_ISDIR(mode):
        raise IsADirectoryError
    if not (stat.S_ISREG(mode) or (pipe and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)))):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device" if not stat.S_ISSOCK(mode) else "a socket"
        fail(key, str(path), f"{kind}, which cannot be read twice; write it to a file, and name that")


def hash_of(path: Path, key: str) -> str:
    """Of a file's contents.

    Raises:
        UserError: it cannot be read.
    """
    try:
        check_regular(path, key)
        return file_hash(path)
    except OSError as error:
        unreadable(path, key, error)


def fail(key: str, where: str, what: str, kind: type[UserError] = UserError) -> NoReturn:
    raise kind(": ".join(part for part in (key, where, what) if part)) from None


def unreadable(path: Path, key: str, error: BaseException) -> NoReturn:
    """Say why a file cannot be read, and what to do."""
    if isinstance(error, IsADirectoryError):
        fail(key, str(path), "a folder; name a file in it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if not path.parent.is_dir():
            fail(key, str(path), f"no such file: there is no folder {path.parent}; check the path", MissingFile)
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "check the path"
        base = " (paths count from the recipe's folder)" if key else ""
        fail(key, str(path), f"no such file; {hint}{base}", MissingFile)
    if isinstance(error, PermissionError):
        fail(key, str(path), "may not be read; check its permissions")
    fail(key, str(path), f"damaged or unreadable: {error or 'no memory is left'}; fetch or pack it again")


def most_bytes(path: Path) -> float:
    """That the file may unpack to."""
    return most_unpacked(os.stat(path).st_size) if path.suffix in PACKED else float("inf")


def most_unpacked(size: int) -> int:
    """Bytes that so many packed ones may stand for."""
    return max(FREE_BYTES, MAX_RATIO * size)


def _fail_unpacking(key: str, path: Path) -> NoReturn:
    what = f"unpacks to more than {MAX_RATIO} times its size, which no text does"
    fail(key, str(path), f"{what}; if it is right, unpack it and name the unpacked file")
