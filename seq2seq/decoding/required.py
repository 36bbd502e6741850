"""Phrases that translations must hold: lexical constraints by dynamic beam allocation (Post & Vilar 2018).

At each step the beam is shared out among hypotheses by how many tokens they still need for their phrases (the paper's
banks), so that those which have written a phrase are not crowded out by likelier ones which have not. What has been
written is read as text: a phrase counts however it is cut into tokens, and only as whole words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq.data.tokenization import EOS, PAD, Tokenizer
from seq2seq.decoding.constraints import tokens_of
from seq2seq.decoding.processors import Prefixes
from seq2seq.decoding.scorer import Logits
from seq2seq.decoding.search import on_grid, rank

Tokens = tuple[int, ...]
ANY_ORDER = 6
"""So many phrases are tried in every order to learn how few tokens they need, where they overlap; more would take
long."""


class Phrases:
    """What one sentence's translations must hold.

    Args:
        spaced: whether the target language puts spaces between words: then phrases are whole words.

    Raises:
        UserError: the vocabulary has no tokens for a phrase.
    """

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer, spaced: bool) -> None:
        self.texts = [text for text in dict.fromkeys(" ".join(text.split()) for text in texts) if text]
        self._decode = tokenizer.decode
        self._patterns = [found_in(text, tokenizer, spaced) for text in self.texts]
        self._forms = [list(_forms(text, tokenizer, spaced)) for text in self.texts]
        self._longest = max((len(form) for forms in self._forms for form in forms), default=0)
        self._known: dict[tuple[Tokens, Tokens], int] = {}  # after a form, so that it stays small

    def missing(self, text: str) -> list[str]:
        """Those that a text does not hold."""
        return [phrase for phrase, pattern in zip(self.texts, self._patterns, strict=True) if not pattern.search(text)]

    def needed(self, tokens: Tokens) -> int:
        """The fewest further tokens with which a translation that begins so holds all."""
        return self._fewest(tokens[-self._longest :], self._unmet(tokens))

    def steps(self, tokens: Tokens) -> Iterator[int]:
        """The tokens that may come next to write a phrase, or </s> where all are written."""
        unmet = self._unmet(tokens)
        if not unmet:
            yield EOS
        for form in (form for i in unmet for form in self._forms[i]):
            yield form[0]
            yield form[_overlap(tokens, form)]

    def _unmet(self, tokens: Tokens) -> Tokens:
        text = self._decode(tokens)
        return tuple(i for i, pattern in enumerate(self._patterns) if not pattern.search(text))

    def _fewest(self, tail: Tokens, unmet: Tokens) -> int:
        first = unmet if len(unmet) <= ANY_ORDER else unmet[:1]
        forms = (form for i in first for form in self._forms[i])
        return min((len(form) - _overlap(tail, form) + self._after(form, unmet) for form in forms), default=0)

    def _after(self, form: Tokens, unmet: Tokens) -> int:
        """The fewest tokens for the rest, where one of the phrases has just been written."""
        if (form, unmet) not in self._known:
            text = self._decode(form)
            rest = (i for i in unmet if form not in self._forms[i] and not self._patterns[i].search(text))
            self._known[form, unmet] = self._fewest(form, tuple(rest))
        return self._known[form, unmet]


def found_in(phrase: str, tokenizer: Tokenizer, spaced: bool) -> re.Pattern[str]:
    """Finds a phrase in what `tokenizer` decodes: as whole words, where words have spaces between them."""
    text = " ".join(tokenizer.normalize(phrase).split())
    before = r"(?<!\w)" if spaced and re.match(r"\w", text) else ""
    after = r"(?!\w)" if spaced and re.search(r"\w\Z", text) else ""
    return re.compile(before + re.escape(text) + after)


def _forms(phrase: str, tokenizer: Tokenizer, spaced: bool) -> Iterator[Tokens]:
    """The tokens that write a phrase after a space, and those without one where words have none between them."""
    tokens = tokens_of(phrase, tokenizer, f"required phrase {phrase!r}")
    yield tuple(tokens)
    if not spaced:
        yield tuple(tokenizer.without_space(tokens))


def _overlap(written: Tokens, form: Tokens) -> int:
    """How many of a form's first tokens, but not all, are the last that were written."""
    longest = min(len(written), len(form) - 1)
    return next((n for n in range(longest, 0, -1) if written[-n:] == form[:n]), 0)


