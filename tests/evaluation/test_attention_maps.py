"""Attention maps show words: the weights of their pieces, added up or averaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.tokenization import Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.evaluation.attention import attention_example, word_groups
from seq2seq.recipe import BpeTokenizerConfig

TEXT = ["two small dogs run, quickly", "a man and two dogs", "dogs and men"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizers(BpeTokenizerConfig(kind="bpe", vocab_size=330), lambda: iter(TEXT), lambda: iter(TEXT))[0]


@given(st.lists(st.sampled_from(["▁ab", "c", ",", "▁(", "<0xE6>", "<0x9D>", "▁", "▁d"]), max_size=12), st.booleans())
def test_groups_hold_every_piece_once_in_order(pieces: list[str], spaces: bool) -> None:
    assert [i for group in word_groups(pieces, spaces) for i in group] == list(range(len(pieces)))


def test_words_punctuation_and_bytes() -> None:
    pieces = ["▁do", "gs", ",", "▁東", "<0xE6>", "<0x9D>", "<0xB1>", "京"]
    assert word_groups(pieces[:3], True) == [[0, 1], [2]]
    assert word_groups(pieces[3:], False) == [[0], [1, 2, 3], [4]]


def test_the_map_is_of_the_pieces_that_were_found(tokenizer: Tokenizer) -> None:
    """Pieces that the tokenizer itself would never choose are shown as they are; rows stay distributions."""
    tokens = [tokenizer.pieces.index(piece) for piece in ["▁", "a", "▁", "m", "a", "n", ",", "▁", "t", "w", "o"]]
    asked = []

    def weights(src: list[int], tgt: list[int]) -> np.ndarray:
        asked.append(list(tgt))
        return np.random.default_rng(1).dirichlet(np.ones(len(src)), len(tgt)).astype(np.float32)

    example = attention_example(TEXT[0], (tokenizer, tokenizer), ("en", "en"), tokens, weights)
    assert example is not None and asked[0][:-1] == tokens
    assert example.target_words == ["a", "man", ",", "two", "(end)"] and example.translation == "a man, two"
    assert example.source_words == ["two", "small", "dogs", "run", ",", "quickly", "(end)"]
    table = np.array(example.weights)
    assert table.shape == (5, 7) and np.allclose(table.sum(1), 1, atol=0.01)
    src = tokenizer.encode_batch([TEXT[0]])[0]
    raw = weights([*src, 2], [*tokens, 2])
    man, dogs = raw[2:6].mean(0), word_groups(tokenizer.tokens(src), True)[2]
    assert table[1, 2] == pytest.approx(man[dogs].sum(), abs=1e-3)


def test_no_map_of_what_is_too_short_too_wide_or_without_attention(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode_batch([TEXT[0]])[0]
    both = (tokenizer, tokenizer), ("en", "en")
    flat = lambda src, tgt: np.full((len(tgt), len(src)), 1 / len(src))  # noqa: E731
    assert attention_example(TEXT[0], *both, tokens, flat) is not None
    assert attention_example(TEXT[0], *both, [], flat) is None
    assert attention_example(TEXT[0] * 5, *both, tokens, flat) is None
    assert attention_example("two small dogs " + "run" * 9, *both, tokens, flat) is None
    assert attention_example(TEXT[0], *both, tokens, lambda src, tgt: None) is None
