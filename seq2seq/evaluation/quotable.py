"""What makes a score doubtful: a tokenizer that does not fit the language, references that are not plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from seq2seq.errors import UserError
from seq2seq.evaluation.metrics import METRICS, Score, bleu_tokenizer
from seq2seq.languages import UNSPACED, primary

CHARACTERS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Of Thai, Lao, Burmese, Khmer, Japanese, Chinese, Korean."""
TOKENIZED = re.compile(r"\s[.,!?;:](\s|$)")


def doubts(references: Sequence[str], metrics: Sequence[str], language: str) -> Iterator[str]:
    """What a reader of the scores should know, a sentence each.

    Args:
        references: of one translator, detokenised as they should be.
        language: of the target.
    """
    count = max(1, len(references))
    tokenizer = bleu_tokenizer(language)
    if "bleu" in metrics and tokenizer == "13a":
        if primary(language) in UNSPACED:
            yield f"BLEU's tokenizer 13a does not fit {language}, which has no spaces between words: quote chrF"
        elif sum(bool(CHARACTERS.search(line)) for line in references) > count / 2:
            yield f"BLEU's tokenizer 13a does not fit this text: name its language instead of {language}"
    if sum(bool(TOKENIZED.search(line)) for line in references) > count / 2:
        yield "the references look tokenised (a space before their punctuation): score the text as people write it"
    text = "".join(references)
    if text == text.lower() and text != text.upper() and count >= 10:
        yield "the references look lower-cased: a score of them is not comparable with one of cased text"


def failures(scores: Sequence[Score], limits: Sequence[str]) -> list[str]:
    """The limits, such as bleu=36 or ter=50, that scores fail: below it, or above where lower is better.

    Raises:
        UserError: a limit is not METRIC=NUMBER, or its metric was not scored.
    """
    found = []
    for limit in limits:
        name, _, text = limit.partition("=")
        try:
            bound = float(text)
        except ValueError:
            raise UserError(f"--fail-under {limit}: must be a metric and a number, as in bleu=36") from None
        chosen = [score for score in scores if score.metric == name]
        if not chosen:
            have = ", ".join(dict.fromkeys(score.metric for score in scores)) or "none"
            raise UserError(f"--fail-under {limit}: {name!r} was not scored (scored: {have})")
        for score in chosen:
            lower = METRICS[name].lower_is_better
            if not (score.value <= bound if lower else score.value >= bound):
                found.append(f"{score.label} {score.value:.2f} is {'above' if lower else 'below'} {bound:g}")
    return found
