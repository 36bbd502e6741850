"""Words that translations use too rarely and too often, and other signs, beside the references."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.evaluation.text_signs import text_signs
from seq2seq.languages import has_spaces

SHOWN = 8


@dataclass(frozen=True)
class WordUse:
    """A word, and how often translations and references have it."""

    word: str
    translations: int
    references: int


def rare_and_frequent(
    hypotheses: Sequence[str], references: Sequence[str], language: str
) -> tuple[list[WordUse], list[WordUse]]:
    """The words that are used too rarely, and those that are used too often, the greatest difference first."""
    ours, theirs = (
        Counter(word for text in texts for word in _words(text, language)) for texts in (hypotheses, references)
    )
    rare, frequent = (
        [WordUse(word, ours[word], theirs[word]) for word, _ in (more - less).most_common(SHOWN)]
        for more, less in ((theirs, ours), (ours, theirs))
    )
    return rare, frequent


def signs_in_words(sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]) -> str:
    """Length, repetition, copying and variety of the translations."""
    signs = {name: 100 * share for name, share in text_signs(sources, hypotheses, references).items()}
    return (
        f"Length: {signs['length_ratio']:.0f} % of the references' characters. Beyond what references do, "
        f"{signs['repetition']:.1f} % of the translations say a phrase three times in a row, "
        f"and {signs['copying']:.1f} % are their source. "
        f"Different translations: {signs['distinct']:.0f} % of the number of different references."
    )


def _words(text: str, language: str) -> list[str]:
    """Without punctuation; characters in a language without spaces."""
    words = re.findall(r"\w+(?:['’-]\w+)*", text)
    return words if has_spaces(language) else list("".join(words))
