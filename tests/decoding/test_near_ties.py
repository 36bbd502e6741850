"""Translations do not depend on rounding, which may differ from batch to batch."""

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq import recipe
from seq2seq.analysis.selftest import BATCH_SIZES
from seq2seq.data.tokenization import BOS, EOS, PAD
from seq2seq.decoding import search
from seq2seq.decoding.coverage import CoverageScorer
from seq2seq.decoding.diverse import diverse_beam_search
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.decoding.scorer import NumpyLogits, Scorer
from seq2seq.decoding.search import Hypothesis, beam_search, search_all
from seq2seq.decoding.translator import make_processors
from seq2seq.nn.seq2seq import Seq2Seq
from tests.decoding.tables import wide
from tests.nn.test_seq2seq import ATTENTIONS, BRIDGES, CELLS, DIRECTIONS, INPUTS, READOUTS

VOCAB = 12
TOKENIZER: Any = SimpleNamespace(blanks=[])
"""What these options need of one."""


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


def random_model(seed: int, vocab: int = VOCAB) -> Seq2Seq:
    """Any architecture, tiny, in fp32, its first weights as they are, smaller or larger."""
    generator = random.Random(seed)
    torch.manual_seed(seed)
    choose = generator.choice
    while True:
        size, inputs = choose([4, 8]), [None, None, generator.sample(INPUTS, generator.randint(1, 3))]
        connections = ["plain", "plain", "residual", "highway", "dense"]
        encoder = {"cell": choose(CELLS), "hidden_size": size, "layers": choose([1, 2])}
        encoder |= {"direction": choose(DIRECTIONS), "connections": choose(connections)}
        decoder = {"cell": choose(CELLS), "hidden_size": choose([size, 2 * size]), "layers": choose([1, 2])}
        decoder |= {"attention": choose(ATTENTIONS), "input_feeding": choose([True, False])}
        decoder |= {"attend": choose(["top", "first", "within", "previous"]), "connections": choose(connections)}
        decoder |= {"readout": {"kind": choose(READOUTS), "inputs": choose(inputs)}}
        embedding = {"size": 8, "tie": choose(["none", "decoder", "all"])}
        keys = {"embedding": embedding, "encoder": encoder, "decoder": decoder, "bridge": choose(BRIDGES)}
        try:
            config = recipe.ModelConfig.model_validate(keys)
        except ValueError:  # not every combination is a model
            continue
        model = Seq2Seq(config, vocab, vocab, PAD).eval()
        with torch.no_grad():
            scale = choose([0.3, 1, 3])
            for weight in model.parameters():
                weight.mul_(scale)
        return model


def random_search(generator: random.Random, beam: int, attends: bool) -> recipe.DecodingConfig:
    """Any options that change scores."""
    choose, penalty = generator.choice, generator.choice(["none", "average", {"kind": "wu", "alpha": 0.6}])
    keys = {
        "beam_size": beam,
        "max_length": {"ratio": 1.0, "offset": 3},
        "length_penalty": penalty,
        "no_repeat_ngram_size": choose([0, 0, 2]),
        "repetition_penalty": choose([1.0, 1.0, 1.5]),
        "diversity": choose([None, None, {"groups": 4, "strength": 0.5}]),
        "coverage_penalty": choose([0.0, 0.2]) if attends else 0.0,
    }
    return recipe.DecodingConfig.model_validate(keys)


def translations(seed: int, beam: int, count: int, vocab: int = VOCAB) -> list[list[list[Hypothesis]]]:
    """Of a random recipe's model: by batch size, the two best translations of each of some sentences."""
    model, generator = random_model(seed, vocab), random.Random(seed)
    scorer: Scorer = ModelScorer(model, torch.device("cpu"))
    sources = [[generator.randrange(4, vocab) for _ in range(generator.randrange(6))] + [EOS] for _ in range(count)]
    _, state = scorer.step(np.array([[BOS]]), scorer.start(sources[:1]))
    config = random_search(generator, beam, state.attention is not None)
    scorer = CoverageScorer(scorer) if config.coverage_penalty else scorer
    how = beam_search if config.diversity is None else diverse_beam_search
    processors = make_processors(config, TOKENIZER)
    return [search_all(scorer, sources, config, processors, size, 2, how) for size in BATCH_SIZES]


def differences(found: list[list[list[Hypothesis]]]) -> Iterator[tuple[Hypothesis, Hypothesis]]:
    """Translations of equal rank that batches do not agree on."""
    one, *others = found
    for other in others:
        for sentence, again in zip(one, other, strict=True):
            yield from ((a, b) for a, b in zip(sentence, again, strict=True) if a.tokens != b.tokens)


def tied(one: Hypothesis, other: Hypothesis) -> bool:
    """But for rounding, that of fp32 included."""
    return abs(one.score - other.score) <= 2 * search.GRID + 1e-5 * abs(one.score)


@pytest.mark.parametrize(("beam", "count"), [(40, 24), (1000, 8)])
@pytest.mark.parametrize("seed", range(24))
def test_random_recipes_translate_alike_in_any_batch(seed: int, beam: int, count: int) -> None:
    assert all(tied(*pair) for pair in differences(translations(seed, beam, count)))


def test_only_ties_are_translated_differently() -> None:
    """Of 140 random recipes this one, and seed 55: log-probabilities so large that rounding exceeds the grid."""
    found = translations(27, 40, 66)
    assert all(tied(*pair) for pair in differences(found)) and len(list(differences(found))) <= 4
