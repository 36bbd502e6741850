"""Draws have the model's frequencies, within what the options leave, and depend on seed and sentence alone."""

import numpy as np
import pytest

from seq2seq import recipe
from seq2seq.data.tokenization import EOS
from seq2seq.decoding.random_choice import RandomChoice, kept
from seq2seq.decoding.search import search_all
from tests.decoding.tables import every_text, tables, wide


def draws(count: int, sources: list[list[int]], batch_size: int = 32, **options: object) -> list[list[tuple[int, ...]]]:
    """By sentence, its samples."""
    config = wide(4, beam_size=1, sampling=options)
    assert config.sampling is not None
    found = [
        search_all(tables(7), sources, config, [RandomChoice(config.sampling, i)], batch_size) for i in range(count)
    ]
    return [[tuple(f[row][0].tokens) for f in found] for row in range(len(sources))]


def test_draws_have_the_frequencies_of_the_models_probabilities() -> None:
    count = 3000
    (samples,) = draws(count, [[4, EOS]])
    texts = every_text(tables(7), 4, 4)
    logs = tables(7).values[4]
    written = np.delete(logs, [0, 1, 3], 1)
    lost = np.log(np.exp(logs).sum(-1)) - np.log(np.exp(written).sum(-1))  # <pad>, <s>, <unk> give their share away
    for text, log in texts.items():
        if len(text) < 3:
            chance = np.exp(log + lost[1] + sum(lost[token] for token in text))
            assert samples.count(text) / count == pytest.approx(
                chance, abs=5 * (chance * (1 - chance) / count) ** 0.5 + 1e-3
            )


def test_a_sentence_draws_the_same_in_any_company() -> None:
    sources = [[4, 5, EOS], [5, EOS], [6, 6, 4, EOS], [4, EOS]]
    together = draws(5, sources, batch_size=3)
    assert together == [draws(5, [source])[0] for source in sources]
    assert together != draws(5, sources, seed=2)
    assert any(len(set(samples)) > 1 for samples in together)


LOGS = np.log(np.array([[[0.4, 0.3, 0.2, 0.06, 0.04]]]))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.4, 0.3, 0.2, 0.06, 0.04]),
        ({"top_k": 2}, [0.4, 0.3, 0, 0, 0]),
        ({"top_p": 0.7}, [0.4, 0.3, 0, 0, 0]),
        ({"top_p": 0.71}, [0.4, 0.3, 0.2, 0, 0]),
        ({"top_p": 0.01}, [0.4, 0, 0, 0, 0]),
        ({"epsilon": 0.05}, [0.4, 0.3, 0.2, 0.06, 0]),
        ({"epsilon": 0.9}, [0.4, 0, 0, 0, 0]),
        ({"temperature": 0.5}, [0.16, 0.09, 0.04, 0.0036, 0.0016]),
        ({"temperature": 2.0, "top_k": 3}, [0.4**0.5, 0.3**0.5, 0.2**0.5, 0, 0]),
    ],
)
def test_what_the_options_leave(options: dict[str, object], expected: list[float]) -> None:
    chances = kept(LOGS, recipe.SamplingConfig.model_validate(options))[0, 0]
    np.testing.assert_allclose(chances / chances.sum(), np.array(expected) / sum(expected), atol=1e-12)
