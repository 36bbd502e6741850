"""Text in, text out: one translation for every line, in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import torch

from seq2seq import recipe
from seq2seq.bundle import Bundle
from seq2seq.data.batching import pad
from seq2seq.data.tokenization import EOS
from seq2seq.decoding.beam_search import Hypothesis, Model, beam_search
from seq2seq.decoding.translation import Candidate, Translation, cut
from seq2seq.languages import has_spaces


class Translator:
    """Translates lines of text with a trained model.

    Args:
        settings: how to search; None: as the recipe said.
        batch_size: sentences translated together; changes speed and memory, never a translation (in fp32).
    """

    def __init__(self, bundle: Bundle, settings: recipe.DecodingConfig | None = None, batch_size: int = 32) -> None:
        self.bundle = bundle
        self.settings = settings or bundle.config.decoding
        self.batch_size = batch_size

    def translate(self, lines: Sequence[str], n_best: int = 1) -> list[Translation]:
        """One translation a line; blank lines give blank ones."""
        pieces = [self._pieces(line) for line in lines]
        encoded = list(itertools.chain.from_iterable(pieces))
        device = next(self.bundle.model.parameters()).device
        found = iter(
            search_all(self.bundle.model, encoded, self.settings, device, batch_size=self.batch_size, n_best=n_best)
        )
        return [
            self._join(line, [next(found) for _ in parts], n_best) for line, parts in zip(lines, pieces, strict=True)
        ]

    def stream(self, lines: Iterable[str], n_best: int = 1, chunk: int = 1024) -> Iterator[Translation]:
        """`translate` for any number of lines, `chunk` at a time."""
        iterator = iter(lines)
        while batch := list(itertools.islice(iterator, chunk)):
            yield from self.translate(batch, n_best)

    def _pieces(self, line: str) -> list[list[int]]:
        """The line's tokens with </s>, cut where it is longer than the sentences that the model has seen."""
        if not line.strip():
            return []
        tokens = self.bundle.src_tokenizer.encode_batch([line])[0]
        limit = self.bundle.config.max_length or 1000
        return [[*piece, EOS] for piece in cut(tokens, self.bundle.src_tokenizer, limit)]

    def _join(self, line: str, pieces: list[list[Hypothesis]], n_best: int) -> Translation:
        if not pieces:
            return Translation(line, [Candidate("", 0.0, 0.0)], 0)
        decode = self.bundle.tgt_tokenizer.decode
        if len(pieces) == 1:
            candidates = [Candidate(decode(h.tokens), h.score, h.log_probability) for h in pieces[0]]
            by_text = {candidate.text: candidate for candidate in reversed(candidates)}
            return Translation(line, sorted(by_text.values(), key=lambda c: -c.score)[:n_best])
        best = [hypotheses[0] for hypotheses in pieces]
        blank = " " if has_spaces(self.bundle.config.tgt) else ""
        text = blank.join(decode(h.tokens) for h in best)
        whole = Candidate(text, sum(h.score for h in best) / len(best), sum(h.log_probability for h in best))
        return Translation(line, [whole], len(pieces))


def search_all(
    model: Model,
    sentences: Sequence[Sequence[int]],
    settings: recipe.DecodingConfig,
    device: torch.device,
    batch_size: int = 32,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """Beam search for any number of sentences, batched by length; the hypotheses in the sentences' order.

    Args:
        sentences: source tokens with </s>.
    """
    order = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
    found: list[list[Hypothesis]] = [[] for _ in sentences]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        src, lengths = pad([sentences[i] for i in rows])
        for i, hypotheses in zip(
            rows, beam_search(model, src.to(device), lengths.to(device), settings, n_best), strict=True
        ):
            found[i] = hypotheses
    return found
