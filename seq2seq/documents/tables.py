"""Tables: one column of TSV or CSV, one field of JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from seq2seq.decoding.translation import Translation
from seq2seq.documents.document import Document, Sentence, Syntax, Translatable
from seq2seq.documents.plain import LINE_END, by_line
from seq2seq.errors import UserError

Cell = tuple[str, str]
"""As written, with what ends it."""


def separated(source: str, column: str, delimiters: str) -> Document:
    """A column of a table; but for one parted by tabs, cells may be quoted (RFC 4180).

    Args:
        column: its number, from 0, or its name in the first row, which then stays as it is.
        delimiters: of which the one counts that is most frequent in the first line.

    Raises:
        UserError: there is no such column, or a row lacks it; with its line number.
    """
    return Document(_of_column(source, column, max(delimiters, key=source.split("\n", 1)[0].count)))


def _of_column(source: str, column: str, delimiter: str) -> Iterator[str | Translatable]:
    wanted = int(column) if column.isdecimal() else None
    for line, cells in _rows(source, delimiter):
        if wanted is None:
            names = [_unquoted(text) for text, _ in cells]
            if column not in names:
                known = ", ".join(map(repr, names[:20]))
                raise UserError(f"line {line}: no column {column!r} there; name one of {known}, or its number, from 0")
            wanted = names.index(column)
            yield from (text + end for text, end in cells)
            continue
        if len(cells) == 1 and not cells[0][0].strip():
            yield from cells[0]
            continue
        if wanted >= len(cells):
            what = f"{len(cells)} column{'s' * (len(cells) != 1)}, but column {wanted} (from 0) is to be translated"
            raise UserError(f"line {line}: {what}; fix the line, or name another --column")
        yield from (text + end for text, end in cells[:wanted])
        yield from _translated(cells[wanted][0], delimiter)
        yield cells[wanted][1]
        yield from (text + end for text, end in cells[wanted + 1 :])


def _rows(source: str, delimiter: str) -> Iterator[tuple[int, list[Cell]]]:
    """Each with the number of its first line."""
    mark = re.escape(delimiter)
    quoted = "" if delimiter == "\t" else '"(?:[^"]|"")*+"|(?!")'
    pattern = re.compile(rf"({quoted}[^{mark}\r\n]*+)({mark}|\r?\n|\r|\Z)")
    place, line = 0, 1
    cells: list[Cell] = []
    while place < len(source) or cells:
        match = pattern.match(source, place)
        if match is None:
            raise UserError(f"line {line}: not CSV: a quote is not closed, or text follows it; double those in a cell")
        cells.append((match[1], match[2]))
        place = match.end()
        if match[2] != delimiter:
            yield line, cells
            line += len(LINE_END.findall("".join(text + end for text, end in cells)))
            cells = []


def _translated(cell: str, delimiter: str) -> Iterator[str | Translatable]:
    if delimiter != "\t" and _is_quoted(cell):
        yield '"'
        yield from by_line(cell[1:-1], _QUOTED)
        yield '"'
        return
    parts = list(by_line(cell))
    if all(isinstance(part, str) for part in parts):
        yield cell
        return
    before, sentence, after = parts
    assert isinstance(before, str) and isinstance(sentence, Sentence) and isinstance(after, str)
    yield Bare(before, sentence, after, delimiter)


@dataclass(frozen=True)
class Bare:
    """A cell without quotes; with a translation that needs them it gets them."""

    before: str
    sentence: Sentence
    after: str
    delimiter: str

    @property
    def text(self) -> str:
        """What is translated."""
        return self.sentence.text

    def render(self, translation: Translation, choice: int = 0) -> str:
        """See `Translatable`."""
        text = self.before + self.sentence.render(translation, choice) + self.after
        if self.delimiter == "\t":
            return text.replace("\t", " ")
        return f'"{_QUOTED.write(text)}"' if self.delimiter in text or '"' in text else text


_QUOTED = Syntax(lambda text: text.replace('""', '"'), lambda text: text.replace('"', '""'))


def _is_quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _is_quoted(cell) else cell


def json_lines(source: str, field: str) -> Document:
    """A field of JSON objects, one a line; null stays.

    Raises:
        UserError: a line is no object with a text there; with its number.
    """
    return Document(_of_field(source, field))


def _of_field(source: str, field: str) -> Iterator[str | Sentence]:
    for number, line in enumerate(source.split("\n"), 1):
        if number > 1:
            yield "\n"
        if not line.strip():
            yield line
            continue
        try:
            value, start, end = _value(line, field)
        except (ValueError, IndexError, RecursionError) as error:
            reason = f" ({str(error)[:100]})" if isinstance(error, ValueError) else ""
            raise UserError(f"line {number}: no JSON object{reason}; each line must hold one") from None
        if value is not None and not isinstance(value, str):
            raise UserError(f"line {number}: has no text under {field!r}; fix the line, or name another --field")
        yield line[:start]
        yield from _in_json(value or "", line[start:end])
        yield line[end:]


def _in_json(value: str, written: str) -> Iterator[str | Sentence]:
    ascii_only = written.isascii() and "\\u" in written

    def write(text: str) -> str:
        return json.dumps(text, ensure_ascii=ascii_only)[1:-1]

    parts = list(by_line(value, Syntax(write=write)))
    if all(isinstance(part, str) for part in parts):
        yield written
        return
    yield '"'
    yield from (write(part) if isinstance(part, str) else part for part in parts)
    yield '"'


_BLANK = re.compile(r"[ \t\r]*")


def _value(line: str, field: str) -> tuple[object, int, int]:
    """A field's value in an object, and where it stands; of a key that stands twice the last, as JSON's readers do.

    Raises:
        ValueError, IndexError: the line is no object.
    """
    decoder = json.JSONDecoder()
    found: tuple[object, int, int] = (False, 0, 0)
    if not isinstance(json.loads(line), dict):
        raise ValueError
    place = line.index("{") + 1
    while line[place := _BLANK.match(line, place).end()] != "}":  # type: ignore[union-attr]
        key, place = decoder.raw_decode(line, place)
        place = _BLANK.match(line, line.index(":", place) + 1).end()  # type: ignore[union-attr]
        value, end = decoder.raw_decode(line, place)
        if key == field:
            found = value, place, end
        place = _BLANK.match(line, end).end()  # type: ignore[union-attr]
        place += line[place] == ","
    return found
