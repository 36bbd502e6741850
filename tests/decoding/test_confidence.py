"""Confidences: curves that rise, errors counted right, words and links found; and the run's own calibration."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq import recipe
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.decoding.confidence import FILE, POINTS, Calibration, calibration_error, isotonic, right_words
from seq2seq.decoding.words import by_words, links, pharaoh, word_places, word_probabilities
from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from tests.command_line import seq2seq
from tests.toy import toy_recipe

UNIT = st.floats(0, 1)
TEXTS = ["the cat sat, the mat!", "a 12 b ü x", "naïve 東京 words", "▁ odd"]
TOKENIZER = train_tokenizers(
    recipe.BpeTokenizerConfig(vocab_size=300), lambda: iter(TEXTS * 2), lambda: iter(TEXTS[:1])
)[0]


@given(st.lists(st.tuples(UNIT, st.sampled_from([0.0, 1.0])), min_size=1, max_size=300))
def test_a_curve_rises_and_keeps_the_mean(pairs: list[tuple[float, float]]) -> None:
    curve = isotonic([p for p, _ in pairs], [right for _, right in pairs])
    assert curve.shares == sorted(curve.shares) and len(curve.shares) <= 100
    assert all(0 <= curve(p) <= 1 for p, _ in pairs)


def test_isotonic_regression_by_hand() -> None:
    curve = isotonic([0.1, 0.2, 0.3, 0.9], [0.0, 1.0, 0.0, 1.0])
    assert curve.shares == [0.0, 0.5, 1.0]
    assert curve(0.25) == pytest.approx(0.5) and curve(0.0) == 0.0 and curve(1.0) == 1.0


def test_a_curve_of_many_points_keeps_its_ends() -> None:
    rising = np.linspace(0.001, 0.999, 5 * POINTS)
    curve = isotonic(rising.tolist(), rising.tolist())
    assert len(curve.probabilities) == POINTS
    assert (curve.probabilities[0], curve.probabilities[-1]) == (rising[0], rising[-1])


def test_calibration_takes_the_error_away() -> None:
    generator = np.random.default_rng(1)
    sure = generator.random(20_000)
    right = (generator.random(20_000) < sure**3).astype(float)  # too sure of itself
    curve = isotonic(sure[:10_000].tolist(), right[:10_000].tolist())
    before = calibration_error(sure[10_000:].tolist(), right[10_000:].tolist())
    after = calibration_error([curve(p) for p in sure[10_000:].tolist()], right[10_000:].tolist())
    assert before > 0.2 and after < 0.02


def test_calibration_error_by_hand() -> None:
    assert calibration_error([0.95, 0.95, 0.15], [1.0, 0.0, 1.0]) == pytest.approx((0.9 + 0.85) / 3)
    assert calibration_error([], []) == 0.0
    assert right_words("a b a c", "a d c") == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("text", TEXTS)
def test_each_token_has_its_word(text: str) -> None:
    (ids,) = TOKENIZER.encode_batch([text])
    places = word_places(TOKENIZER, ids)
    words = TOKENIZER.decode(ids).split()
    assert sorted(set(places)) == list(range(len(words))) and places == sorted(places)
    for i, word in enumerate(words):
        assert TOKENIZER.decode([t for t, place in zip(ids, places, strict=True) if place == i]) == word


def test_words_and_links_by_hand() -> None:
    assert word_probabilities([0, 0, 1], np.log([0.5, 0.5, 0.1]).tolist()) == pytest.approx([0.25, 0.1])
    look = np.array([[0.4, 0.3, 0.3, 0.0], [0.0, 0.1, 0.8, 0.1], [0.9, 0.0, 0.0, 0.1], [0, 0, 0, 1]])
    assert links(by_words(look, [0, 1, 1], [0, 0, 1])) == [(1, 0), (0, 1)]
    assert pharaoh([(1, 0), (0, 1)]) == "0-1 1-0" and links(by_words(look, [], [])) == []


def test_attention_by_words_has_a_row_and_a_column_for_each() -> None:
    attention = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(by_words(attention, [0, 1], [0, 0]), [[0.75, 0.75]])


def test_a_run_calibrates_and_reports(tmp_path: Path) -> None:
    Runner(toy_recipe(tmp_path)).run()
    run = tmp_path / "run"
    assert Calibration.load(run / "model") is not None
    assert "expected calibration error" in (run / "report" / "report.md").read_text()
    (tmp_path / "in").write_text("one two three\nfour\n")
    options = ("--input", str(tmp_path / "in"), "--format", "jsonl", "--alignment", "--output")

    def records(name: str) -> list[dict[str, list[float]]]:
        done = seq2seq("translate", str(run), *options, str(tmp_path / name))
        assert done.code == 0, done.err
        return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]

    calibrated = records("calibrated")
    pharaoh = seq2seq("translate", str(run), *options[:2], "--format", "pharaoh", "--output", str(tmp_path / "p"))
    assert pharaoh.code == 0
    assert [str(record["alignment"]) for record in calibrated] == (tmp_path / "p").read_text().splitlines()
    (run / "model" / FILE).unlink()
    plain = records("plain")
    assert all(len(r["word_confidences"]) == len(str(r["translation"]).split()) for r in calibrated)
    assert [r["word_confidences"] for r in plain] != [r["word_confidences"] for r in calibrated]
    for content in ("{}", "[", '{"word": {"probabilities": [1, 0], "shares": [0, 1]}}'):
        (run / "model" / FILE).write_text(content)
        with pytest.raises(UserError, match="damaged"):
            Calibration.load(run / "model")


def test_score_by_an_ensemble_is_the_mean_probability(tmp_path: Path) -> None:
    for seed in (1, 2):
        Runner(toy_recipe(tmp_path, f"seed={seed}", f"output_dir={tmp_path}/run{seed}")).run("train")
    runs = [str(tmp_path / f"run{seed}") for seed in (1, 2)]
    (tmp_path / "src").write_text("one two\n")
    (tmp_path / "tgt").write_text("zwei eins\n")
    files = ("--src", str(tmp_path / "src"), "--tgt", str(tmp_path / "tgt"), "--format", "jsonl")

    def logs(*options: str) -> np.ndarray:
        return np.array(json.loads(seq2seq("score", *options, *files).out)["token_log_probabilities"])

    together = logs(runs[0], "--ensemble", runs[1], "--weight", "3", "--weight", "1")
    expected = np.log(0.75 * np.exp(logs(runs[0])) + 0.25 * np.exp(logs(runs[1])))
    np.testing.assert_allclose(together, expected, atol=1e-6)
    assert "no effect" in seq2seq("score", runs[0], "--weight", "1", *files).err
