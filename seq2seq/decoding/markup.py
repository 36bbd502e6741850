"""Inline tags among words: where they stand, and where they go when the words are translated."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from seq2seq.decoding.words import Link

MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<[!?][^>]*+>"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][^\s/<>]*+)(?P<rest>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+'){0,10000}+)>",
    re.S,
)
_BEFORE, _BEHIND = re.compile(r"\W*"), re.compile(r"\W*\Z")
VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


@dataclass(frozen=True)
class Tag:
    """An inline tag within a sentence; a void one is any markup that stands by itself."""

    raw: str
    name: str = ""
    kind: str = "void"
    """open, close or void."""


@dataclass(frozen=True, eq=False)
class Element:
    """An inline element: its tags as written."""

    opening: str
    closing: str


Stack = tuple[Element, ...]
"""Elements that something stands in, outermost first."""


@dataclass
class Word:
    """A word of the source."""

    parts: list[tuple[str, Stack]]
    """It may go on behind a tag."""
    inside: list[tuple[int, str]] = field(default_factory=list)
    """What stands by itself within it or right behind it, and after how many characters."""

    @property
    def text(self) -> str:
        """It, without tags."""
        return "".join(text for text, _ in self.parts)

    @property
    def stack(self) -> Stack:
        """The deepest that letters of it stand in."""
        lettered = [part for part in self.parts if any(map(str.isalnum, part[0]))]
        return max((stack for _, stack in lettered or self.parts), key=len)

    def dress(self, word: str) -> list[Stack]:
        """Of each character of its translation, its elements: signs around the word stay in those that they were in."""
        before = min(self._outside(self.parts), len(_BEFORE.match(word)[0]))  # type: ignore[index]
        behind = min(self._outside(self.parts[::-1]), len(_BEHIND.search(word, before)[0]))  # type: ignore[index]
        inner = [self.stack] * (len(word) - before - behind)
        return [self.parts[0][1]] * before + inner + [self.parts[-1][1]] * behind

    def _outside(self, parts: list[tuple[str, Stack]]) -> int:
        """How many signs stand before the letters, in other elements."""
        stack = self.stack
        signs = itertools.takewhile(lambda part: part[1] != stack and not any(map(str.isalnum, part[0])), parts)
        return sum(len(text) for text, _ in signs)

    def position(self, characters: int, word: str) -> int:
        """Where in its translation that goes which stands after so many of its characters."""
        text = self.text
        before, behind = text[:characters], text[characters:]
        if word == text:
            return characters
        if not any(map(str.isalnum, before)):
            return min(characters, len(_BEFORE.match(word)[0]))  # type: ignore[index]
        signs = 0 if any(map(str.isalnum, behind)) else len(_BEHIND.search(word)[0])  # type: ignore[index]
        return len(word) - min(len(behind), signs)


@dataclass
class Layout:
    """Where inline tags stand among a sentence's words."""

    words: list[Word] = field(default_factory=list)
    standing: dict[int, str] = field(default_factory=dict)
    """What stands by itself before a word, by the word's place."""
    elements: list[Element] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Sequence[str | Tag], read: Callable[[str], str] = str) -> Layout:
        """Of text and tags in turn; each with its counterpart.

        Args:
            read: text as its words are counted.
        """
        found = cls()
        closings = counterparts(parts)
        closed = set(closings.values())
        opened: list[tuple[Element, int, int]] = []  # with the words and the markup before it
        within = False  # a word
        for i, part in enumerate(parts):
            place, standing = len(found.words), found.standing.get(len(found.words), "")
            if isinstance(part, str):
                within = found._read(read(part), tuple(element for element, _, _ in opened), within)
            elif i in closings:
                closing = parts[closings[i]]
                assert isinstance(closing, Tag)
                element = Element(part.raw, closing.raw)
                opened.append((element, place, len(standing)))
            elif i in closed:
                element, words, mark = opened.pop()
                if words < place or (place and element in found.words[-1].stack):
                    found.elements.append(element)
                else:  # an icon, a link around a picture
                    inner = element.opening + standing[mark:] + element.closing
                    found.standing[place] = standing[:mark] + inner
            elif within and all(words < place for _, words, _ in opened):
                found.words[-1].inside.append((len(found.words[-1].text), part.raw))
            else:
                found.standing[place] = standing + part.raw
        return found

    def _read(self, text: str, stack: Stack, within: bool) -> bool:
        """Take note of a text's words; returns whether its last goes on."""
        if not text:
            return within
        words, place = text.split(), len(self.words)
        if place in self.standing and text[0].isspace():
            self.standing[place] += " "
        if words and within and not text[0].isspace():
            self.words[-1].parts.append((words[0], stack))
            words = words[1:]
        self.words += [Word([(word, stack)]) for word in words]
        return not text[-1].isspace()


