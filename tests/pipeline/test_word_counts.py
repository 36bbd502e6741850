"""Words counted in token ids are those counted in the text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import EOS, load_tokenizers
from seq2seq.pipeline import Runner
from seq2seq.pipeline.word_counts import rarity
from tests.toy import toy_recipe

TEXT = ["one two two", "seven sevens, eight", "two", "", "zweiundzwanzig one", "nine , nine"]


@pytest.mark.parametrize(
    "tokenizer",
    ["{kind: bpe, vocab_size: 300, min_frequency: 1}", "{kind: char, min_frequency: 1}",
     "{kind: word, vocab_size: 100, min_frequency: 1}", "{kind: unigram, vocab_size: 310}"],
)  # fmt: skip
def test_counts_are_those_of_the_text(tmp_path: Path, tokenizer: str) -> None:
    recipe = toy_recipe(tmp_path, f"tokenizer={tokenizer}", train=300)
    Runner(recipe).run("prepare")
    source, _ = load_tokenizers(tmp_path / "run/data")
    counts = Counter((tmp_path / "train.en").read_text(encoding="utf-8").split())
    assert len(counts) == 10
    train = PreparedPairs(tmp_path / "run/data/train.arrow")
    text = [line for line in TEXT if "," not in line] if "word" in tokenizer else TEXT  # there, "," may be <unk> twice
    lines = [*text, *(tmp_path / "test.en").read_text(encoding="utf-8").splitlines()]
    ids = [np.array([*of_line, EOS]) for of_line in source.encode_batch(lines)]
    found = rarity(source, True, train, ids)
    words = [line.replace(",", " , ").split() for line in lines]
    assert found.unit == "word"
    assert found.rarest == [min((counts[word] for word in of), default=0) for of in words]
    assert found.unknown == [sum(not counts[word] for word in of) for of in words]


def test_without_spaces_tokens_are_counted(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, "tokenizer={kind: char, min_frequency: 1}", train=30)
    Runner(recipe).run("prepare")
    source, _ = load_tokenizers(tmp_path / "run/data")
    counts = Counter("".join(f" {line}" for line in (tmp_path / "train.en").read_text().splitlines()))
    train, test = (PreparedPairs(tmp_path / f"run/data/{name}.arrow") for name in ("train", "test-toy"))
    found = rarity(source, False, train, test.take(range(len(test)))[0])
    lines = (tmp_path / "test.en").read_text().splitlines()
    assert found.rarest == [min(counts[c] for c in f" {line}") for line in lines]
    assert (found.unit, found.unknown) == ("token", None)
