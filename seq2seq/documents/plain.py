"""Plain text: each line is translated by itself; blank lines and what is around a line's words stay."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq.decoding.translation import Translation


class Plain:
    """A text of lines, ended by `\\n` alone or with `\\r` before it."""

    def __init__(self, source: str) -> None:
        self._lines = source.split("\n")

    @property
    def texts(self) -> list[str]:
        """What is to be translated: the lines that are not blank."""
        return [line.strip() for line in self._lines if line.strip()]

    def render(self, found: Sequence[Translation], choice: int = 0) -> str:
        """The same text with translations of `texts` in place.

        Args:
            choice: which candidate of each to take; the best where there are fewer.
        """
        translations = iter(found)
        return "\n".join(around(line, next(translations), choice) if line.strip() else line for line in self._lines)


def around(text: str, translation: Translation, choice: int = 0) -> str:
    """A candidate with the white space that is around the text it translates."""
    stripped = text.strip()
    place = text.find(stripped)
    return text[:place] + chosen(translation, choice) + text[place + len(stripped) :]


def chosen(translation: Translation, choice: int) -> str:
    """A candidate's text; the best one's where there are not so many."""
    candidates = translation.candidates
    return candidates[choice if choice < len(candidates) else 0].text.replace("\n", " ")
