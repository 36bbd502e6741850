"""Every sentence of a test set as rows for a page: what a table in a browser searches, sorts, filters and opens."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.evaluation.attention import Reading
from seq2seq.evaluation.metrics import sentence_bleu, sentence_length
from seq2seq.evaluation.sentences import Pieces, shortened, word_diff
from seq2seq.evaluation.text_signs import repeats
from seq2seq.languages import has_spaces

MOST_ROWS = 5000
"""Sentences of a test set that a page holds."""
MOST_WEIGHTS = 1_000_000
"""Cells of attention maps that a page holds for a test set, a byte each; later sentences have none."""
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""A number from 0 to 1 is one of these, in steps of 1/63."""
FLAGS = {
    "differs": "differ from the reference",
    "equal": "equal the reference",
    "unknown": "have unknown characters in the source",
    "numbers": "have other numbers than the source",
    "repeats": "repeat a phrase",
    "short": "are much shorter than the reference",
    "long": "are much longer than the reference",
    "unsure": "have a word with probability below 0.1",
}
"""Kinds of translations that can be picked out."""
SHORT, LONG = 0.7, 1.4
"""Shares of the reference's length."""
UNSURE = 0.1


@dataclass(frozen=True)
class Detail:
    """What is recorded of a sentence as it is translated.

    Attributes:
        score: what hypotheses compete by.
        log_probability: in nats.
        unknown: stretches of the source that the model has no token for.
        alternatives: further translations with their scores, the best first.
        reading: how sure the model was of each word; None of a blank line, and of one translated in pieces.
    """

    score: float
    log_probability: float
    unknown: list[str] = field(default_factory=list)
    alternatives: list[tuple[str, float]] = field(default_factory=list)
    reading: Reading | None = None

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Detail:
        """From what the stage `translate` writes."""
        read = record["reading"]
        alternatives = [(text, score) for text, score in record["alternatives"]]
        return cls(**{**record, "alternatives": alternatives, "reading": None if read is None else Reading(**read)})


def rows(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    chrf: Sequence[float],
    details: Sequence[Detail],
    src: str,
    tgt: str,
) -> str:
    """JSON that can stand in a page's script element: a list of rows (see `_row`).

    Args:
        chrf: of each sentence.
        details: of each sentence, or empty: then nothing is known of the model's confidence.
    """
    count = min(len(sources), MOST_ROWS)
    bleu = sentence_bleu(hypotheses[:count], references[:count], tgt)
    found, cells = [], 0
    for i in range(count):
        detail = details[i] if details else None
        read = None if detail is None else detail.reading
        cells += 0 if read is None or read.weights is None else len(read.source_words) * len(read.target_words)
        row = _row(sources[i], hypotheses[i], references[i], detail, (src, tgt), cells <= MOST_WEIGHTS)
        found.append([i + 1, round(chrf[i], 1), round(bleu[i], 1), *row])
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _row(
    source: str, hypothesis: str, reference: str, detail: Detail | None, languages: tuple[str, str], with_map: bool
) -> list[Any]:
    """Source, translation, reference; lengths of what is the same and what differs in turn, of the last two; length of
    the source; probability a word (geometric mean); flags; and of the reading: source words, target words,
    probabilities, weights row by row; alternatives.
    """
    source, hypothesis, reference = map(shortened, (source, hypothesis, reference))
    left, right = word_diff(hypothesis, reference, has_spaces(languages[1]))
    read = None if detail is None else detail.reading
    parts: list[Any] = [None, None, "", ""]
    mean = None
    if read is not None:
        weights = read.weights if with_map and read.weights is not None else []
        parts = [read.source_words, read.target_words, _digits(read.confidence), "".join(map(_digits, weights))]
        logs = [math.log(max(p, 1e-4)) for p in read.confidence]
        mean = round(math.exp(sum(logs) / len(logs)), 3)
    names = list(FLAGS)
    flags = [names.index(name) for name in _flags(source, hypothesis, reference, detail)]
    alternatives = [] if detail is None else detail.alternatives
    length = sentence_length(source, languages[0])
    return [source, hypothesis, reference, _runs(left), _runs(right), length, mean, flags, *parts, alternatives]


def _flags(source: str, hypothesis: str, reference: str, detail: Detail | None) -> list[str]:
    """Names from FLAGS."""
    ours, theirs = len(hypothesis), max(1, len(reference))
    read = None if detail is None else detail.reading
    true = {
        "differs": hypothesis.strip() != reference.strip(),
        "equal": hypothesis.strip() == reference.strip(),
        "unknown": detail is not None and bool(detail.unknown),
        "numbers": _numbers(source) != _numbers(hypothesis),
        "repeats": repeats(hypothesis) and not repeats(reference),
        "short": ours < SHORT * theirs,
        "long": ours > LONG * theirs,
        "unsure": read is not None and min(read.confidence) < UNSURE,
    }
    return [name for name, is_true in true.items() if is_true]


def _numbers(text: str) -> Counter[str]:
    """Digits in a row, whatever stands between groups of thousands or before decimals."""
    return Counter(re.findall(r"\d+", text))


def _digits(values: Sequence[float]) -> str:
    """Each number from 0 to 1 as a character."""
    return "".join(DIGITS[round(63 * min(max(value, 0.0), 1.0))] for value in values)


def _runs(pieces: Pieces) -> list[int]:
    """Lengths in UTF-16 units, as browsers count them: the same, what differs, the same ..."""
    runs, expected = [0], False
    for text, differs in pieces:
        if differs != expected:
            runs.append(0)
            expected = differs
        runs[-1] += len(text.encode("utf-16-le", "surrogatepass")) // 2
    return runs
