"""Diverse beam search against the paper's algorithm, written down for one sentence and all groups step by step."""

import math
from collections import Counter

import numpy as np
import pytest

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.diverse import diverse_beam_search
from seq2seq.decoding.search import GRID, beam_search, search_all
from tests.decoding.tables import Tables, tables, wide

Text = tuple[int, ...]
LIMIT = 7


class Group:
    """A beam of `size` for one sentence."""

    def __init__(self, logs: np.ndarray, size: int) -> None:
        self.logs, self.size = logs, size
        self.open: list[tuple[float, Text]] = [(0.0, (BOS,))]
        self.ended: list[tuple[float, Text]] = []

    def step(self, last: bool, cost: Counter[int]) -> list[int]:
        """The tokens that it writes, where `cost` is what others have written here."""
        following = [
            (score + self.logs[text[-1], token] - cost[token], (*text, token))
            for score, text in self.open
            for token in ([EOS] if last else [EOS, *range(4, 7)])
        ]
        ranked = sorted(following, key=lambda one: -one[0])[: 2 * self.size]
        self.ended += [one for one in ranked[: self.size] if one[1][-1] == EOS]
        self.ended = sorted(self.ended, key=lambda one: -one[0])[: self.size]
        self.open = [one for one in ranked if one[1][-1] != EOS][: self.size]
        full = len(self.ended) >= self.size or (self.size == 1 and self.ended)
        if not self.open or (full and (self.size == 1 or self.open[0][0] <= self.ended[-1][0])):
            self.open = []
        return [text[-1] for _, text in self.open]


def by_the_paper(table: Tables, first: int, groups: int, size: int, strength: float) -> list[tuple[float, Text]]:
    logs = table.values[first] - np.log(np.exp(table.values[first]).sum(-1, keepdims=True))
    beams = [Group(logs, size) for _ in range(groups)]
    for t in range(LIMIT):
        cost: Counter[int] = Counter()
        for beam in beams:
            for token in beam.step(t == LIMIT - 1, Counter({k: strength * n for k, n in cost.items()})):
                cost[token] += 1
    best: dict[Text, float] = {}
    for score, text in sorted((one for beam in beams for one in beam.ended), key=lambda one: -one[0]):
        best.setdefault(text[1:-1], score)
    return [(score, text) for text, score in best.items()]


def config_of(groups: int, size: int, strength: float) -> recipe.DecodingConfig:
    return wide(LIMIT, beam_size=groups * size, diversity={"groups": groups, "strength": strength})


@pytest.mark.parametrize(("groups", "size"), [(2, 1), (2, 2), (3, 2), (4, 1), (2, 3)])
@pytest.mark.parametrize("strength", [0.3, 2.5])
@pytest.mark.parametrize("seed", range(4))
def test_what_the_algorithm_of_the_paper_finds(seed: int, groups: int, size: int, strength: float) -> None:
    sources = [[4, EOS], [5, 6, EOS], [6, EOS], [4, 4, EOS]]
    config = config_of(groups, size, strength)
    found = diverse_beam_search(tables(seed), sources, config, n_best=groups * size)
    for source, hypotheses in zip(sources, found, strict=True):
        expected = by_the_paper(tables(seed), source[0], groups, size, strength)
        assert [tuple(h.tokens) for h in hypotheses] == [text for _, text in expected]
        np.testing.assert_allclose([h.score for h in hypotheses], [score for score, _ in expected], atol=GRID)


def test_the_first_group_is_a_beam_search_and_the_others_differ() -> None:
    (hypotheses,) = diverse_beam_search(tables(3), [[4, EOS]], config_of(3, 2, 3.0), n_best=6)
    own = beam_search(tables(3), [[4, EOS]], wide(LIMIT, beam_size=2), n_best=2)[0]
    assert set(map(_tokens, own)) <= set(map(_tokens, hypotheses))
    plain = beam_search(tables(3), [[4, EOS]], wide(LIMIT, beam_size=6), n_best=6)[0]
    assert len({h.tokens[0] for h in hypotheses if h.tokens}) > len({h.tokens[0] for h in plain if h.tokens})
    assert math.isclose(max(h.score for h in hypotheses), own[0].score)


def _tokens(hypothesis: object) -> Text:
    return tuple(getattr(hypothesis, "tokens"))  # noqa: B009


def test_a_sentence_finds_the_same_in_any_company() -> None:
    sources = [[4, 5, EOS], [5, EOS], [4, 5, EOS], [6, 6, 4, EOS]]
    config = config_of(2, 2, 1.0)
    together = search_all(tables(2), sources, config, batch_size=4, n_best=4, search=diverse_beam_search)
    alone = [search_all(tables(2), [s], config, n_best=4, search=diverse_beam_search)[0] for s in sources]
    assert together == alone


def test_groups_share_the_beam_out_evenly() -> None:
    with pytest.raises(ValueError, match="beam_size 5 cannot be shared out evenly to 2 groups"):
        recipe.DecodingConfig.model_validate({"diversity": {"groups": 2}})
