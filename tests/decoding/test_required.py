"""Required phrases against brute force: the best of all translations that hold them."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import recipe
from seq2seq.data.tokenization import EOS, Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.decoding.diverse import diverse_beam_search
from seq2seq.decoding.processors import Processor
from seq2seq.decoding.required import Phrases, RequiredPhrases, _shared_out
from seq2seq.decoding.search import Hypothesis, beam_search, search_all
from seq2seq.decoding.translator import make_processors
from seq2seq.errors import UserError
from tests.decoding.tables import every_text, tables, wide
from tests.decoding.test_processors import LIMIT, TOKENIZER, check

PHRASES = [["a"], ["a b"], ["b", "c c"], ["a b", "b c"], ["a b", "a c"], ["a a", "a a b"], ["a", "b", "c"], ["c b a"]]


def phrases(texts: list[str], tokenizer: Tokenizer = TOKENIZER, spaced: bool = True) -> Phrases:
    return Phrases(texts, tokenizer, spaced)


def search(seed: int, texts: list[str], n_best: int = 3, limit: int = LIMIT, **options: Any) -> list[Hypothesis]:
    config = wide(limit, **options)
    processors = [*make_processors(config, TOKENIZER), RequiredPhrases([phrases(texts)], config.beam_size)]
    return beam_search(tables(seed), [[4, 5, EOS]], config, processors, n_best)[0]


def holding(seed: int, texts: list[str], limit: int = LIMIT) -> dict[tuple[int, ...], float]:
    def holds(text: tuple[int, ...]) -> bool:
        return all(f" {phrase} " in f" {TOKENIZER.decode(text)} " for phrase in texts)

    return {text: value for text, value in every_text(tables(seed), 4, limit).items() if holds(text)}


@pytest.mark.parametrize("texts", PHRASES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_what_brute_force_finds(seed: int, texts: list[str]) -> None:
    check(search(seed, texts), holding(seed, texts))


@pytest.mark.parametrize("texts", [["a b", "b c"], ["a b c", "c b a"], ["a b", "b c", "c c"]], ids=str)
def test_where_only_overlapping_phrases_fit_they_overlap(texts: list[str]) -> None:
    shortest = min(len(text) for text in holding(1, texts, 7))
    found, allowed = search(1, texts, 1, shortest + 1), holding(1, texts, shortest + 1)
    assert allowed
    check(found, allowed)
    assert search(1, texts, 1, shortest) == []


@settings(max_examples=60)
@given(
    st.integers(0, 50), st.lists(st.sampled_from(["a", "b", "c", "a b", "b a", "c a", "a b c"]), max_size=4),
    st.integers(1, 6),
)  # fmt: skip
def test_a_narrow_beam_holds_all_phrases_whatever_the_model_thinks(seed: int, texts: list[str], beam: int) -> None:
    penalty = {"length_penalty": "none" if beam == 1 else "average"}
    found = search(seed, texts, beam, 12, beam_size=beam, **penalty)
    assert found
    for hypothesis in found:
        assert phrases(texts).missing(TOKENIZER.decode(hypothesis.tokens)) == []
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_the_beam_is_shared_out_among_hypotheses_by_what_they_need() -> None:
    """Tokens 4, 5, 6 are a, b, c: of two places one is for the best that has written more, however unlikely."""
    written, scores = [(6, 6), (6, 5), (6, 4), (4, 5), (5, 4)], np.array([-1.0, -2.0, -3.0, -9.0, -8.0])
    needs = phrases(["a b"])
    assert [needs.needed(tokens) for tokens in written] == [2, 2, 1, 0, 1]
    kept = [_shared_out(scores, written, needs, 9, beam) for beam in (1, 2, 3, 4, 5)]
    assert kept == [[3], [3, 2], [3, 2, 0], [3, 2, 0, 4], [3, 2, 0, 4, 1]]
    assert _shared_out(scores, written, needs, 4, 5) == [3, 2, 4]  # (of four tokens the last is </s>)


def test_other_options_hold_beside_phrases() -> None:
    found = search(2, ["b c"], 5, exclude=["a"], no_repeat_ngram_size=1, prefix="c")
    assert found == []  # c would come twice
    allowed = {t: v for t, v in holding(2, ["b c"]).items() if TOKENIZER.decode(t).split()[:1] == ["b"]}
    check(search(2, ["b c"], 3, prefix="b"), allowed)


def test_each_sentence_has_its_own_and_those_without_are_left_alone() -> None:
    wanted: list[Phrases | None] = [phrases(["a b"]), None, phrases(["c"]), None, phrases(["b b b"])]
    sources = [[4, 5, EOS], [4, EOS], [5, 6, 4, EOS], [6, EOS], [6, 5, 6, 4, EOS]]
    config = wide(9, beam_size=5)
    alone: list[Hypothesis] = []
    for source, one in zip(sources, wanted, strict=True):
        processors: list[Processor] = [] if one is None else [RequiredPhrases([one], 5)]
        alone += beam_search(tables(3), [source], config, processors)[0]
    for batch_size in (1, 2, 5):
        together = search_all(tables(3), sources, config, [RequiredPhrases(wanted, 5)], batch_size)
        assert list(itertools.chain(*together)) == alone


def test_groups_of_a_diverse_beam_each_hold_them() -> None:
    config = wide(8, beam_size=6, diversity={"groups": 3})
    found = diverse_beam_search(tables(1), [[4, EOS]], config, [RequiredPhrases([phrases(["a b"])], 2)], 6)[0]
    assert found and all("a b" in TOKENIZER.decode(h.tokens) for h in found)


def trained_on(text: str, **config: Any) -> Tokenizer:
    return train_tokenizers(recipe.CharTokenizerConfig(kind="char", **config), lambda: iter([text]), lambda: iter([]))[
        0
    ]


def test_phrases_are_whole_words_however_they_are_cut() -> None:
    tokenizer = trained_on('the cats "concat" cat, no')
    one = phrases(["cat", "the  cat"], tokenizer)
    assert one.texts == ["cat", "the cat"]
    assert one.missing("a concat, cats") == ["cat", "the cat"] and one.missing('"the cat"') == []
    for text, needed in [("the cat", 0), ("the cats", 8), ("the ca", 1), ("the", 4), ("cat", 8), ("no", 8)]:
        (ids,) = tokenizer.encode_batch([text])
        assert one.needed(tuple(ids)) == needed, text


def test_without_spaces_between_words_phrases_stand_anywhere() -> None:
    tokenizer = trained_on("我住在东京。东京很大。")
    one = phrases(["东京"], tokenizer, spaced=False)
    (ids,) = tokenizer.encode_batch(["我住在东"])
    (after,) = tokenizer.encode_batch(["京"])
    assert one.missing("我住在东京。") == [] and one.needed(tuple(ids)) == 1
    assert tokenizer.without_space(after)[0] in set(one.steps(tuple(ids)))


def test_a_phrase_without_tokens_is_refused() -> None:
    with pytest.raises(UserError, match=r"required phrase 'a qx'.*no token for 'qx'"):
        phrases(["a qx"])


def test_many_phrases_take_no_long_time_and_little_is_kept() -> None:
    one = phrases([" ".join(p) for p in itertools.product("abc", repeat=3)])
    rng = np.random.default_rng(1)
    for _ in range(200):
        assert one.needed(tuple(rng.integers(4, 7, 12).tolist())) > 0
    assert len(one._known) < 20_000
