"""Sentences changed as people change them: another case, typing errors, things in them that are not to be translated.

Each takes a sentence and gives another, whatever the language; what is drawn by chance comes from the generator given.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

Change = Callable[[str, random.Random], str]

TYPOS = 0.1
"""Share of the words that get a typing error, at least one."""
SHORTEST = 4
"""Letters of a word that gets one: its first and last letters stay (Belinkov & Bisk 2018)."""
EMOJI = "😀🎉🐶🌍🚀❤"
GROUPED = re.compile(r"(?<=\d)[.,'’\u00a0\u202f](?=\d{3}(?!\d))")
"""What stands between thousands."""
WORD = re.compile(r"[^\W\d_]+")


def lowered(text: str, _: random.Random) -> str:
    """All in lower case."""
    return text.lower()


def uppered(text: str, _: random.Random) -> str:
    """All in upper case."""
    return text.upper()


def titled(text: str, _: random.Random) -> str:
    """Each word with a capital."""
    return re.sub(r"\S+", lambda word: word[0][0].upper() + word[0][1:], text)


def swapped(text: str, generator: random.Random) -> str:
    """Two neighbouring inner letters in the wrong order."""

    def swap(word: str) -> str:
        places = [i for i in range(1, len(word) - 2) if word[i] != word[i + 1]]
        if not places:
            return word
        i = generator.choice(places)
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]

    return _in_some_words(text, swap, generator)


def lacking(text: str, generator: random.Random) -> str:
    """An inner letter left out."""

    def drop(word: str) -> str:
        i = generator.randrange(1, len(word) - 1)
        return word[:i] + word[i + 1 :]

    return _in_some_words(text, drop, generator)


def unpunctuated(text: str, _: random.Random) -> str:
    """Without punctuation, but for what stands within words and numbers."""
    inside = {i for match in re.finditer(r"(?<=\w)[^\w\s](?=\w)", text) for i in range(*match.span())}
    kept = (c for i, c in enumerate(text) if i in inside or not unicodedata.category(c).startswith("P"))
    return " ".join("".join(kept).split())


def numbered(text: str, generator: random.Random) -> str:
    """With a number of two to four digits; as it is where it has one."""
    return text if runs_of_digits(text) else with_thing(text, str(generator.randrange(10, 10_000)))


def url(generator: random.Random) -> str:
    """An address."""
    return f"https://www.example.org/{_letters(generator)}/{_letters(generator)}?id={generator.randrange(1000)}"


def email(generator: random.Random) -> str:
    """An address."""
    return f"{_letters(generator)}.{_letters(generator)}@example.org"


def emoji(generator: random.Random) -> str:
    """One of some."""
    return generator.choice(EMOJI)


def with_thing(text: str, thing: str) -> str:
    """The sentence with a thing at its end, before the punctuation there."""
    end = len(text)
    while end and (text[end - 1].isspace() or unicodedata.category(text[end - 1]).startswith("P")):
        end -= 1
    return f"{text[:end].strip()} {thing}{text[end:].strip()}".strip()


def runs_of_digits(text: str) -> list[str]:
    """Digits in a row as ASCII, without leading zeros or marks between thousands, sorted: 1,234.50 and 1.234,50
    have the same."""
    plain = "".join(str(unicodedata.digit(c)) if unicodedata.digit(c, None) is not None else c for c in text)
    plain = GROUPED.sub("", plain)
    return sorted(run.lstrip("0") or "0" for run in re.findall("[0-9]+", plain))


def _letters(generator: random.Random) -> str:
    return "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(4, 8)))


def _in_some_words(text: str, change: Callable[[str], str], generator: random.Random) -> str:
    words = [match.span() for match in WORD.finditer(text) if match.end() - match.start() >= SHORTEST]
    chosen = generator.sample(words, min(len(words), max(1, round(TYPOS * len(words)))))
    for start, end in sorted(chosen, reverse=True):
        text = text[:start] + change(text[start:end]) + text[end:]
    return text
