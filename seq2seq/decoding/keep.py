"""What a line holds that is not to be translated: placeholders, addresses, numbers, tags, unknown words.

The model reads numbers and unknown words as they stand, no tags, and one unknown token for each placeholder, address,
and thing that it has no tokens for. Each then takes the place of the word that was written while the attention was on
it (as Luong et al. 2015, "Addressing the rare word problem", and Jean et al. 2015, section 3.3, do with unknown words);
where there is none, it stands behind what the word before it became.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from seq2seq.data.tokenization import BYTES, EOS, SPECIAL, UNK, Tokenizer
from seq2seq.decoding.markup import Layout, Tag, inline
from seq2seq.decoding.paragraphs import Piece
from seq2seq.decoding.translation import Candidate
from seq2seq.decoding.words import links

_PATTERNS = {
    "placeholders": r"\$?\{{1,2}[^{}\s]{1,100}\}{1,2}|(?<![\w%])%(?:\(\w{1,100}\)|\d\$)?[sdif@](?!\w)",
    "urls": r"(?:https?://|ftp://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]}'»”]",
    "emails": r"(?<![\w.+-])[\w.+-]{1,64}@\w[\w-]{0,100}(?:\.\w[\w-]{0,100})+",
    "numbers": r"(?<!\w)\d+(?:[.,:/-]\d+)*(?!\w)",
}
_BEFORE, _BEHIND = re.compile(r"[(\[\"'„«‚“‘]*"), re.compile(r"[.,;:!?)\]\"'”»’…]*\Z")
"""What a word may have around it that goes with the sentence."""


@dataclass(frozen=True)
class Item:
    """A thing that is kept: all of it that one source word holds."""

    text: str
    place: int
    """Of the source word."""
    span: tuple[int, int]
    """In the source."""
    hidden: bool
    """Whether the model reads an unknown token in its place."""


class Keeper:
    """Finds what is to be kept, and puts it back.

    Args:
        kinds: of `decoding.keep`.
        tokenizer: the source's.
    """

    def __init__(self, kinds: Sequence[str], tokenizer: Tokenizer) -> None:
        self._tags, self._unknown, self._tokenizer = "tags" in kinds, "unknown" in kinds, tokenizer
        patterns = [f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS.items() if kind in kinds]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    def without_tags(self, line: str) -> tuple[str, Layout | None]:
        """The text that is translated, and where its tags stand; None: it has none, or they are not kept."""
        parts = inline(line) if self._tags else []
        if not any(isinstance(part, Tag) for part in parts):
            return line, None
        return "".join(part for part in parts if isinstance(part, str)), Layout.of(parts)

    def items(self, text: str) -> list[Item]:
        """What is kept of a text, in order."""
        items: list[Item] = []
        words = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
        unknown = self._unknown_words(text) if self._unknown else set()
        for place, (start, end) in enumerate(words):
            matches = list(self._pattern.finditer(text, start, end)) if self._pattern else []
            found = [match.span() for match in matches]
            if place in unknown and SPECIAL[UNK] not in text[start:end]:  # as a part of a long line spells it
                core = _core(text[start:end])
                found += [(start + core[0], start + core[1])]
            if found:
                first, last = min(first for first, _ in found), max(last for _, last in found)
                hidden = any(match.lastgroup != "numbers" for match in matches)
                items.append(Item(text[first:last], place, (first, last), hidden))
        return items

    def shown(self, piece: Piece) -> Piece:
        """A part of a line as the model reads it: what is hidden is one unknown token."""
        items, tokens, (places,) = self.items(piece.text), piece.tokens[:-1], self._tokenizer.words([piece.text])
        if not items or len(tokens) != len(places):
            return piece
        offsets = self._tokenizer.offsets(piece.text)
        of = [next((one for one in items if a < one.span[1] and b > one.span[0]), None) for a, b in offsets]
        hidden = {one for one, token in zip(of, tokens, strict=True) if one and (one.hidden or token == UNK)}
        shown = [i for i, one in enumerate(of) if one not in hidden or one not in of[:i]]
        read = [UNK if of[i] in hidden else tokens[i] for i in shown]
        return replace(piece, tokens=[*read, EOS], places=tuple(places[i] for i in shown))

    def _unknown_words(self, text: str) -> set[int]:
        (ids,), (places,) = self._tokenizer.encode_batch([text]), self._tokenizer.words([text])
        pieces = self._tokenizer.pieces
        return {place for i, place in zip(ids, places, strict=True) if i == UNK or pieces[i] in BYTES}


class Word(NamedTuple):
    """Of a translation with the items in it."""

    text: str
    source: int | None
    """Place of the source word that it comes from."""
    before: int | None = None
    """Its place in the translation without items; None: it is one."""


def put_back(candidate: Candidate, items: Sequence[Item], attention: np.ndarray) -> Candidate:
    """A translation with each item in it once for each time that the source has it.

    Args:
        attention: of `words.by_words`.
    """
    if not items:
        return candidate
    written = _arranged(candidate.text.split(), attention, items)
    sure = candidate.word_confidences
    return replace(
        candidate,
        text=" ".join(word.text for word in written),
        word_confidences=tuple(1.0 if word.before is None else sure[word.before] for word in written),
        alignment=tuple((word.source, i) for i, word in enumerate(written) if word.source is not None),
    )


def _arranged(words: list[str], attention: np.ndarray, items: Sequence[Item]) -> list[Word]:
    """The translation's words with the items among them."""
    sources = {target: source for source, target in links(attention)}
    whole = _verbatim(words, sources, items)
    left = [item for item in items if item not in whole.values()]
    replaced = _looked_at(words, sources, attention, left, whole)
    inserted = [(_behind(len(words), sources, item), item) for item in left if item not in replaced.values()]
    found = [Word(item.text, item.place) for after, item in inserted if after < 0]
    for place, word in enumerate(words):
        if place in replaced:
            first, last = _core(word)
            found.append(Word(word[:first] + replaced[place].text + word[last:], replaced[place].place))
        elif place in whole:
            found.append(Word(word, whole[place].place))
        else:
            found.append(Word(word, sources.get(place), place))
        found += [Word(item.text, item.place) for after, item in inserted if after == place]
    return found


