"""Inline tags among words: where they stand, and where they go when the words are translated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from seq2seq.decoding.words import Link

MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)|<[!?][^>]*+>"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][^\s/<>]*+)(?P<rest>(?:[^<>\"']++|\"[^\"]*+\"|'[^']*+'){0,10000}+)>",
    re.S,
)
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


@dataclass
class Layout:
    """Where inline elements stand among a sentence's words."""

    stacks: list[tuple[Element, ...]] = field(default_factory=list)
    """Of each word, the elements it stands in, outermost first."""
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
            place, standing = len(found.stacks), found.standing.get(len(found.stacks), "")
            if isinstance(part, str):
                within = found._read(read(part), tuple(element for element, _, _ in opened), within)
            elif i in closings:
                closing = parts[closings[i]]
                assert isinstance(closing, Tag)
                element = Element(part.raw, closing.raw)
                opened.append((element, place, len(standing)))
            elif i in closed:
                element, words, mark = opened.pop()
                if words < place or (place and element in found.stacks[-1]):
                    found.elements.append(element)
                else:  # an icon, a link around a picture
                    inner = element.opening + standing[mark:] + element.closing
                    found.standing[place] = standing[:mark] + inner
            else:
                found.standing[place] = standing + part.raw
        return found

    def _read(self, text: str, stack: tuple[Element, ...], within: bool) -> bool:
        """Take note of a text's words; returns whether its last goes on."""
        if not text:
            return within
        words, place = text.split(), len(self.stacks)
        if place in self.standing and text[0].isspace():
            self.standing[place] += " "
        if words and within and not text[0].isspace():
            self.stacks[-1] = max(self.stacks[-1], stack, key=len)
            words = words[1:]
        self.stacks += [stack] * len(words)
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
        write: a word as it stands among tags.
    """
    sources = {target: source for source, target in alignment if source < len(layout.stacks)}
    standing = dict(layout.standing)
    written, stack, used = "", tuple[Element, ...](), set[Element]()
    for place, word in enumerate(words):
        source = sources.get(place)
        wanted = stack if source is None else layout.stacks[source]
        kept = next((i for i, (a, b) in enumerate(zip(stack, wanted, strict=False)) if a is not b), None)
        kept = min(len(stack), len(wanted)) if kept is None else kept
        written += "".join(element.closing for element in reversed(stack[kept:])) + (" " if place else "")
        written += "" if source is None else standing.pop(source, "")
        written += "".join(element.opening for element in wanted[kept:]) + write(word)
        stack, used = wanted, used | set(wanted)
    written += "".join(element.closing for element in reversed(stack))
    written += "".join(element.opening + element.closing for element in layout.elements if element not in used)
    return written + "".join(" " + standing[place].rstrip() for place in sorted(standing))


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
