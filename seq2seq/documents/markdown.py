"""Markdown: paragraphs, headings, list items and table cells are translated; code, addresses, HTML blocks stay.

markdown-it-py (CommonMark, GitHub's tables and strike-through) tells the blocks; where their text stands in the source
is found here, so that all around it stays byte for byte.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator

from markdown_it import MarkdownIt

from seq2seq.decoding.markup import Tag
from seq2seq.documents.document import Document, Sentence, Syntax
from seq2seq.documents.line_breaks import Broken, over_lines

_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\r?\n.*?^\1[ \t]*\r?$", re.S | re.M)
_HARD_BREAK = re.compile(r"(?:  |\\)\r?\n")
_TITLE = r"(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?"
_LINK_END = rf"\]\((?:<[^<>\n]*>|(?:[^\s()\\]|\\.|\([^\s()]*\))*){_TITLE}\s*\)|\]\[[^\]]*\]"
_INLINE = re.compile(
    rf"""(?P<escape>\\[!-/:-@\[-`{{-~])
    |(?P<void>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)
      |!\[(?:[^\]\\]|\\.)*(?:{_LINK_END})
      |<[a-zA-Z][a-zA-Z0-9+.-]*:[^<>\s]*>|<[^\s<>@]+@[^\s<>@]+>|\[\^[^\]\s]+\]:?|https?://[^\s<>)\]]+|<!--.*?-->)
    |(?P<tag></?(?P<name>[A-Za-z][^\s/<>]*)[^<>]*>)
    |(?P<link>\[)|(?P<end>{_LINK_END})
    |(?P<mark>\*+|_+|~~)""",
    re.S | re.X,
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_SPECIAL = re.compile(r"[\\`\[\]<]|\*(?=\S)|(?<=\S)\*|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|~(?=~)")
_BLOCK = re.compile(r"(\d{1,9})?(?(1)[.)]|(?:#{1,6}|[-+*]|=+|-{2,}|~{3,}))(?=\s|$)|>")
"""What would begin a block at a line's start."""


def markdown(source: str, aligned: bool) -> Document:
    """A text in Markdown.

    Args:
        aligned: whether translations come with alignments.
    """
    return Document(_parts(source, aligned))


def _parts(source: str, aligned: bool) -> Iterator[str | Sentence | Broken]:
    front = _FRONT_MATTER.match(source)
    head = front.end() if front else 0
    body = source[head:]
    yield source[:head]
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r", body)), len(body)]
    place = 0
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body):
        if token.type == "inline" and token.map:
            first, behind = (starts[line] for line in token.map)
            for spans in _blocks(token.content, body, max(place, first), behind):
                yield body[place : spans[0][0]]
                yield from _block(body, spans, aligned)
                place = spans[-1][1]
    yield body[place:]


def _blocks(content: str, body: str, place: int, end: int) -> Iterator[list[tuple[int, int]]]:
    """Where the lines of a block's text stand, parted at hard breaks; nothing where they cannot be found as written."""
    found: list[tuple[int, int]] = []
    for line in content.split("\n"):
        text = line.strip()
        at = body.find(text, place, end)
        if at < 0:
            break
        place = at + len(text)
        found.append((at, place))
        if _HARD_BREAK.match(body, place) or (text.endswith("\\") and body[place : place + 1] in "\r\n"):
            found[-1] = (at, place - text.endswith("\\"))
            yield found
            found = []
    if found:
        yield found


def _block(body: str, spans: list[tuple[int, int]], aligned: bool) -> Iterator[str | Sentence | Broken]:
    text = "\n".join(body[first:behind] for first, behind in spans)
    ends = [body[a[1] : b[0]] for a, b in itertools.pairwise(spans)]
    guard = str if _BLOCK.match(text) else _guard  # what begins no block there, as in a heading, does not in any
    yield from over_lines(_tagged(text), ends, _MARKDOWN, aligned, guard)


def _read(text: str) -> str:
    return html.unescape(_ESCAPED.sub(r"\1", text))


def _write(text: str) -> str:
    return _SPECIAL.sub(lambda match: "&amp;" if match[0] == "&" else "\\" + match[0], text)


_MARKDOWN = Syntax(_read, _write)


def _guard(line: str) -> str:
    """A line of a paragraph, so that it begins no block."""
    match = _BLOCK.match(line)
    if match is None:
        return line
    at = len(match[1]) if match[1] else 0
    return line[:at] + "\\" + line[at:]


def _tagged(text: str) -> list[str | Tag]:
    """Text and inline markup; marks of emphasis that pair with none, and brackets that are no link's, are text."""
    parts: list[str | Tag] = []
    opened: list[int] = []  # of parts: what may be closed yet
    place = 0
    for match in _INLINE.finditer(text):
        kind = match.lastgroup if match.lastgroup not in ("ticks", "name") else ("void" if match["void"] else "tag")
        if kind == "escape":
            continue
        parts.append(text[place : match.start()])
        place = match.end()
        if kind == "void":
            parts.append(Tag(match[0]))
        elif kind == "tag":
            shape = "close" if match[0][1] == "/" else "void" if match[0][-2] == "/" else "open"
            parts.append(Tag(match[0], match["name"].lower(), shape))
        elif kind == "link":
            opened.append(len(parts))
            parts.append("[")
        elif kind == "end":
            _close(parts, opened, "[", match[0])
        else:
            _emphasis(parts, opened, match[0], text[: match.start()][-1:], text[match.end() : match.end() + 1])
    return _joined([*parts, text[place:]])


def _close(parts: list[str | Tag], opened: list[int], mark: str, raw: str) -> bool:
    """Pair what closes with the last of its kind that is open; those opened after it are text."""
    at = next((i for i in reversed(range(len(opened))) if parts[opened[i]] == mark), None)
    if at is not None:
        parts[opened[at]] = Tag(mark, mark, "open")
        del opened[at:]
    parts.append(raw if at is None else Tag(raw, mark, "close"))
    return at is not None


def _emphasis(parts: list[str | Tag], opened: list[int], mark: str, before: str, behind: str) -> None:
    """CommonMark's rules for delimiter runs, a run taken as a whole."""
    left = bool(behind.strip()) and (_is_word(behind) or not _is_word(before))
    right = bool(before.strip()) and (_is_word(before) or not _is_word(behind))
    if mark[0] == "_" and left and right:
        left, right = not _is_word(before), not _is_word(behind)
    if len(mark) <= 3 and right and any(parts[i] == mark for i in opened):
        _close(parts, opened, mark, mark)
        return
    if len(mark) <= 3 and left:
        opened.append(len(parts))
    parts.append(mark)


def _is_word(character: str) -> bool:
    return character.isalnum()


def _joined(parts: list[str | Tag]) -> list[str | Tag]:
    """With neighbouring texts as one."""
    joined: list[str | Tag] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part:
            joined.append(part)
    return joined