def counterparts(parts: Sequence[str | Tag]) -> dict[int, int]:
    """Of each opening tag that is closed, where: by places, properly nested."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for i, part in enumerate(parts):
        if isinstance(part, str) or part.kind == "void":
            continue
        if part.kind == "open":
            opened.append(i)
            continue
        match = next((j for j in reversed(opened) if parts[j].name == part.name), None)  # type: ignore[union-attr]
        if match is not None:
            found[match] = i
            del opened[opened.index(match) :]
    return found


def placed(layout: Layout, words: Sequence[str], alignment: Sequence[Link], write: Callable[[str], str] = str) -> str:
    """Translated words, in the elements of the source words that they are aligned to.

    Args:
        write: text as it stands among tags.
    """
    standing, inside = dict(layout.standing), {i: word.inside for i, word in enumerate(layout.words)}
    written, stack, used = "", Stack(), set[Element]()
    for piece in _dressed(layout, words, alignment, inside):
        kept = next((i for i, (a, b) in enumerate(zip(stack, piece.stack, strict=False)) if a is not b), None)
        kept = min(len(stack), len(piece.stack)) if kept is None else kept
        written += "".join(element.closing for element in reversed(stack[kept:]))
        written += " " if piece.begins and written else ""
        written += standing.pop(piece.source, "")
        written += "".join(element.opening for element in piece.stack[kept:])
        written += piece.text.raw if isinstance(piece.text, Tag) else write(piece.text)
        stack, used = piece.stack, used | set(piece.stack)
    written += "".join(element.closing for element in reversed(stack))
    written += "".join(raw for left in inside.values() for _, raw in left)
    written += "".join(element.opening + element.closing for element in layout.elements if element not in used)
    return written + "".join(" " + standing[place].rstrip() for place in sorted(standing))


@dataclass
class _Piece:
    """Of a translated word what stands in the same elements."""

    text: str | Tag
    stack: Stack
    begins: bool
    """The word."""
    source: int
    """The place of the word that it is aligned to; -1: none."""


def _dressed(
    layout: Layout, words: Sequence[str], alignment: Sequence[Link], inside: dict[int, list[tuple[int, str]]]
) -> list[_Piece]:
    """A translation in pieces.

    Args:
        inside: what stands by itself in each word of the source; what goes into the translation is taken out.
    """
    sources = {target: source for source, target in alignment if source < len(layout.words)}
    pieces: list[_Piece] = []
    for place, word in enumerate(words):
        source = sources.get(place, -1)
        if source < 0:
            pieces.append(_Piece(word, pieces[-1].stack if pieces else (), True, source))
            continue
        for i, (text, stack) in enumerate(_parted(layout.words[source], word, inside.pop(source, []))):
            pieces.append(_Piece(text, stack, i == 0, source))
    for before, piece, behind in zip(pieces, pieces[1:], pieces[2:], strict=False):
        if before.stack == behind.stack and isinstance(piece.text, str) and not any(map(str.isalnum, piece.text)):
            piece.stack = before.stack  # rather than part an element for a comma
    return pieces


def _parted(source: Word, word: str, inside: Sequence[tuple[int, str]]) -> Iterator[tuple[str | Tag, Stack]]:
    """A translated word, parted where its elements change and where something stands within it."""
    stacks = source.dress(word)
    marks = [(source.position(characters, word), raw) for characters, raw in inside]
    told = 0
    for (stack, passed), letters in itertools.groupby(
        range(len(word)), lambda i: (stacks[i], sum(mark <= i for mark, _ in marks))
    ):
        yield from ((Tag(raw), stack) for _, raw in marks[told:passed])
        told = passed
        yield "".join(word[i] for i in letters), stack
    yield from ((Tag(raw), stacks[-1]) for _, raw in marks[told:])


def inline(line: str) -> list[str | Tag]:
    """A line's text and tags in turn; a tag without counterpart stands by itself, as a void one does."""
    parts: list[str | Tag] = []
    place = 0
    for match in MARKUP.finditer(line):
        if match.start() > place:
            parts.append(line[place : match.start()])
        name, place = match["name"] or "", match.end()
        void = not name or name.lower() in VOID or match["rest"].endswith("/")
        parts.append(Tag(match[0], name, "void" if void else "close" if match["close"] else "open"))
    parts += [line[place:]] if place < len(line) else []
    matched = counterparts(parts)
    whole = matched.keys() | set(matched.values())
    return [p if isinstance(p, str) or i in whole else Tag(p.raw) for i, p in enumerate(parts)]
