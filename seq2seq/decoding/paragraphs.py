"""Lines of several sentences: cut at their ends, translated one by one, joined with the white space between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from seq2seq.data.tokenization import EOS, Tokenizer

_END = re.compile(
    r"""(?<![.!?…؟।])[.!?…؟।]++["'”’»)\]]*+(?P<blank>\s++)(?=\S)"""  # begins at no later mark: linear in the text
    r"""|(?<![。！？｡])[。！？｡]++[」』”’）]*+(?P<none>\s*+)(?=\S)"""
)
_ABBREVIATED = re.compile(
    r"(?:\b[^\W\d_]|\b\d{1,2}|\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|No|Nr|ca|bzw|usw|Mme|Mlle|Sra?))\.\Z"
)
"""A point that ends no sentence: after a letter (J. S. Bach, z. B.), an ordinal (3. Mai), or a common abbreviation."""


@dataclass(frozen=True)
class Piece:
    """A part of a line that is translated by itself."""

    before: str
    """The white space between it and the piece before."""
    text: str
    tokens: list[int]
    """With </s>."""
    places: tuple[int, ...] | None = None
    """Of each token but </s>, which of the text's words it stands for, where the tokenizer would not say the same."""
    require: tuple[str, ...] = ()
    """Phrases that its translation has to hold."""


def pieces(line: str, tokenizer: Tokenizer, split: str, limit: int, blank: str) -> list[Piece]:
    """A line with its tokens; in parts where it is longer than the sentences that the model has seen.

    Args:
        split: as in `decoding`: long, always or never.
        limit: tokens of the longest sentence that a model reads at once.
        blank: what stands between parts that are no sentences.
    """
    if not line.strip():
        return []
    (tokens,) = tokenizer.encode_batch([line])
    if split == "never" or (split == "long" and len(tokens) <= limit):
        return _cut(Piece("", line, tokens), tokenizer, limit, blank)
    parts = list(sentences(line))
    encoded = tokenizer.encode_batch([text for _, text in parts])
    found = (Piece(before, text, ids) for (before, text), ids in zip(parts, encoded, strict=True))
    return [part for piece in found for part in _cut(piece, tokenizer, limit, blank)]


def _cut(piece: Piece, tokenizer: Tokenizer, limit: int, blank: str) -> list[Piece]:
    if len(piece.tokens) <= limit:
        return [replace(piece, tokens=[*piece.tokens, EOS])]
    parts = list(cut(piece.tokens, tokenizer, limit))
    found = (Piece(blank, tokenizer.decode(part), [*part, EOS]) for part in parts)
    return [replace(part, before=piece.before if i == 0 else blank) for i, part in enumerate(found)]


def sentences(text: str) -> Iterator[tuple[str, str]]:
    """The white space before each sentence, and the sentence; together they are the text without its outer blanks."""
    text = text.strip()
    start, blank = 0, ""
    for end in _END.finditer(text):
        group = "blank" if end["blank"] is not None else "none"
        place = end.start(group)
        following = text[end.end()]
        if following.islower() or (group == "blank" and _ABBREVIATED.search(text, max(start, place - 20), place)):
            continue
        yield blank, text[start:place]
        start, blank = end.end(), end[group]
    yield blank, text[start:]


def cut(tokens: list[int], tokenizer: Tokenizer, limit: int) -> Iterator[list[int]]:
    """Pieces of at most `limit` tokens, cut behind a sentence's end, else before a word, else anywhere."""
    while len(tokens) > limit:
        names = tokenizer.tokens(tokens[: limit + 1])
        ends = [i for i in range(1, limit + 1) if names[i - 1][-1:] in tuple(".!?。！？।؟")]
        words = [i for i in range(1, limit + 1) if names[i].startswith("▁")]
        place = max(ends, default=0) or max(words, default=0) or limit
        yield tokens[:place]
        tokens = tokens[place:]
    yield tokens
