"""Diverse beam search (Vijayakumar et al. 2018, algorithm 1): groups of hypotheses that keep apart.

A group is a beam search of its own in which a token costs `strength` for each hypothesis of the groups before that has
the same one at the same place (the paper's Hamming diversity). No group looks at those behind it, so they can run one
after the other, whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from seq2seq.decoding.processors import Prefixes, Processor
from seq2seq.decoding.scorer import Logits, Scorer
from seq2seq.decoding.search import Hypothesis, beam_search

if TYPE_CHECKING:
    from seq2seq.recipe import DecodingConfig
else:  # an exported model translates where no pydantic is installed
    DecodingConfig = Any

Place = tuple[int, int]
"""A sentence of the batch, and a place in its translations."""


class Diversity:
    """What other groups have written costs `strength` nats."""

    changes_scores = True

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self._others: dict[Place, Counter[int]] = defaultdict(Counter)
        self._own: dict[Place, Counter[int]] = defaultdict(Counter)

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        place = prefixes.tokens.shape[-1]
        for row, sentence in enumerate(prefixes.sentences.tolist()):
            self._own[sentence, place - 1].update(prefixes.tokens[row, :, -1].tolist())
            for token, count in self._others[sentence, place].items():
                logits.values[row, :, token] -= self.strength * count

    def next_group(self) -> None:
        """What has been written since the last call is now another group's."""
        for place, tokens in self._own.items():
            self._others[place].update(tokens)
        self._own.clear()


def diverse_beam_search(
    scorer: Scorer,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
    processors: Sequence[Processor] = (),
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """As `beam_search`; the beam is shared out evenly to `config.diversity.groups`."""
    assert config.diversity is not None
    size = config.beam_size // config.diversity.groups
    group: Any = SimpleNamespace(**{**vars(config), "beam_size": size})
    diversity = Diversity(config.diversity.strength)
    found: list[list[Hypothesis]] = [[] for _ in sources]
    for _ in range(config.diversity.groups):
        hypotheses = beam_search(scorer, sources, group, [diversity, *processors], size)
        found = [before + own for before, own in zip(found, hypotheses, strict=True)]
        diversity.next_group()
    return [_best(of_groups)[:n_best] for of_groups in found]


def _best(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    """Best first, those of equal score in the order of their groups; of equal texts the best."""
    best: dict[tuple[int, ...], Hypothesis] = {}
    for one in sorted(hypotheses, key=lambda one: -one.score):
        best.setdefault(tuple(one.tokens), one)
    return list(best.values())
