"""Forcing through a scorer gives what the model gives for all tokens at once."""

import numpy as np
import pytest

from seq2seq.data.tokenization import EOS
from seq2seq.decoding.forced import force
from seq2seq.decoding.scoring import attention_weights, score
from tests.decoding.tables import tables
from tests.decoding.test_search import scorer, sharp_model

SOURCES = [[4, 5, EOS], [6, EOS], [5, 5, 6, 4, EOS]]
TARGETS = [[6, EOS], [4, 4, 5, EOS], [EOS]]


@pytest.mark.parametrize("feeding", [False, True])
def test_as_the_model_itself(feeding: bool) -> None:
    model = sharp_model(1, feeding)
    found = force(scorer(model), SOURCES, TARGETS, batch_size=2)
    for source, target, forced, logs in zip(SOURCES, TARGETS, found, score(model, SOURCES, TARGETS), strict=True):
        np.testing.assert_allclose(forced.log_probabilities, logs, atol=1e-5)
        weights = attention_weights(model, source, target)
        assert forced.attention is not None and weights is not None
        np.testing.assert_allclose(forced.attention, weights.numpy(), atol=1e-5)


def test_a_scorer_without_attention() -> None:
    (forced,) = force(tables(1), [[4, EOS]], [[5, EOS]])
    assert forced.attention is None and len(forced.log_probabilities) == 2
