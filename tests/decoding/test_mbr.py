"""Minimum Bayes risk against the definition."""

import pytest
import sacrebleu

from seq2seq import recipe
from seq2seq.decoding.mbr import rerank
from seq2seq.decoding.translation import Candidate

TEXTS = ["the cat sat", "the cat sat down", "a cat sat down", "the cat sat down", "dogs"]


@pytest.mark.parametrize("metric", ["chrf", "bleu"])
def test_samples_count_alike(metric: str) -> None:
    score = sacrebleu.sentence_chrf if metric == "chrf" else sacrebleu.sentence_bleu
    candidates = [Candidate(text, 0.0, -float(i)) for i, text in enumerate(TEXTS)]
    found = rerank(candidates, True, recipe.MbrConfig.model_validate({"metric": metric}), "en")
    expected = {text: sum(score(text, [other]).score for other in TEXTS) / len(TEXTS) for text in TEXTS}
    assert {c.text: pytest.approx(c.score) for c in found} == expected
    assert [c.text for c in found] == sorted(expected, key=lambda text: -expected[text])
    assert found[0].text == "the cat sat down" and found[0].log_probability == -1


def test_an_n_best_list_counts_by_probability() -> None:
    sure = [Candidate("dogs", -0.1, -0.1), Candidate("the cat", -9.0, -9.0), Candidate("the cats", -9.0, -9.0)]
    config = recipe.MbrConfig()
    assert rerank(sure, False, config, "en")[0].text == "dogs"
    assert rerank(sure, True, config, "en")[0].text != "dogs"
