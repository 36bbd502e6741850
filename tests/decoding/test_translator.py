"""A translator does what `decoding` says: each key reaches the search."""

import functools
import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.tokenization import EOS
from seq2seq.decoding.mbr import rerank
from seq2seq.decoding.scoring import score
from seq2seq.decoding.translation import Candidate, Translation
from seq2seq.decoding.translator import Translator
from seq2seq.recipe.file import override_decoding
from tests.decoding.tables import Tables, wide
from tests.decoding.test_rescore import trained

STORED = Path(__file__).parents[1] / "stored_models" / "format-2-byte-fallback"
LINES = ["one two three", "nine four seven one", "zero", "", "eight eight two five six"]


@functools.cache
def stored() -> Bundle:
    return load_bundle(STORED, torch.device("cpu"))


def translate(*settings: str, n_best: int = 1, lines: list[str] = LINES) -> list[Translation]:
    config = override_decoding(stored().config.decoding, [f"decoding.{setting}" for setting in settings])
    return Translator(stored(), config).translate(lines, n_best)


def test_a_translator_leaves_with_its_last_reference() -> None:
    translator = Translator(stored(), override_decoding(stored().config.decoding, {"require": ["acht"]}))
    assert "acht" in translator.translate(["one two"])[0].text
    left = weakref.ref(translator)
    del translator
    gc.collect()
    assert left() is None


def test_of_equal_translations_the_same_is_first_however_many_are_wanted() -> None:
    same = Tables(np.zeros((7, 7, 7)))
    for penalty in ("none", "average"):
        translator = Translator(trained(same), wide(4, beam_size=8, length_penalty=penalty))
        found = [[one.text for one in translator.translate(["a"], n)[0].candidates] for n in (1, 2, 5)]
        assert found[0] == found[2][:1] and found[1] == found[2][:2] and len(found[2]) == 5


def test_diversity_makes_the_n_best_differ() -> None:
    def openings(*settings: str) -> list[int]:
        found = translate("beam_size=6", *settings, n_best=6)
        return [len({one.tokens[:1] for one in each.candidates}) for each in found if each.source]

    plain, diverse = openings(), openings("diversity={groups: 3, strength: 4.0}")
    assert all(a >= b for a, b in zip(diverse, plain, strict=True)) and sum(diverse) > sum(plain)


def test_minimum_bayes_risk_weighs_a_beam_by_probability_and_draws_alike() -> None:
    mbr, line = "mbr={metric: chrf, candidates: 8}", ["nine four seven one"]
    for settings, sampled in ((["beam_size=8"], False), (["beam_size=1", "sampling={temperature: 2.0}"], True)):
        config = override_decoding(stored().config.decoding, [f"decoding.{one}" for one in (mbr, *settings)])
        translator = Translator(stored(), config)
        (found,), (given,) = (translator.translate(line, 1), translator._search(translator._pieces(line[0], ()), 1))
        candidates = [Candidate(stored().tgt_tokenizer.decode(h.tokens), h.score, h.log_probability) for h in given]
        assert config.mbr is not None
        best = [rerank(candidates, weighing, config.mbr, "de")[0] for weighing in (sampled, not sampled)]
        assert found.candidates[0].score == pytest.approx(best[0].score)
        assert best[0].score != pytest.approx(best[1].score)


def test_the_coverage_penalty_lets_short_translations_lose() -> None:
    lengths = [
        sum(len(t.candidates[0].tokens) for t in translate("beam_size=5", *s)) for s in ([], ["coverage_penalty=3"])
    ]
    assert lengths[0] < lengths[1]


@pytest.mark.parametrize("setting", ["coverage_penalty=1", "diversity={groups: 2}"])
def test_log_probabilities_stay_the_models(setting: str) -> None:

    for translation in translate("beam_size=4", setting):
        best = translation.candidates[0]
        if best.tokens:
            (source,) = stored().src_tokenizer.encode_batch([translation.source])
            (logs,) = score(stored().model, [[*source, EOS]], [[*best.tokens, EOS]])
            assert sum(logs) == pytest.approx(best.log_probability, abs=1e-4)
