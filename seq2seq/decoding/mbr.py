"""Minimum Bayes risk: of several translations the one that the others agree with most.

The expected utility of a translation is the mean of its metric against all the candidates in the place of references
(Kumar & Byrne 2004; Eikema & Aziz 2020, equation 5): samples count alike, an n-best list's members by their
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.decoding.translation import Candidate
from seq2seq.languages import has_spaces

if TYPE_CHECKING:
    from seq2seq.recipe import MbrConfig
else:  # an exported model translates where no pydantic is installed
    MbrConfig = Any

Utility = Callable[[str, str], float]
"""How good a translation is (0 to 100), given a reference."""


def rerank(candidates: Sequence[Candidate], sampled: bool, config: MbrConfig, language: str) -> list[Candidate]:
    """The different candidates, best first, their expected utility as score.

    Args:
        sampled: drawn by chance, and not the best of a search.
        language: of the target.
    """
    texts = list(dict.fromkeys(candidate.text for candidate in candidates))
    shares = dict.fromkeys(texts, 0.0)
    largest = max(candidate.log_probability for candidate in candidates)
    for candidate in candidates:
        shares[candidate.text] += 1.0 if sampled else float(np.exp(candidate.log_probability - largest))
    utility, total = _utility(config.metric, language), sum(shares.values())
    expected = {t: sum(share * utility(t, other) for other, share in shares.items()) / total for t in texts}
    first = {candidate.text: candidate for candidate in reversed(candidates)}
    return [replace(first[t], score=expected[t]) for t in sorted(texts, key=lambda t: -expected[t])]


def _utility(metric: str, language: str) -> Utility:
    import sacrebleu  # noqa: PLC0415 - only this option needs it

    if metric == "chrf":
        return lambda text, reference: float(sacrebleu.sentence_chrf(text, [reference]).score)
    tokenizer = "13a" if has_spaces(language) else "char"
    return lambda text, reference: float(sacrebleu.sentence_bleu(text, [reference], tokenize=tokenizer).score)
