"""Files of which the text is translated: of what kind they are, what they hold, and their texts, translated."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args

from seq2seq.decoding.translation import Candidate, Translation
from seq2seq.errors import UserError

if TYPE_CHECKING:
    from seq2seq.documents.document import Document

Kind = Literal["txt", "html", "md", "docx", "srt", "vtt", "po", "csv", "tsv", "jsonl"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TABLES: tuple[Kind, ...] = ("csv", "tsv", "jsonl")
"""Of which one column, or field, is translated."""
_SUFFIXES: dict[str, Kind] = {f".{kind}": kind for kind in KINDS} | {
    ".htm": "html", ".xhtml": "html", ".markdown": "md", ".pot": "po", ".ndjson": "jsonl"
}  # fmt: skip


def kind_of(path: Path) -> Kind | None:
    """The kind of a file by its name; None: lines of text."""
    return _SUFFIXES.get(path.suffix.lower())


@dataclass(frozen=True)
class File:
    """What a file holds that is to be translated."""

    texts: list[str]
    render: Callable[[Sequence[Translation]], bytes]
    """The file with translations in their place."""


def read(data: bytes, kind: Kind, column: str | None, aligned: bool) -> File:
    """What a file of a kind holds.

    Args:
        column: of a table, its number, from 0, or its name in the first row; of JSON lines the field.
        aligned: whether translations come with alignments, by which tags within a sentence are placed.

    Raises:
        UserError: it is damaged; with the line.
    """
    if kind == "docx":
        from seq2seq.documents.docx import Docx  # noqa: PLC0415 - each kind when it is wanted

        word = Docx(data, aligned)
        return File(word.texts, word.render)
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    document = _document(_decode(data[len(mark) :]), kind, column, aligned)
    return File(document.texts, lambda found: mark + document.render(found).encode())


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = "UTF-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "not valid UTF-8"
        raise UserError(f"line {line}: {found}; convert it: iconv -f ENCODING -t UTF-8") from None


def _document(source: str, kind: Kind, column: str | None, aligned: bool) -> Document:
    from seq2seq.documents import html, plain, po, subtitles, tables  # noqa: PLC0415 - as above

    document: Document
    match kind:
        case "html":
            document = html.Html(source, aligned)
        case "md":
            try:
                from seq2seq.documents import markdown  # noqa: PLC0415 - absent where only exported models translate
            except ImportError:
                raise UserError("Markdown needs a package that is not here: pip install markdown-it-py") from None
            document = markdown.markdown(source, aligned)
        case "srt" | "vtt":
            document = subtitles.subtitles(source, kind == "vtt", aligned)
        case "po":
            document = po.po(source, aligned)
        case "csv" | "tsv":
            document = tables.separated(source, column or "0", "\t" if kind == "tsv" else ",;|")
        case "jsonl":
            document = tables.json_lines(source, column or "text")
        case _:
            document = plain.Plain(source)
    return document


def write_found(translation: Translation, stream: BinaryIO) -> None:
    """A text's translation as a line of JSON: what `render` needs of it."""
    stream.write(json.dumps([translation.text, translation.alignment], ensure_ascii=False).encode() + b"\n")


def read_found(source: str, line: bytes) -> Translation:
    """What `write_found` has written."""
    text, alignment = json.loads(line)
    links = None if alignment is None else [(s, t) for s, t in alignment]
    return Translation(source, [Candidate(text, 0.0, 0.0)], alignment=links)
