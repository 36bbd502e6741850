"""Beam search against brute force, and the rules that it must keep."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS, PAD
from seq2seq.decoding.model_scorer import ModelScorer, TorchLogits, top_k
from seq2seq.decoding.scorer import Logits, NumpyLogits, Scorer, State
from seq2seq.decoding.search import GRID, Hypothesis, beam_search, normalize, rank, search_all
from seq2seq.nn.seq2seq import Seq2Seq
from tests.decoding.tables import tables

VOCAB = 7  # four special tokens and three words
PENALTIES = [
    recipe.NoPenaltyConfig(kind="none"),
    recipe.AveragePenaltyConfig(kind="average"),
    recipe.WuPenaltyConfig(kind="wu"),
]


def sharp_model(seed: int, feeding: bool = False) -> Seq2Seq:
    """An untrained model with large weights, so that its choices differ from step to step."""
    torch.manual_seed(seed)
    config = recipe.ModelConfig(
        embedding=recipe.EmbeddingConfig(size=5),
        encoder=recipe.EncoderConfig(hidden_size=4),
        decoder=recipe.DecoderConfig(hidden_size=6, input_feeding=feeding),
    )
    model = Seq2Seq(config, VOCAB, VOCAB, PAD).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def scorer(model: Seq2Seq) -> ModelScorer:
    return ModelScorer(model, torch.device("cpu"))


def log_probability(model: Seq2Seq, src: list[int], tokens: list[int]) -> float:
    """Of the tokens and </s>, by teacher forcing."""
    source, lengths = torch.tensor([src]), torch.tensor([len(src)])
    states = model(source, lengths, torch.tensor([[BOS, *tokens]])).states
    log_probabilities = model.logits(states).log_softmax(-1)[0]
    return sum(log_probabilities[i, token].item() for i, token in enumerate([*tokens, EOS]))


def brute_force(model: Seq2Seq, src: list[int], limit: int, penalty: recipe.AnyPenalty) -> list[Hypothesis]:
    """Every translation of at most `limit` tokens with </s>, best first."""
    found = []
    for length in range(limit):
        for tokens in itertools.product(range(4, VOCAB), repeat=length):
            value = log_probability(model, src, list(tokens))
            found.append(Hypothesis(list(tokens), [value], float(normalize(np.array(value), length + 1, penalty))))
    return sorted(found, key=lambda h: -h.score)


def decoding(beam: int, penalty: recipe.AnyPenalty, limit: int) -> recipe.DecodingConfig:
    return recipe.DecodingConfig(
        beam_size=beam, length_penalty=penalty, max_length=recipe.MaxLengthConfig(ratio=0.0, offset=limit)
    )


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.kind)
@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_equals_brute_force(seed: int, penalty: recipe.AnyPenalty) -> None:
    model, limit = sharp_model(seed, feeding=seed % 2 == 0), 4
    sources = [[4, 5, EOS], [6, EOS]]
    found = beam_search(scorer(model), sources, decoding(100, penalty, limit), n_best=5)
    for source, hypotheses in zip(sources, found, strict=True):
        expected = brute_force(model, source, limit, penalty)[:5]
        assert [h.tokens for h in hypotheses] == [h.tokens for h in expected]
        for a, b in zip(hypotheses, expected, strict=True):
            assert math.isclose(a.score, b.score, abs_tol=GRID)
            assert math.isclose(a.log_probability, b.log_probability, abs_tol=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.kind)
@pytest.mark.parametrize("seed", range(4))
def test_search_stops_only_when_nothing_can_win(seed: int, penalty: recipe.AnyPenalty) -> None:
    """The n-th best of n = 4 comes from a longer search than the best of n = 1: the best must be the same."""
    model = sharp_model(seed)
    one = beam_search(scorer(model), [[4, 5, 6, EOS]], decoding(4, penalty, 12), n_best=1)[0]
    four = beam_search(scorer(model), [[4, 5, 6, EOS]], decoding(4, penalty, 12), n_best=4)[0]
    assert one[0] == four[0]
    assert len({tuple(h.tokens) for h in four}) == len(four)
    assert [h.score for h in four] == sorted((h.score for h in four), reverse=True)


def greedy(model: Seq2Seq, src: list[int], limit: int) -> list[int]:
    """The likeliest token at each step, by teacher forcing over and over."""
    tokens: list[int] = []
    while len(tokens) < limit - 1:
        states = model(torch.tensor([src]), torch.tensor([len(src)]), torch.tensor([[BOS, *tokens]])).states
        logits = model.logits(states)[0, -1]
        logits[[0, 1, 3]] = -torch.inf
        token = int(logits.argmax())
        if token == EOS:
            break
        tokens.append(token)
    return tokens


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    model = sharp_model(seed)
    src = [4, 6, 5, EOS]
    found = beam_search(scorer(model), [src], decoding(1, PENALTIES[2], 8))
    assert found[0][0].tokens == greedy(model, src, 8)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.lists(st.integers(0, 8), min_size=1, max_size=9), st.integers(1, 9), st.integers(1, 6))
def test_translations_do_not_depend_on_the_batch(seed: int, sizes: list[int], batch_size: int, beam: int) -> None:
    model = sharp_model(seed % 50)
    generator = torch.Generator().manual_seed(seed)
    sentences = [[*torch.randint(4, VOCAB, (n,), generator=generator).tolist(), EOS] for n in sizes]
    options = recipe.DecodingConfig(beam_size=beam)
    alone = [search_all(scorer(model), [s], options)[0][0].tokens for s in sentences]
    together = search_all(scorer(model), sentences, options, batch_size=batch_size)
    assert [found[0].tokens for found in together] == alone


def test_every_hypothesis_ends_within_the_limit_and_is_scored_with_its_end() -> None:
    model = sharp_model(3)
    with torch.no_grad():
        model.output.bias[EOS] = -30  # it would never end by itself
    src = [4, 5, EOS]
    found = beam_search(scorer(model), [src], decoding(3, PENALTIES[0], 5), n_best=3)[0]
    assert all(len(h.tokens) == 4 for h in found)
    for h in found:
        assert math.isclose(h.log_probability, log_probability(model, src, h.tokens), rel_tol=1e-6)


def test_a_broken_model_ends_too() -> None:
    model = sharp_model(1)
    with torch.no_grad():
        model.output.bias.fill_(torch.nan)
    found = beam_search(scorer(model), [[4, EOS]], recipe.DecodingConfig())
    assert found == [[]]


@settings(max_examples=50)
@given(st.integers(1, 5), st.integers(1, 2000), st.integers(1, 12), st.integers(0, 99))
def test_top_k_equals_torch(rows: int, width: int, k: int, seed: int) -> None:
    values = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    k = min(k, width)
    expected = values.topk(k, -1)
    best, places = top_k(values, k)
    assert torch.equal(best, expected.values)
    assert torch.equal(places, expected.indices)


def test_length_penalties() -> None:
    value = np.array(-6.0)
    none, average, wu = PENALTIES
    assert normalize(value, 3, none).item() == -6
    assert normalize(value, 3, average).item() == -2
    assert math.isclose(normalize(value, 7, wu).item(), -3, abs_tol=1e-6)  # (5 + 7) / 6 = 2


def test_model_and_tables_fulfil_the_protocol() -> None:
    assert isinstance(scorer(sharp_model(1)), Scorer) and isinstance(tables(1), Scorer)
    logits, state = scorer(sharp_model(1)).step(np.array([[BOS]]), scorer(sharp_model(1)).start([[4, EOS]]))
    assert isinstance(logits, Logits) and isinstance(state, State)
    assert isinstance(tables(1), State) and isinstance(NumpyLogits(np.zeros((1, 1, VOCAB))), Logits)


def test_translating_needs_neither_torch_nor_the_schema() -> None:
    code = "import sys, seq2seq.decoding.translator; sys.exit(bool({'torch', 'pydantic'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("vocab", [12, 50, 3000, 3001, 8007])
def test_logits_in_numpy_and_in_torch_agree(vocab: int) -> None:
    values = np.random.default_rng(vocab).normal(size=(2, 3, vocab))
    ours, theirs = NumpyLogits(values.copy()), TorchLogits(torch.from_numpy(values.copy()))
    for a, b in zip(ours.top(7), theirs.top(7), strict=True):
        np.testing.assert_allclose(a, b)
    assert all(best.shape == (2, 3, vocab) for best, _ in (ours.top(vocab + 1), theirs.top(vocab + 1)))
    parents, tokens = np.array([[0, 2], [1, 1]]), np.array([[4, 9], [5, 2]])
    np.testing.assert_allclose(ours.take(parents, tokens), theirs.take(parents, tokens))
    copied = ours.copy(), theirs.copy()
    for logits in (ours, theirs):
        logits.values[:] = 0
    for logits in copied:
        np.testing.assert_allclose(logits.take(parents, tokens), NumpyLogits(values.copy()).take(parents, tokens))


@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 50), st.integers(0, 99))
def test_ranks_are_by_grid_then_by_place(rows: int, width: int, k: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(-5, 0, (rows, width)) * 1.0
    scores[generator.random((rows, width)) < 0.2] = -np.inf
    noise = generator.uniform(-0.4 * GRID, 0.4 * GRID, scores.shape)
    expected = np.argsort(-scores, 1, kind="stable")[:, :k]
    assert (rank(scores + noise, k) == expected).all()
