"""The coverage penalty against brute force, on scorers whose attention is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.coverage import LEAST, CoverageScorer
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.decoding.scorer import NumpyLogits, Scorer, State
from seq2seq.decoding.search import GRID, beam_search
from seq2seq.decoding.translator import make_processors
from seq2seq.errors import UserError
from seq2seq.nn.seq2seq import Seq2Seq
from tests.decoding.tables import VOCAB, Tables, every_text, tables, wide
from tests.decoding.test_processors import TOKENIZER
from tests.decoding.test_search import sharp_model

LIMIT = 5
LENGTHS = {"none": lambda n: 1, "average": lambda n: n, "wu": lambda n: (5 + n) / 6}
LOOKS = np.random.default_rng(5).dirichlet([0.3] * 4, VOCAB)
"""Of each token: where the step that reads it looks."""


@dataclass
class Looking(Tables):
    """Attention depends on the last token; behind a sentence's end there is none."""

    attention: np.ndarray | None = None
    lengths: np.ndarray | None = None

    def start(self, sources: list[list[int]]) -> "Looking":
        first = super().start(sources).first
        return Looking(self.values, first, lengths=np.array([len(source) for source in sources]))

    def step(self, tokens: np.ndarray, state: "Looking") -> tuple[NumpyLogits, "Looking"]:  # type: ignore[override]
        assert state.lengths is not None
        logits, _ = super().step(tokens, state)
        width = np.arange(state.lengths.max())
        return logits, replace(state, attention=np.stack([LOOKS[t][:, width] for t in tokens]))

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> "Looking":
        chosen = super().select(rows, sentences)
        return replace(self, first=chosen.first, attention=None)


def covered(text: tuple[int, ...], src_len: int) -> float:
    """Sum of log min(attention, 1) over the source without </s>."""
    total = sum(LOOKS[token] for token in [BOS, *text])
    return float(np.log(np.clip(total, LEAST, 1))[: src_len - 1].sum())


@pytest.mark.parametrize("kind", ["none", "average", "wu"])
@pytest.mark.parametrize("weight", [0.5, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_of_all_translations_by_score_and_coverage(seed: int, weight: float, kind: str) -> None:
    config = wide(LIMIT, coverage_penalty=weight, length_penalty=kind)
    sources = [[4, 5, 6, EOS], [5, EOS]]
    scorer = CoverageScorer(Looking(tables(seed).values))
    found = beam_search(scorer, sources, config, make_processors(config, TOKENIZER), 4)
    for source, hypotheses in zip(sources, found, strict=True):
        texts = every_text(tables(seed), source[0], LIMIT)
        scores = {
            text: log / LENGTHS[kind](len(text) + 1) + weight * covered(text, len(source))
            for text, log in texts.items()
        }
        best = sorted(scores, key=lambda text: -scores[text])[:4]
        assert [tuple(h.tokens) for h in hypotheses] == best
        np.testing.assert_allclose([h.score for h in hypotheses], [scores[text] for text in best], atol=GRID)
        np.testing.assert_allclose([h.log_probability for h in hypotheses], [texts[text] for text in best])


def test_a_models_attention_adds_up_along_each_hypothesis() -> None:
    model = sharp_model(2)
    sources = [[4, 5, 6, EOS], [6, EOS]]
    config = wide(6, coverage_penalty=1.0, beam_size=4)
    scorer = CoverageScorer(ModelScorer(model, torch.device("cpu")))
    assert isinstance(scorer, Scorer) and isinstance(scorer.start(sources), State)
    found = beam_search(scorer, sources, config, make_processors(config, TOKENIZER), 4)
    for source, hypotheses in zip(sources, found, strict=True):
        for one in hypotheses:
            coverage = _forced_coverage(model, source, one.tokens)
            assert one.score == pytest.approx(one.log_probability + coverage, abs=2 * GRID)


@torch.no_grad()
def _forced_coverage(model: Seq2Seq, source: list[int], tokens: list[int]) -> float:
    target = torch.tensor([[BOS, *tokens]])
    weights = model(torch.tensor([source]), torch.tensor([len(source)]), target, with_attention=True).attention
    assert weights is not None
    total = weights[0].sum(0)[: len(source) - 1]
    return float(total.clamp(LEAST, 1).log().sum())


def test_a_scorer_without_attention_is_refused() -> None:
    config = wide(LIMIT, coverage_penalty=1.0)
    with pytest.raises(UserError, match=r"decoding\.coverage_penalty: this model has no attention"):
        beam_search(CoverageScorer(tables(1)), [[4, EOS]], config, make_processors(config, TOKENIZER))


def test_pads_are_no_words() -> None:
    """What shares the batch changes nothing."""
    config = wide(LIMIT, coverage_penalty=2.0)
    scorer, processors = CoverageScorer(Looking(tables(1).values)), make_processors(config, TOKENIZER)
    alone = beam_search(scorer, [[5, EOS]], config, processors)[0]
    assert beam_search(scorer, [[4, 5, 6, EOS], [5, EOS]], config, processors)[1] == alone
