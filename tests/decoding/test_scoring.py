"""What scoring says of a translation is what the search said of it; attention step by step."""

import math

import pytest
import torch

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.scoring import attention_weights, score
from seq2seq.decoding.search import search_all
from tests.decoding.test_search import scorer, sharp_model

SOURCES = [[4, 5, EOS], [6, EOS], [5, 5, 6, 4, EOS], [4, EOS]]


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_that_the_search_reports(seed: int) -> None:
    model = sharp_model(seed, feeding=seed % 2 == 0).float()
    found = search_all(scorer(model), SOURCES, recipe.DecodingConfig(beam_size=4), n_best=3)
    pairs = [(src, h) for src, some in zip(SOURCES, found, strict=True) for h in some]
    targets = [[*h.tokens, EOS] for _, h in pairs]
    for (_, h), logs in zip(pairs, score(model, [src for src, _ in pairs], targets, batch_size=5), strict=True):
        assert logs == pytest.approx(h.token_log_probabilities, abs=1e-5)
        assert h.log_probability == pytest.approx(math.fsum(logs), abs=1e-5)


@pytest.mark.parametrize("feeding", [False, True])
def test_attention_is_that_of_the_steps(feeding: bool) -> None:
    model, src, tgt = sharp_model(2, feeding), [4, 6, EOS], [5, 4, 6, EOS]
    weights = attention_weights(model, src, tgt)
    memory = model.encode(torch.tensor([src]), torch.tensor([len(src)]))
    state, expected = model.start(memory), []
    for token in [BOS, *tgt[:-1]]:
        _, state = model.step(torch.tensor([[token]]), state, memory)
        assert state.attention is not None
        expected.append(state.attention[0, 0])
    assert weights is not None
    torch.testing.assert_close(weights, torch.stack(expected).float())
