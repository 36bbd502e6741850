"""Lines in and translations out, over byte streams: a line is what stands between two `\\n`, whatever else is in it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from seq2seq.decoding.translation import Translation
from seq2seq.decoding.words import pharaoh
from seq2seq.errors import UserError

READ_BYTES = 1 << 18


@contextlib.contextmanager
def opened(source: Path | None) -> Iterator[BinaryIO]:
    """Where lines come from: stdin, where no file is named.

    Raises:
        UserError: the file cannot be read.
    """
    if source is None:
        yield sys.stdin.buffer
        return
    try:
        stream = open(source, "rb")  # noqa: SIM115 - below
    except (OSError, ValueError) as error:
        raise UserError(f"--input {source}: {getattr(error, 'strerror', None) or error}; name a file there") from None
    with stream:
        yield stream


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


def buffered(chunks: Iterator[list[str]], count: int) -> Iterator[list[str]]:
    """So many lines at a time, but for the last: they are translated faster together."""
    waiting: list[str] = []
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= count:
            yield waiting[:count]
            waiting = waiting[count:]
    if waiting:
        yield waiting


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
    note(translation)
    stream.write(translation.text.replace("\r", " ").replace("\n", " ").encode() + b"\n")


def write_pharaoh(translation: Translation, stream: BinaryIO) -> None:
    """Which source word each word of the best translation comes from: `0-0 1-2`, words counted from 0."""
    note(translation)
    stream.write(pharaoh(translation.alignment or []).encode() + b"\n")


def write_jsonl(translation: Translation, stream: BinaryIO) -> None:
    """A JSON object with the source, the translation, its score, the n best, and what the model has no token for."""
    note(translation)
    best = translation.candidates[0]
    record: dict[str, Any] = {
        "source": translation.source,
        "translation": best.text,
        "score": best.score,
        "log_probability": best.log_probability,
        "confidence": best.confidence,
        "word_confidences": best.word_confidences,
        "token_log_probabilities": best.token_log_probabilities,
        "unknown": translation.unknown,
        "missing": translation.missing,
        "n_best": [
            {"text": one.text, "score": one.score, "log_probability": one.log_probability, "confidence": one.confidence}
            | ({"scores": dict(one.scores)} if one.scores else {})
            for one in translation.candidates
        ],
    }
    if translation.alignment is not None:
        record["alignment"] = pharaoh(translation.alignment)
    if translation.attention is not None:
        record["attention"] = translation.attention.astype(float).round(4).tolist()
    stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def note(translation: Translation) -> None:
    """Say on stderr what was not done as it should."""
    start = translation.source[:40]
    if translation.pieces > 1:
        print(f"a long line was translated in {translation.pieces} pieces: {start!r}...", file=sys.stderr)
    if translation.missing:
        phrases = ", ".join(map(repr, translation.missing))
        print(f"the translation of {start!r}... could not hold {phrases}; raise decoding.max_length or "
              "decoding.beam_size, or require less", file=sys.stderr)  # fmt: skip
