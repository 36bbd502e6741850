"""Sentences to look at: which ones, and what differs in them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq.languages import has_spaces

SENTENCES_SHOWN = 5
"""Of the worst, of the typical and of the best translations of a test set."""
LONGEST_SHOWN = 1500
"""Characters of a sentence: a page must open even if a line of the test set is a book."""

Pieces = list[tuple[str, bool]]
"""Parts of a text, and whether each differs from the text beside it."""


@dataclass(frozen=True)
class SentenceView:
    """A translation beside its reference."""

    source: str
    hypothesis: Pieces
    reference: Pieces
    chrf: float


def choose_sentences(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], chrf: Sequence[float], tgt: str
) -> list[tuple[str, list[SentenceView]]]:
    """The worst, the typical and the best translations by chrF; of a small set, all, from worst to best.

    A line that comes again with the same translation is shown once.
    """
    rows = list(zip(sources, hypotheses, references, strict=True))
    once = {row: i for i, row in enumerate(rows)}.values()
    # Among equals the longer counts as better: three right words say little.
    order = sorted(once, key=lambda i: (chrf[i], len(references[i])))
    middle = (len(order) - SENTENCES_SHOWN) // 2
    groups = {
        "Worst": order[:SENTENCES_SHOWN],
        "Typical": order[middle : middle + SENTENCES_SHOWN],
        "Best": order[: -SENTENCES_SHOWN - 1 : -1],
    }
    if len(order) < 3 * SENTENCES_SHOWN:
        groups = {"All, from worst to best": order}

    def view(i: int) -> SentenceView:
        source, hypothesis, reference = map(shortened, rows[i])
        return SentenceView(source, *word_diff(hypothesis, reference, has_spaces(tgt)), chrf[i])

    return [(title, [view(i) for i in chosen]) for title, chosen in groups.items()]


def word_diff(hypothesis: str, reference: str, spaces: bool) -> tuple[Pieces, Pieces]:
    """What of each the other one lacks, by words with their spaces, or by characters in a language without.

    Joined, the pieces of each are the text again.
    """
    units = r"\s*\S+|\s+$" if spaces else r"(?s:.)"
    ours, theirs = re.findall(units, hypothesis), re.findall(units, reference)
    bare = [unit.strip() for unit in ours], [unit.strip() for unit in theirs]
    blocks = difflib.SequenceMatcher(None, *bare, autojunk=False).get_opcodes()
    left = [piece for tag, i, j, _, _ in blocks for piece in _pieces("".join(ours[i:j]), tag != "equal")]
    right = [piece for tag, _, _, i, j in blocks for piece in _pieces("".join(theirs[i:j]), tag != "equal")]
    return left, right


def shortened(text: str) -> str:
    """At most LONGEST_SHOWN characters."""
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + " …"


def _pieces(text: str, differs: bool) -> Pieces:
    """The space before a differing word is not part of the difference."""
    words = text.lstrip() if differs else ""
    return [piece for piece in ((text.removesuffix(words), False), (words, True)) if piece[0]]
