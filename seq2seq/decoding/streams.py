"""Lines in and translations out, over byte streams: a line is what stands between two `\\n`, whatever else is in it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import BinaryIO

from seq2seq.decoding.translation import Translation

READ_BYTES = 1 << 18


def lines_of(stream: BinaryIO) -> Iterator[list[str]]:
    """The lines that have arrived, as soon as there are any: a slow writer is answered at once.

    Invalid UTF-8 is replaced by U+FFFD and said on stderr.
    """
    number, rest = 0, b""
    while data := os.read(stream.fileno(), READ_BYTES):
        *complete, rest = (rest + data).split(b"\n")
        if complete:
            yield [_decode(line, number + i) for i, line in enumerate(complete, 1)]
            number += len(complete)
    if rest:
        yield [_decode(rest, number + 1)]


def _decode(line: bytes, number: int) -> str:
    line = line.removesuffix(b"\r")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start + 1
        print(f"line {number}: not valid UTF-8 at byte {at}; what cannot be read is replaced", file=sys.stderr)
        return line.decode("utf-8", errors="replace")


def write_text(translation: Translation, stream: BinaryIO) -> None:
    """The best translation, as one line."""
    _note_pieces(translation)
    stream.write(translation.text.replace("\r", " ").replace("\n", " ").encode() + b"\n")


def write_jsonl(translation: Translation, stream: BinaryIO) -> None:
    """A JSON object with the source, the translation, its score, the n best, and what the model has no token for."""
    _note_pieces(translation)
    best = translation.candidates[0]
    record = {
        "source": translation.source,
        "translation": best.text,
        "score": best.score,
        "log_probability": best.log_probability,
        "unknown": translation.unknown,
        "n_best": [asdict(candidate) for candidate in translation.candidates],
    }
    stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _note_pieces(translation: Translation) -> None:
    if translation.pieces > 1:
        start = translation.source[:40]
        print(f"a long line was translated in {translation.pieces} pieces: {start!r}...", file=sys.stderr)
