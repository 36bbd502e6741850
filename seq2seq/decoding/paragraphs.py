"""Lines of several sentences: cut at their ends, translated one by one, joined with the white space between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seq2seq.data.tokenization import Tokenizer

_END = re.compile(
    r"""(?<![.!?…؟।])[.!?…؟।]++["'”’»)\]]*+(?P<blank>\s++)(?=\S)"""  # begins at no later mark: linear in the text
    r"""|(?<![。！？｡])[。！？｡]++[」』”’）]*+(?P<none>\s*+)(?=\S)"""
)
_ABBREVIATED = re.compile(
    r"(?:\b[^\W\d_]|\b\d{1,2}|\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|No|Nr|ca|bzw|usw|Mme|Mlle|Sra?))\.\Z"
)
"""A point that ends no sentence: after a letter (J. S. Bach, z. B.), an ordinal (3. Mai), or a common abbreviation."""


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
