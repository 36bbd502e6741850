"""Attention maps show words: the weights of their pieces, added up or averaged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.tokenization import Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.evaluation.attention import Reading, attention_example, reading, word_groups
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


def test_words_are_read_from_the_pieces_that_were_found(tokenizer: Tokenizer) -> None:
    """Pieces that the tokenizer itself would never choose are taken as they are; rows stay distributions."""
    tokens = [tokenizer.pieces.index(piece) for piece in ["▁", "a", "▁", "m", "a", "n", ",", "▁", "t", "w", "o"]]
    src = tokenizer.encode_batch([TEXT[0]])[0]
    raw = np.random.default_rng(1).dirichlet(np.ones(len(src) + 1), len(tokens) + 1).astype(np.float32)
    logs = [-0.1 * i for i in range(len(tokens) + 1)]
    found = reading((tokenizer, tokenizer), ("en", "en"), (src, tokens), logs, raw)
    assert found.target_words == ["a", "man", ",", "two", "(end)"]
    assert found.source_words == ["two", "small", "dogs", "run", ",", "quickly", "(end)"]
    table = np.array(found.weights)
    assert table.shape == (5, 7) and np.allclose(table.sum(1), 1, atol=0.01)
    man, dogs = raw[2:6].mean(0), word_groups(tokenizer.tokens(src), True)[2]
    assert table[1, 2] == pytest.approx(man[dogs].sum(), abs=1e-3)
    parts = [logs[0:2], logs[2:6], logs[6:7], logs[7:11], logs[11:]]
    assert found.confidence == pytest.approx([math.exp(sum(part)) for part in parts], abs=1e-4)


def test_an_empty_translation_and_a_very_long_one(tokenizer: Tokenizer) -> None:
    src = tokenizer.encode_batch([TEXT[0]])[0]
    found = reading((tokenizer, tokenizer), ("en", "en"), (src, []), [-0.5], np.full((1, len(src) + 1), 0.1))
    assert found.target_words == ["(end)"] and len(found.weights or []) == 1
    many = tokenizer.encode_batch([" ".join(["dogs"] * 60)])[0]
    flat = np.full((len(many) + 1, len(many) + 1), 0.01)
    assert reading((tokenizer, tokenizer), ("en", "en"), (many, many), [-0.1] * len(flat), flat).weights is None


def test_no_map_of_what_is_too_short_too_wide_or_without_attention() -> None:
    def shown(source: str, weights: bool = True) -> bool:
        words = [*source.split(), "(end)"]
        table = [[1 / len(words)] * len(words)] * len(words) if weights else None
        return attention_example(source, source, Reading(words, words, [1.0] * len(words), table)) is not None

    assert shown("two small dogs run")
    assert not shown("two small dogs")
    assert not shown("two small dogs run " * 5)
    assert not shown("two small dogs " + "run" * 9)
    assert not shown("two small dogs run", weights=False)
