"""Where translations are good and bad: scores of sentences, and of words, of a kind."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2seq.evaluation.metrics import length_groups, score_group
from seq2seq.languages import has_spaces

FREQUENCIES = (0, 1, 10, 100, 1000)
"""Where the buckets of the rarest word's frequency begin."""
QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")
WORDS_FOUND = "words found, %"


@dataclass(frozen=True)
class Rarity:
    """How the training data know the words of each source.

    Attributes:
        unit: word; or token, in a language without spaces.
        rarest: how often its rarest one is there.
        unknown: how many of its words are not there at all; None where the unit is no word.
    """

    unit: str
    rarest: list[int]
    unknown: list[int] | None


@dataclass(frozen=True)
class Texts:
    """Sentences whose translations are looked at; equally many sources and references."""

    sources: Sequence[str] | None
    references: Sequence[str]
    src: str
    tgt: str
    rarity: Rarity | None = None


@dataclass(frozen=True)
class Bucket:
    """A score of each system on what is of a kind.

    Attributes:
        measure: BLEU, of the n-gram orders that the bucket has; or WORDS_FOUND, the share of the references' words.
        count: of sentences, or of the references' words.
    """

    kind: str
    label: str
    measure: str
    count: int
    scores: list[float]


def buckets(texts: Texts, systems: Sequence[Sequence[str]]) -> list[Bucket]:
    """By length, by the rarest word, by unknown words, by numbers and names; and by place in the sentence.

    Args:
        systems: translations of the sentences, by each system.
    """
    by_sentence = [
        Bucket(kind, label, "BLEU", len(chosen), [score_group(s, texts.references, chosen, texts.tgt) for s in systems])
        for kind, label, chosen in _groups(texts)
        if chosen
    ]
    return by_sentence + _by_place(texts, systems)


def _groups(texts: Texts) -> Iterator[tuple[str, str, list[int]]]:
    """Kinds, labels, and the sentences that are so."""
    if texts.sources is not None:
        unit = "words" if has_spaces(texts.src) else "characters"
        for low, high, chosen in length_groups(texts.sources, texts.src):
            yield f"length of the source in {unit}", str(low) if low == high else f"{low}–{high}", chosen
    if texts.rarity is not None:
        kind, rarest = f"count of the rarest {texts.rarity.unit} in the training data", texts.rarity.rarest
        for low, up in zip(FREQUENCIES, (*FREQUENCIES[1:], None), strict=True):
            label = f"≥ {low:,}" if up is None else str(low) if up == low + 1 else f"{low:,}–{up - 1:,}"
            yield kind, label, [i for i, n in enumerate(rarest) if low <= n and (up is None or n < up)]
        if texts.rarity.unknown is not None:
            kind = "words that the training data lack"
            for label, low, high in (("none", 0, 0), ("1", 1, 1), ("2 or more", 2, 10**9)):
                yield kind, label, [i for i, n in enumerate(texts.rarity.unknown) if low <= n <= high]
    if texts.sources is not None:
        pairs = list(zip(texts.sources, texts.references, strict=True))
        numbers = {i for i, (source, _) in enumerate(pairs) if re.search(r"\d", source)}
        names = {i for i, (source, reference) in enumerate(pairs) if _share_a_name(source, reference)}
        if numbers or names:
            rest = set(range(len(pairs))) - numbers - names
            for label, found in (("a number", numbers), ("a name", names), ("neither", rest)):
                yield "numbers and names in the source", label, sorted(found)


def _share_a_name(source: str, reference: str) -> bool:
    """Whether a word with a capital, which does not begin the source, stands in the reference too."""
    words = [re.findall(r"[^\W\d_]{2,}", text) for text in (source, reference)]
    return any(word[0].isupper() and word in words[1] for word in words[0][1:])


def _by_place(texts: Texts, systems: Sequence[Sequence[str]]) -> list[Bucket]:
    """The share of the references' words, in order, that translations have, by the quarter of the sentence."""
    found = [[0] * len(QUARTERS) for _ in systems]
    counts = [0] * len(QUARTERS)
    for i, reference in enumerate(texts.references):
        words = _units(reference, texts.tgt)
        if len(words) < len(QUARTERS):
            continue
        places = [len(QUARTERS) * k // len(words) for k in range(len(words))]
        for place in places:
            counts[place] += 1
        for system, of_system in zip(systems, found, strict=True):
            matcher = difflib.SequenceMatcher(None, words, _units(system[i], texts.tgt), autojunk=False)
            for block in matcher.get_matching_blocks():
                for place in places[block.a : block.a + block.size]:
                    of_system[place] += 1
    return [
        Bucket("place in the sentence", label, WORDS_FOUND, count, [100 * of[k] / count for of in found])
        for k, (label, count) in enumerate(zip(QUARTERS, counts, strict=True))
        if count
    ]


def _units(text: str, language: str) -> list[str]:
    """Words, or characters in a language without spaces."""
    return text.split() if has_spaces(language) else list("".join(text.split()))
