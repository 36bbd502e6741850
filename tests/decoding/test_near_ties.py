"""Translations do not depend on rounding, which may differ from batch to batch."""

import random

import numpy as np
import pytest
import torch

from seq2seq import recipe
from seq2seq.data.tokenization import EOS, PAD
from seq2seq.decoding import search
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.decoding.scorer import NumpyLogits
from seq2seq.decoding.search import beam_search, search_all
from seq2seq.errors import UserError
from seq2seq.nn.seq2seq import Seq2Seq
from tests.decoding.tables import wide

VOCAB = 12


class Bags:
    """Next tokens do not depend on what was written, so that permutations have equal scores but for some noise."""

    def __init__(self, seed: int, noise: int) -> None:
        self.values = np.random.default_rng(seed).normal(0, 1, VOCAB)
        self.noise = np.random.default_rng(noise)

    def start(self, sources: list[list[int]]) -> "Bags":
        return self

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> "Bags":
        return self

    def step(self, tokens: np.ndarray, state: "Bags") -> tuple[NumpyLogits, "Bags"]:
        noise = self.noise.uniform(-1e-6, 1e-6, (*tokens.shape, VOCAB))
        return NumpyLogits(self.values + noise), state


def differing(grid: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """Of 20 scorers those that noise makes translate differently."""
    monkeypatch.setattr(search, "GRID", grid)
    config = wide(7, beam_size=8)
    with np.errstate(over="ignore"):
        found = [
            [beam_search(Bags(i, noise), [[4, EOS]], config, n_best=5)[0] for noise in range(4)] for i in range(20)
        ]
    return sum(any([h.tokens for h in f] != [h.tokens for h in same[0]] for f in same) for same in found)


def test_permutations_of_equal_scores_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing(search.GRID, monkeypatch) == 0
    assert differing(1e-7, monkeypatch) > 0  # what would happen else


def random_model(seed: int) -> Seq2Seq:
    """Any architecture, tiny, in fp32."""
    generator = random.Random(seed)
    torch.manual_seed(seed)
    cells = ["rnn", "lstm", "gru", "mingru", "sru", "ssru"]
    attentions = ["bahdanau", "luong_dot", "luong_general", "luong_concat", "scaled_dot", "none", "location"]
    while True:
        size, choose = generator.choice([4, 8, 16]), generator.choice
        encoder = {"cell": choose(cells), "hidden_size": size, "layers": choose([1, 2])}
        decoder = {"cell": choose(cells), "hidden_size": choose([size, 2 * size]), "layers": choose([1, 2])}
        decoder |= {"attention": choose(attentions), "input_feeding": choose([True, False])}
        try:
            config = recipe.ModelConfig.model_validate(
                {"embedding": {"size": 8}, "encoder": encoder, "decoder": decoder}
            )
        except (UserError, ValueError):  # not every combination is a model
            continue
        model = Seq2Seq(config, VOCAB, VOCAB, PAD).eval()
        with torch.no_grad():
            scale = generator.choice([0.3, 1, 3])
            for weight in model.parameters():
                weight.mul_(scale)
        return model


@pytest.mark.parametrize("seed", range(8))
def test_random_models_translate_alike_in_any_batch(seed: int) -> None:
    scorer, generator = ModelScorer(random_model(seed), torch.device("cpu")), random.Random(seed)
    sources = [[generator.randrange(4, VOCAB) for _ in range(generator.randrange(8))] + [EOS] for _ in range(6)]
    for beam in (5, 40):
        config = recipe.DecodingConfig(beam_size=beam, max_length=recipe.MaxLengthConfig(ratio=1.0, offset=4))
        found = [search_all(scorer, sources, config, batch_size=size, n_best=2) for size in (1, 4, 6)]
        texts = [[[h.tokens for h in some] for some in batch] for batch in found]
        assert texts[0] == texts[1] == texts[2]
