"""Confidences against references: calibrated on the validation data, and how far off they are on test sets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from seq2seq.bundle import Bundle
from seq2seq.data.preparation import PreparedPairs
from seq2seq.decoding.confidence import Calibration, calibration_error, isotonic, right_words
from seq2seq.decoding.translator import Translator

SENTENCES = 1000
"""Of the validation data, at most."""


def calibrate(bundle: Bundle, valid: PreparedPairs) -> Calibration:
    """From probabilities to shares of right words, by the validation data's translations."""
    every = range(0, len(valid), -(-len(valid) // SENTENCES))
    sources, references = ([texts[i] for i in every] for texts in (valid.src_texts(), valid.tgt_texts()))
    found = [one.candidates[0] for one in Translator(replace(bundle, confidence=None)).translate(sources)]
    right = [right_words(one.text, reference) for one, reference in zip(found, references, strict=True)]
    words = [
        pair
        for one, of_one in zip(found, right, strict=True)
        for pair in zip(one.word_confidences, of_one, strict=False)
    ]
    whole = [(one.confidence, sum(of_one) / len(of_one)) for one, of_one in zip(found, right, strict=True) if of_one]
    return Calibration(*(isotonic([p for p, _ in pairs], [share for _, share in pairs]) for pairs in (words, whole)))


def described_error(
    confidences: Sequence[Sequence[float]], hypotheses: Sequence[str], references: Sequence[str]
) -> str:
    """The expected calibration error of words and of sentences, for the report.

    Args:
        confidences: of each sentence its own, and then those of its words.
    """
    right = [right_words(*pair) for pair in zip(hypotheses, references, strict=True)]
    words = [pair for (_, *sure), of in zip(confidences, right, strict=True) for pair in zip(sure, of, strict=False)]
    whole = [(sure[0], sum(of) / len(of)) for sure, of in zip(confidences, right, strict=True) if of]
    errors = [calibration_error([c for c, _ in pairs], [share for _, share in pairs]) for pairs in (words, whole)]
    rate = sum(itertools.chain.from_iterable(right)) / max(1, len(words))
    return (
        f"expected calibration error {100 * errors[0]:.1f} % by word, {100 * errors[1]:.1f} % by sentence "
        f"({100 * rate:.1f} % of words right)"
    )
