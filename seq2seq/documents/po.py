"""gettext's catalogues (.po, .pot): messages that have no translation get one; all else stays byte for byte.

Libraries for the format write the whole file, its lines wrapped as they would; so it is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seq2seq.decoding.markup import Tag
from seq2seq.documents.document import Document, Sentence, Syntax, sentences, tagged
from seq2seq.documents.plain import LINE_END
from seq2seq.errors import UserError

_STATEMENT = re.compile(r'\s*(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)\s*)?"((?:[^"\\]|\\.)*)"\s*')
_HELD = re.compile(
    r"%(?:\(\w{1,100}\)|\d+\$)?[-+ #0]*\d*(?:\.\d+)?(?:hh|h|ll|l|q|z|t|j)?[diouxXeEfFgGcrsaAp@%](?![A-Za-z])"
    r"|\$?\{{1,2}[^{}\s]{0,100}\}{1,2}|<[^<>]+>|&\w+;"
)
"""What a program puts a value in place of; markup; entities."""
_ESCAPE = re.compile(r"\\(.)")
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WRITTEN = {ord(meant): f"\\{letter}" for letter, meant in _MEANT.items()} | {ord("\\"): "\\\\", ord('"'): '\\"'}


def po(source: str, aligned: bool) -> Document:
    """A catalogue; placeholders and markup within a message go where their words go.

    Args:
        aligned: whether translations come with alignments.

    Raises:
        UserError: a line is none of such a file; with its number.
    """
    return Document(_statements(source, aligned))


def _statements(source: str, aligned: bool) -> Iterator[str | Sentence]:
    pieces = [*LINE_END.split(source), ""]
    entry: dict[str, str] = {}
    keyword = ""
    written = ""  # of the translation that is read
    for number, (line, end) in enumerate(zip(pieces[::2], pieces[1::2], strict=True), 1):
        match = _STATEMENT.fullmatch(line)
        if match is None and line.strip() and not line.lstrip().startswith("#"):
            raise UserError(f'line {number}: {line.strip()[:40]!r} is no line of a .po file; write msgid "...", or # '
                            "before a comment")  # fmt: skip
        if match is None or match[1]:
            yield from _message(entry, keyword, written, aligned)
            keyword, written = (match[1] or "") if match else "", ""
            if keyword in ("msgid", "msgctxt"):
                entry = entry if keyword == "msgid" and set(entry) == {"msgctxt"} else {}
        if match is not None:
            entry[keyword] = entry.get(keyword, "") + _unescape(match[2])
        if keyword.startswith("msgstr"):
            written += line + end
        else:
            yield line + end
    yield from _message(entry, keyword, written, aligned)


def _message(entry: dict[str, str], keyword: str, written: str, aligned: bool) -> Iterator[str | Sentence]:
    """A translation as it was written, or in place of an empty one that of its message."""
    message = entry.get("msgid" if keyword in ("msgstr", "msgstr[0]") else "msgid_plural", "")
    if not keyword.startswith("msgstr") or entry[keyword] or not entry.get("msgid") or not message:
        yield written
        return
    before, after = re.match(r"[^\"]*", written)[0], re.search(r"[^\"]*\Z", written)[0]  # type: ignore[index]
    end = after[len(after.rstrip("\r\n")) :] or "\n"
    lines = re.findall(r"[^\n]*\n|[^\n]+", message)
    yield before + ('""' + end if len(lines) > 1 else "")
    for i, line in enumerate(lines):
        yield '"'
        yield from sentences(tagged(_escape(line.removesuffix("\n")), _HELD, _tag), _PO, aligned)
        yield ("\\n" if line.endswith("\n") else "") + '"' + (end if i < len(lines) - 1 else after)


def _escape(text: str) -> str:
    return text.translate(_WRITTEN)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), text)


_PO = Syntax(_unescape, _escape)


def _tag(match: re.Match[str]) -> Tag:
    return Tag(match[0])
