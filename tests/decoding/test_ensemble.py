"""An ensemble is the weighted mean of its members' probabilities, whatever they are made of."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.ensemble import EnsembleScorer, EnsembleState
from seq2seq.decoding.scorer import Scorer
from seq2seq.decoding.search import beam_search
from tests.command_line import seq2seq
from tests.decoding.tables import every_text, tables, wide
from tests.decoding.test_search import scorer, sharp_model
from tests.toy import write_toy


@pytest.mark.parametrize("weights", [[1.0, 1.0], [3.0, 1.0], [0.2, 5.0]])
def test_an_ensemble_against_brute_force(weights: list[float]) -> None:
    logs = [t.values[4] - np.log(np.exp(t.values[4]).sum(-1, keepdims=True)) for t in (tables(1), tables(2))]
    mean = np.log(np.average(np.exp(logs), axis=0, weights=weights))
    expected = {
        text: sum(mean[a, b] for a, b in itertools.pairwise([BOS, *text, EOS])) for text in every_text(tables(1), 4, 4)
    }
    best = sorted(expected, key=lambda text: -expected[text])[:4]
    found = beam_search(EnsembleScorer([tables(1), tables(2)], weights), [[4, EOS]], wide(4), n_best=4)[0]
    assert [tuple(h.tokens) for h in found] == best
    np.testing.assert_allclose([h.log_probability for h in found], [expected[text] for text in best])


def test_an_ensemble_of_one_model_twice_is_that_model() -> None:
    model, sources = scorer(sharp_model(3)), [[4, 5, EOS], [6, EOS], [5, 5, 5, EOS]]
    twice = EnsembleScorer([model, model], [1.0, 2.0])
    assert isinstance(twice, Scorer)
    alone, both = (beam_search(s, sources, wide(6), n_best=2) for s in (model, twice))
    for a, b in zip(itertools.chain(*alone), itertools.chain(*both), strict=True):
        assert a.tokens == b.tokens
        np.testing.assert_allclose(a.token_log_probabilities, b.token_log_probabilities, atol=1e-6)


def test_models_of_different_kinds_translate_together(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path, train=60)
    runs = [str(tmp_path / "run"), str(tmp_path / "other")]
    assert seq2seq("train", str(recipe), "training.max_epochs=1").code == 0
    other = "model.encoder={cell: lstm, hidden_size: 8}", "model.decoder={cell: lstm, hidden_size: 16, layers: 2}"
    assert seq2seq("train", str(recipe), f"output_dir={runs[1]}", "training.max_epochs=1", *other).code == 0
    (tmp_path / "in").write_text("one two three\n")
    options = ("--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--force")
    done = seq2seq("translate", runs[0], "--ensemble", runs[1], "--weight", "2", "--weight", "1", *options)
    assert done.code == 0 and (tmp_path / "out").read_text().count("\n") == 1
    refused = seq2seq("translate", runs[0], "--ensemble", runs[1], "--weight", "2", *options)
    assert refused.code == 2 and "1 weights for 2 models" in refused.err
    assert "no effect" in seq2seq("translate", runs[0], "--weight", "2", *options).err
    small = f"output_dir={tmp_path / 'small'}", "tokenizer={kind: char}", "training.max_epochs=1"
    assert seq2seq("train", str(recipe), *small).code == 0
    assert (
        "vocabulary is not that of"
        in seq2seq("translate", runs[0], "--ensemble", str(tmp_path / "small"), *options).err
    )


def test_attention_is_the_weighted_mean_and_none_where_a_member_has_none() -> None:
    memory = [scorer(sharp_model(seed)) for seed in (1, 2)]
    states = [one.step(np.array([[BOS]]), one.start([[4, 5, EOS]]))[1] for one in memory]
    both = EnsembleState(states, [0.25, 0.75]).attention
    looks = [np.asarray(state.attention) for state in states]
    assert both is not None
    np.testing.assert_allclose(both, 0.25 * looks[0] + 0.75 * looks[1], rtol=1e-6)
    blind = tables(1)
    assert EnsembleState([states[0], blind.start([[4, EOS]])], [0.5, 0.5]).attention is None