class RequiredPhrases:
    """Shares the beam out: of each sentence that has phrases, so many extensions stay possible as the beam holds.

    It has to be the last processor, since it looks at what the others have left.

    Args:
        phrases: of each sentence that is searched; None: it has none.
        beam_size: hypotheses kept at each step.
    """

    changes_scores = False

    def __init__(self, phrases: Sequence[Phrases | None], beam_size: int) -> None:
        self.phrases, self.beam_size = phrases, beam_size

    def of(self, sentences: Sequence[int]) -> RequiredPhrases:
        """For a batch of some of the sentences."""
        return RequiredPhrases([self.phrases[i] for i in sentences], self.beam_size)

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        needs = [self.phrases[i] for i in prefixes.sentences]
        if not any(needs):
            return
        assert prefixes.scores is not None
        best, tokens = logits.top(self.beam_size)
        likely = best + prefixes.scores[..., None]
        pairs: list[list[tuple[int, int]]] = []
        for row, phrases in enumerate(needs):
            pairs.append([] if phrases is None else _offered(likely[row], tokens[row], prefixes.tokens[row], phrases))
        width = max(map(len, pairs))
        padded = np.array([[*found, *[(0, PAD)] * (width - len(found))] for found in pairs])  # PAD is never possible
        parents, words = padded[..., 0], padded[..., 1]
        scores = np.take_along_axis(prefixes.scores, parents, 1) + logits.take(parents, words)
        for row, phrases in enumerate(needs):
            if phrases is None:
                continue
            written = [(*prefixes.tokens[row, b, 1:].tolist(), t) for b, t in pairs[row]]
            kept = _shared_out(scores[row], written, phrases, int(prefixes.limits[row]), self.beam_size)
            at = parents[row, kept], words[row, kept]
            values = logits.values[row, at[0], at[1]] + 0
            logits.values[row] = -np.inf
            logits.values[row, at[0], at[1]] = values


def _offered(likely: np.ndarray, tokens: np.ndarray, prefixes: np.ndarray, phrases: Phrases) -> list[tuple[int, int]]:
    """A sentence's candidates, hypothesis and token: the best of all, the best of each, and all that phrases ask for.

    Args:
        likely, tokens: the best extensions of each hypothesis [beam, count].
    """
    beam, count = tokens.shape
    places = rank(likely.reshape(1, -1), max(beam, count))[0].tolist()
    found = dict.fromkeys((place // count, int(tokens.reshape(-1)[place])) for place in places)
    for hypothesis in np.isfinite(likely[:, 0]).nonzero()[0].tolist():
        found[hypothesis, int(tokens[hypothesis, 0])] = None
        found |= dict.fromkeys((hypothesis, t) for t in phrases.steps(tuple(prefixes[hypothesis, 1:].tolist())))
    return list(found)


def _shared_out(
    scores: np.ndarray, written: Sequence[Tokens], phrases: Phrases, limit: int, beam_size: int
) -> list[int]:
    """Which candidates go on: the best of each bank, then the second of each, as long as there is room.

    Args:
        scores: of the candidates, and behind them of padding.
        written: by the candidates, their last token included.
        limit: tokens of the longest translation, with </s>.
    """
    ranked: dict[int, int] = {}
    order: list[tuple[int, int, int]] = []
    for place in np.argsort(-on_grid(scores[: len(written)]), kind="stable").tolist():
        tokens = written[place]
        ends = tokens[-1] == EOS
        needed = phrases.needed(tokens[:-1] if ends else tokens)
        fits = needed == 0 if ends else len(tokens) + needed < limit
        if np.isfinite(scores[place]) and fits:
            ranked[needed] = ranked.get(needed, -1) + 1
            order.append((ranked[needed], needed, place))
    return [place for _, _, place in sorted(order)[:beam_size]]
