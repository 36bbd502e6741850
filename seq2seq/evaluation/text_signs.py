"""Signs in the text of translations that something is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence


def text_signs(sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Shares that are compared with those of the references, so that what the data itself does is no sign.

    Returns:
        `distinct`: different translations, as a share of the different references (1: as many).
        `repetition`: translations with a phrase said three times in a row, less the references that have one.
        `copying`: translations that are their source, less the references that are.
        `length_ratio`: characters of the translations to those of the references.
    """
    count = max(1, len(references))

    def repeating(texts: Sequence[str]) -> float:
        return sum(map(repeats, texts)) / count

    def copies(texts: Sequence[str]) -> float:
        return sum(source.strip() == text.strip() for source, text in zip(sources, texts, strict=True)) / count

    return {
        "distinct": len(set(hypotheses)) / max(1, len(set(references))),
        "repetition": repeating(hypotheses) - repeating(references),
        "copying": copies(hypotheses) - copies(references),
        "length_ratio": sum(map(len, hypotheses)) / max(1, sum(map(len, references))),
    }


def repeats(text: str, times: int = 3, longest: int = 4) -> bool:
    """Whether a phrase of up to `longest` words stands `times` times in a row."""
    words = text.split()
    for size in range(1, longest + 1):
        same = 0
        for i in range(size, len(words)):
            same = same + 1 if words[i] == words[i - size] else 0
            if same >= size * (times - 1):
                return True
    return False
