"""Lines to be translated that also say what their translations must hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from seq2seq.errors import UserError

Line = tuple[str, list[str]]
"""A text, and the phrases that its translation has to hold."""


def parsed(chunks: Iterable[list[str]], form: str, skip: int = 0) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The texts of each chunk of lines, and the phrases required of each.

    Args:
        form: text (nothing is required), tsv or jsonl.
        skip: so many of the first lines are left out.

    Raises:
        UserError: a line is no JSON object with a `source`; with its number, from 1.
    """
    number = 0
    for chunk in chunks:
        lines = [_parse(line, form, number + i) for i, line in enumerate(chunk, 1)]
        number += len(chunk)
        lines = lines[-(number - skip) :] if number > skip else []
        yield [text for text, _ in lines], [phrases for _, phrases in lines]


def _parse(line: str, form: str, number: int) -> Line:
    if form == "text" or not line.strip():
        return line, []
    if form == "tsv":
        text, *phrases = line.split("\t")
        return text, [phrase for phrase in phrases if phrase.strip()]
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"--input-format jsonl: line {number}: no JSON ({str(error)[:100]}); "
                        'write {"source": "...", "require": ["..."]}') from None  # fmt: skip
    source, phrases = (record.get("source"), record.get("require", [])) if isinstance(record, dict) else (None, [])
    if not isinstance(source, str):
        raise UserError(f'--input-format jsonl: line {number}: has no text under "source"; write {{"source": "..."}}')
    if not isinstance(phrases, list) or not all(isinstance(phrase, str) for phrase in phrases):
        raise UserError(f'--input-format jsonl: line {number}: "require" is no list of texts; write ["...", "..."]')
    return source, phrases