def _verbatim(words: list[str], sources: dict[int, int], items: Sequence[Item]) -> dict[int, Item]:
    """The words that hold an item as it is, those first that looked at it most."""
    taken: dict[int, Item] = {}
    for item in items:
        whole = re.compile(rf"(?<!\w){re.escape(item.text)}(?!\w)")
        holding = [i for i, word in enumerate(words) if i not in taken and whole.search(word)]
        if holding:
            taken[min(holding, key=lambda i: (sources.get(i) != item.place, i))] = item
    return taken


def _looked_at(
    words: list[str], sources: dict[int, int], attention: np.ndarray, items: Sequence[Item], taken: dict[int, Item]
) -> dict[int, Item]:
    """Of each item the word that looked at it most, among those that looked at nothing more; never signs alone."""
    found: dict[int, Item] = {}
    for item in items:
        free = [i for i, word in enumerate(words) if i not in taken and _core(word)[0] < _core(word)[1]]
        looking = [i for i in free if sources.get(i) == item.place]
        if looking:
            found[max(looking, key=lambda i: attention[i, item.place])] = item
    return found


def _behind(count: int, sources: dict[int, int], item: Item) -> int:
    """The place of the word, of `count`, that an item without words of its own comes after; -1: before all."""
    before = [(source, target) for target, source in sources.items() if source < item.place]
    if before:
        return max(before)[1]
    after = [(source, target) for target, source in sources.items() if source > item.place]
    return min(after)[1] - 1 if after else count - 1


def _core(word: str) -> tuple[int, int]:
    """Where a word begins and ends without signs of the sentence around it."""
    before, behind = _BEFORE.match(word), _BEHIND.search(word)
    first, last = before.end() if before else 0, behind.start() if behind else len(word)
    return first, max(first, last)
