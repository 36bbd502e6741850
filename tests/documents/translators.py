"""Translators that need no model."""

from collections.abc import Callable

from seq2seq.decoding.translation import Candidate, Translation
from seq2seq.documents.document import Document


def reversing(text: str, *others: str) -> Translation:
    """A translation that says the words in upper case, last first, aligned to where they came from."""
    words = text.split()
    count = len(words)
    texts = [" ".join(word.upper() for word in reversed(words)), *others]
    alignment = [(i, count - 1 - i) for i in range(count)]
    return Translation(text, [Candidate(one, 0.0, 0.0) for one in texts], alignment=alignment)


def same(text: str) -> Translation:
    """Each word by itself."""
    alignment = [(i, i) for i in range(len(text.split()))]
    return Translation(text, [Candidate(text, 0.0, 0.0)], alignment=alignment)


def translated(document: Document, translate: Callable[[str], Translation] = reversing) -> str:
    """A document with its texts translated."""
    return document.render([translate(text) for text in document.texts])
