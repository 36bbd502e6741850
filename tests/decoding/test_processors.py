"""Each option of decoding against brute force: the best of the translations that it allows, by the scores it gives."""

import itertools

import numpy as np
import pytest
import torch

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.decoding.constraints import ExcludedPhrases
from seq2seq.decoding.model_scorer import TorchLogits
from seq2seq.decoding.processors import MinLength, Prefixes, RepetitionPenalty
from seq2seq.decoding.scorer import NumpyLogits
from seq2seq.decoding.search import GRID, Hypothesis, beam_search
from seq2seq.decoding.translator import make_processors
from seq2seq.errors import UserError
from tests.decoding.tables import VOCAB, every_text, tables, wide

LIMIT = 5
TOKENIZER = train_tokenizers(
    recipe.WordTokenizerConfig(kind="word", vocab_size=100, min_frequency=1), lambda: iter(["a a a b b c"]),
    lambda: iter([]),
)[0]  # fmt: skip


def search(seed: int, n_best: int = 3, **options: object) -> list[Hypothesis]:
    config = wide(LIMIT, **options)
    return beam_search(tables(seed), [[4, 5, EOS]], config, make_processors(config, TOKENIZER), n_best)[0]


def check(found: list[Hypothesis], allowed: dict[tuple[int, ...], float]) -> None:
    """These are the best of the allowed ones."""
    best = sorted(allowed, key=lambda text: -allowed[text])[: len(found)]
    assert [tuple(h.tokens) for h in found] == best
    np.testing.assert_allclose([h.log_probability for h in found], [allowed[text] for text in best])


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("seed", range(3))
def test_a_minimum_length_is_what_brute_force_finds_among_the_long_enough(seed: int, offset: int) -> None:
    blank, limit = 4, 5
    processor = MinLength(recipe.MinLengthConfig(ratio=0.5, offset=offset), [blank])
    (found,) = beam_search(tables(seed), [[4, 5, 6, EOS]], wide(limit), [processor], n_best=3)
    texts = every_text(tables(seed), 4, limit)
    written = {text: len(text) - text.count(blank) for text in texts}
    expected = {t: v for t, v in texts.items() if written[t] >= offset + 1 or len(t) == limit - 1}
    check(found, expected)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_no_ngram_comes_twice(seed: int, n: int) -> None:
    def repeats(text: tuple[int, ...]) -> bool:
        ngrams = [text[i : i + n] for i in range(len(text) - n + 1)]
        return len(set(ngrams)) < len(ngrams)

    allowed = {text: value for text, value in every_text(tables(seed), 4, LIMIT).items() if not repeats(text)}
    check(search(seed, no_repeat_ngram_size=n), allowed)


@pytest.mark.parametrize("penalty", [1.5, 4.0])
@pytest.mark.parametrize("seed", range(4))
def test_repetitions_cost(seed: int, penalty: float) -> None:
    logs = tables(seed).values[4]
    logs = logs - np.log(np.exp(logs).sum(-1, keepdims=True))

    def cost(text: tuple[int, ...]) -> float:
        steps = itertools.pairwise([BOS, *text, EOS])
        return sum(logs[a, b] * (penalty if b in text[:i] else 1) for i, (a, b) in enumerate(steps))

    texts = every_text(tables(seed), 4, LIMIT)
    best = sorted(texts, key=lambda text: -cost(text))[:3]
    found = search(seed, repetition_penalty=penalty)
    assert [tuple(h.tokens) for h in found] == best
    np.testing.assert_allclose([h.score for h in found], [cost(text) for text in best], atol=GRID)
    np.testing.assert_allclose([h.log_probability for h in found], [texts[text] for text in best])


@pytest.mark.parametrize("prefix", ["a", "b a", "c c c"])
@pytest.mark.parametrize("seed", range(4))
def test_a_forced_prefix(seed: int, prefix: str) -> None:
    (start,) = TOKENIZER.encode_batch([prefix])
    texts = every_text(tables(seed), 4, LIMIT)
    check(search(seed, prefix=prefix), {t: v for t, v in texts.items() if list(t[: len(start)]) == start})


def test_a_prefix_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(UserError, match=r"decoding\.prefix.*no token for 'qx'"):
        search(1, prefix="a qx")


@pytest.mark.parametrize("phrases", [["a"], ["a b"], ["b", "c c"]])
@pytest.mark.parametrize("seed", range(4))
def test_excluded_phrases_never_come(seed: int, phrases: list[str]) -> None:
    def holds(text: tuple[int, ...]) -> bool:  # at the limit a translation is cut off, whatever it ends with
        written = f" {TOKENIZER.decode(text if len(text) < LIMIT - 1 else text[:-1])} "
        return any(f" {phrase} " in written for phrase in phrases)

    allowed = {text: value for text, value in every_text(tables(seed), 4, LIMIT).items() if not holds(text)}
    check(search(seed, exclude=phrases), allowed)


def test_an_excluded_word_however_it_is_cut() -> None:
    config = recipe.CharTokenizerConfig(kind="char")
    tokenizer = train_tokenizers(config, lambda: iter(['the cat, a "cats" concat']), lambda: iter([]))[0]
    excluded = ExcludedPhrases(["cat"], tokenizer)
    piece = tokenizer.pieces.index
    for text, ends in [("a cat", True), ('"cat', True), ("cat", True), ("concat", False), ("ca", False)]:
        (ids,) = tokenizer.encode_batch([text])
        logits = NumpyLogits(np.zeros((1, 1, len(tokenizer))))
        excluded(logits, Prefixes(np.array([[[BOS, *ids]]]), np.arange(1), [(4, EOS)], recipe.MaxLengthConfig()))
        for token in (EOS, piece("▁"), piece(",")):
            assert bool(np.isinf(logits.values[0, 0, token])) == ends, text
        assert np.isfinite(logits.values[0, 0, piece("s")])


def test_processors_change_torch_as_they_change_numpy() -> None:
    generator = np.random.default_rng(1)
    values, tokens = generator.normal(size=(2, 3, VOCAB)), generator.integers(4, VOCAB, (2, 3, 6))
    config = wide(9, no_repeat_ngram_size=2, repetition_penalty=2.0, min_length={"offset": 4}, exclude=["a b"])
    prefixes = Prefixes(tokens, np.arange(2), [(4, EOS)] * 2, config.max_length)
    ours, theirs = NumpyLogits(values.copy()), TorchLogits(torch.from_numpy(values.copy()))
    for processor in make_processors(config, TOKENIZER):
        processor(ours, prefixes)
        processor(theirs, prefixes)
        np.testing.assert_allclose(ours.values, theirs.values.numpy())
    assert len(make_processors(config, TOKENIZER)) == 4 and RepetitionPenalty(2.0).changes_scores
