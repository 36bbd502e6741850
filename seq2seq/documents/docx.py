"""Word's documents (.docx): paragraphs of the text, its tables, text boxes, headers, footers and notes are translated.

ECMA-376: a paragraph `w:p` holds runs `w:r`, each with a format `w:rPr` and texts `w:t`. A paragraph's format is that
of most of its text; other formats, links and revisions are inline tags, which go where their words go. Fields and
pictures stay as they are, as do all other parts of the file.
"""

from __future__ import annotations

import collections
import functools
import html
import io
import itertools
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from seq2seq.decoding.markup import MARKUP, Tag
from seq2seq.decoding.translation import Translation
from seq2seq.documents.document import Document, Sentence, Syntax, Translatable, sentences
from seq2seq.errors import UserError

_PARTS = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes)\.xml")
_BREAKS = frozenset(("w:br", "w:cr", "w:tab", "w:ptab"))
"""What ends a sentence within a paragraph."""
_WRAPPERS = frozenset(("w:hyperlink", "w:ins", "w:smartTag"))
_DROPPED = frozenset(("w:proofErr", "w:lastRenderedPageBreak"))
"""Notes of Word's on the text that was."""
_OF_LANGUAGE = re.compile(r"<w:(?:lang|noProof)\b[^<>]*/>")
_FIELD = re.compile(r"<w:fldChar\b[^<>]*w:fldCharType=\"(begin|end)\"")
_MARK = re.compile(r"\x02(\d+)\x03")
_BOX_TAG = re.compile(r"<(/?)w:txbxContent\b[^<>]*?(/?)>")
_BOX = re.compile(r"\x04(\d+)\x05")
_XML = Syntax(html.unescape, functools.partial(html.escape, quote=False))


@dataclass
class Node:
    """An element of XML, by where it stands."""

    name: str
    start: int
    """Of its first tag."""
    content: int
    inner_end: int = 0
    end: int = 0
    children: list[Node] = field(default_factory=list)


class Docx:
    """A document of Word's.

    Args:
        source: the file's bytes.
        aligned: whether translations come with alignments.

    Raises:
        UserError: it is none.
    """

    def __init__(self, source: bytes, aligned: bool) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(source)) as archive:
                self._members = [(info, archive.read(info)) for info in archive.infolist()]
            parts = {info.filename: data.decode() for info, data in self._members if _PARTS.fullmatch(info.filename)}
        except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError) as error:
            raise UserError(f"no document of Word's (.docx): {str(error)[:100]}; save it as one") from None
        if "word/document.xml" not in parts:
            raise UserError("no document of Word's (.docx): it has no word/document.xml; save it as one")
        if bad := next((name for name, text in parts.items() if re.search(r"[\x02-\x05]", text)), None):
            raise UserError(f"no document of Word's (.docx): {bad} is no XML; save it as one")
        self._documents = {name: _Part(text, aligned) for name, text in parts.items()}

    @property
    def texts(self) -> list[str]:
        """What is to be translated."""
        return [text for document in self._documents.values() for text in document.texts]

    def render(self, found: Sequence[Translation]) -> bytes:
        """The same file with translations of `texts` in place."""
        each, made = iter(found), io.BytesIO()
        texts = {
            name: document.render(list(itertools.islice(each, len(document.texts))))
            for name, document in self._documents.items()
        }
        with zipfile.ZipFile(made, "w") as archive:
            for info, data in self._members:
                archive.writestr(info, texts[info.filename].encode() if info.filename in texts else data)
        return made.getvalue()


class _Part:
    """XML whose text boxes, which stand within paragraphs, are documents of their own.

    In place of the n-th box stands \\x04, n, \\x05: in a tag of a paragraph's, which stays as it is.
    """

    def __init__(self, source: str, aligned: bool) -> None:
        self._documents = [Document(_parts(text, aligned)) for text in _apart(source)]

    @property
    def texts(self) -> list[str]:
        return [text for document in self._documents for text in document.texts]

    def render(self, found: Sequence[Translation]) -> str:
        each, rendered = iter(found), list[str]()
        for document in self._documents:
            text = document.render(list(itertools.islice(each, len(document.texts))))
            rendered.append(_BOX.sub(lambda box: rendered[int(box[1])], text))
        return rendered[-1]


def _apart(source: str) -> list[str]:
    """The text boxes, those within others before them; and last the source without them."""
    found, opened, place = list[str](), [list[str]()], 0
    for tag in _BOX_TAG.finditer(source):
        closes, empty = map(bool, tag.groups())
        if closes and len(opened) > 1:
            found.append("".join([*opened.pop(), source[place : tag.end()]]))
            opened[-1].append(f"\x04{len(found) - 1}\x05")
            place = tag.end()
        elif not closes and not empty:
            opened[-1].append(source[place : tag.start()])
            opened.append([])
            place = tag.start()
    return [*found, "".join([*itertools.chain(*opened), source[place:]])]


def _parts(source: str, aligned: bool) -> Iterator[str | Translatable]:
    place = 0
    for node in _paragraphs(source):
        inner = [child for child in node.children if child.name != "w:pPr"]
        if inner:
            yield source[place : inner[0].start]
            yield from _Paragraph(source, inner).parts(aligned)
            place = node.inner_end
    yield source[place:]


