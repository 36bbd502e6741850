"""Texts to lines, translations to answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

from seq2seq.decoding.translation import Translation
from seq2seq.documents.html import Html
from seq2seq.documents.plain import Plain
from seq2seq.languages import has_spaces
from seq2seq.serving.batching import Batcher, Way
from seq2seq.serving.models import Pair
from seq2seq.serving.requests import Asked


async def answer(asked: Asked, pair: Pair, batcher: Batcher) -> dict[str, Any]:
    """A request's answer, as LibreTranslate writes it.

    Raises:
        Refusal: too many lines wait.
    """
    placing = asked.html and pair.aligns and has_spaces(pair.source) and has_spaces(pair.target)
    documents = [Html(text, placing) if asked.html else Plain(text) for text in asked.texts]
    way = Way(pair, min(1 + asked.alternatives, pair.most), placing or "alignment" in asked.extras)
    lines = [line for document in documents for line in document.texts]
    translated = iter(await batcher.translate(lines, way))
    found = [list(islice(translated, len(document.texts))) for document in documents]
    answers = [_of_text(document, of, asked) for document, of in zip(documents, found, strict=True)]
    if asked.listed:
        return {name: [one[name] for one in answers] for name in answers[0]}
    return answers[0]


def _of_text(document: Html | Plain, found: Sequence[Translation], asked: Asked) -> dict[str, Any]:
    """The answer to one text."""
    best = document.render(found)
    result: dict[str, Any] = {"translatedText": best}
    if asked.alternatives:
        count = min(asked.alternatives, max((len(one.candidates) for one in found), default=1) - 1)
        others = (document.render(found, choice) for choice in range(1, count + 1))
        result["alternatives"] = [text for text in dict.fromkeys(others) if text != best]
    if "scores" in asked.extras:
        result |= _scores(found)
    if "alignment" in asked.extras:
        result["alignment"] = _alignment(found)
    if "confidence" in asked.extras:
        result |= _confidence(found)
    return result


def _scores(found: Sequence[Translation]) -> dict[str, float]:
    """What the search compares, as a mean of the lines, and the log-probability of all."""
    best = [one.candidates[0] for one in found]
    return {
        "score": math.fsum(one.score for one in best) / max(1, len(best)),
        "logProbability": math.fsum(one.log_probability for one in best),
    }


def _alignment(found: Sequence[Translation]) -> list[list[int]] | None:
    """Places of source and target words of the whole text, from 0; None: the model has no attention."""
    links: list[list[int]] = []
    source = target = 0
    for one in found:
        if one.alignment is None:
            return None
        links += [[source + s, target + t] for s, t in one.alignment]
        source, target = source + len(one.source.split()), target + len(one.text.split())
    return links


def _confidence(found: Sequence[Translation]) -> dict[str, Any]:
    """Of the text, the mean over its words; and of each word."""
    best = [one.candidates[0] for one in found]
    words = [round(p, 4) for one in best for p in one.word_confidences]
    total = math.fsum(one.confidence * len(one.word_confidences) for one in best)
    return {"confidence": round(total / max(1, len(words)), 4), "wordConfidences": words}