def _paragraphs(source: str) -> list[Node]:
    """The outermost of XML's elements of that name, in order."""
    opened = [Node("", 0, 0)]
    found: list[Node] = []
    for match in MARKUP.finditer(source):
        if not match["name"]:
            continue
        if not match["close"]:
            node = Node(match["name"], match.start(), match.end(), match.end(), match.end())
            opened[-1].children.append(node)
            if not match["rest"].endswith("/"):
                opened.append(node)
        elif len(opened) > 1:
            node = opened.pop()
            node.inner_end, node.end = match.start(), match.end()
            if node.name == "w:p" and not any(above.name == "w:p" for above in opened):
                found.append(node)
    return found


class _Paragraph:
    """A paragraph's text with marks in place of its tags: \\x02, a number, \\x03, which no XML can hold."""

    def __init__(self, source: str, nodes: Sequence[Node]) -> None:
        self._source, self._raw = source, source[nodes[0].start : nodes[-1].end]
        self._marks: list[str | None] = []
        """XML; of what opens another format, that; of what closes it, None."""
        self._depth = 0  # of the fields that are read
        self._before, self._behind = "", ""  # what bookmarks and comments range over begins and ends there
        self._read = list(self._nodes(nodes))
        sizes = collections.Counter[str]()
        for part in self._read:
            if isinstance(part, tuple):
                sizes[part[0]] += len(part[1])
        self._base = max(sizes, key=sizes.__getitem__, default="")

    def parts(self, aligned: bool) -> Iterator[str | Translatable]:
        """XML and sentences in turn."""
        found: list[str | Sentence] = []
        gathered: list[str | Tag] = []
        for part in [*self._read, None]:
            if isinstance(part, tuple):
                own = part[0] == self._base
                gathered += [part[1]] if own else [self._tag(part[0], "open"), part[1], self._tag(None, "close")]
            elif isinstance(part, Tag) and part.name != "break":
                gathered.append(part)
            else:
                found += sentences(gathered, _XML, aligned)
                found += [part.raw] if part else []
                gathered = []
        if all(isinstance(part, str) for part in found):
            yield self._raw
            return
        yield self._before
        formats = [self._base]
        for one in found:
            yield self.xml(one, formats) if isinstance(one, str) else _InRuns(one, self, formats[-1])
        yield self._behind

    def xml(self, text: str, formats: list[str]) -> str:
        """Text with marks as runs.

        Args:
            formats: of what is open at its start; of what is open at its end when this returns.
        """
        written = ""
        for i, part in enumerate(_MARK.split(text)):
            mark = self._marks[int(part)] if i % 2 else ""
            if i % 2 == 0:
                written += _run(formats[-1], f'<w:t xml:space="preserve">{part}</w:t>') if part else ""
            elif mark is None:
                formats.pop()
            elif mark.startswith("<w:rPr") or not mark:
                formats.append(mark)
            else:
                written += mark
        return written

    def _tag(self, raw: str | None, kind: str = "void", name: str = "format") -> Tag:
        self._marks.append(raw)
        return Tag(f"\x02{len(self._marks) - 1}\x03", name, kind)

    def _nodes(self, nodes: Sequence[Node]) -> Iterator[tuple[str, str] | Tag]:
        """Texts with their formats, and tags."""
        of_field = ""
        for node in nodes:
            raw = self._source[node.start : node.end]
            turns = _FIELD.findall(raw)
            depth, self._depth = self._depth, max(0, self._depth + turns.count("begin") - turns.count("end"))
            if depth or self._depth:
                of_field += raw
                if self._depth == 0:
                    yield self._tag(of_field)
                    of_field = ""
            elif node.name in _WRAPPERS:
                yield self._tag(self._source[node.start : node.content], "open", node.name)
                yield from self._nodes(node.children)
                yield self._tag(self._source[node.inner_end : node.end], "close", node.name)
            elif node.name == "w:r":
                yield from self._run(node)
            elif node.name.endswith(("RangeStart", "bookmarkStart")):
                self._before += raw
            elif node.name.endswith(("RangeEnd", "bookmarkEnd")):
                self._behind += raw
            elif node.name not in _DROPPED:
                yield self._tag(raw)
        if of_field:
            yield self._tag(of_field)

    def _run(self, node: Node) -> Iterator[tuple[str, str] | Tag]:
        style = ""
        for child in node.children:
            raw = self._source[child.start : child.end]
            if child.name == "w:rPr":
                style = _OF_LANGUAGE.sub("", raw).replace("<w:rPr></w:rPr>", "")
            elif child.name == "w:t":
                yield style, self._source[child.content : child.inner_end]
            elif child.name not in _DROPPED:
                yield self._tag(_run(style, raw), "void", "break" if child.name in _BREAKS else "format")


def _run(style: str, content: str) -> str:
    return f"<w:r>{style}{content}</w:r>"


@dataclass(frozen=True)
class _InRuns:
    """A sentence of a paragraph."""

    sentence: Sentence
    paragraph: _Paragraph
    style: str

    @property
    def text(self) -> str:
        return self.sentence.text

    def render(self, translation: Translation, choice: int = 0) -> str:
        return self.paragraph.xml(self.sentence.render(translation, choice), [self.style])
