"""BPE dropout against the `tokenizers` library: the same without chance, the same distribution with it."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
import tokenizers

from seq2seq.data.batching import Batch
from seq2seq.data.bpe_dropout import BpeDropout
from seq2seq.data.tokenization import EOS, Tokenizer, train_tokenizers
from seq2seq.recipe import Batch as BatchSection
from seq2seq.recipe import BpeTokenizer
from seq2seq.training.distributed import ALONE, Processes
from seq2seq.training.feed import Feed

TEXTS = [
    "the lowest lower-case newest widest words, the lower the better",
    "low lower lowest new newer newest wide wider widest",
    "in 1995 there were 2,048 of them (or so); it's \u2581 odd: a  b",
    "ein Wort und noch ein Wörterbuch",
    "새로운 단어와 낡은 단어",
    "слово за словом",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizers(
        BpeTokenizer(kind="bpe", vocab_size=150, min_frequency=1), lambda: iter(TEXTS), lambda: iter(TEXTS)
    )[0]


def pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [[*ids, EOS] for ids in tokenizer.encode_batch(texts)]


def test_without_chance_it_is_the_librarys(tokenizer: Tokenizer) -> None:
    cut = BpeDropout(tokenizer, 0.0)
    strange = ["lowest-widest 1995,2048 中 unknown 中low", "", "a", "ß🙂new er", "  low   est  "]
    for ids in pieces(tokenizer, [*TEXTS, *strange]):
        assert cut(ids, Random(1)) == ids


def test_with_nothing_merged_it_is_characters(tokenizer: Tokenizer) -> None:
    cut = BpeDropout(tokenizer, 0.9999999)
    for text, ids in zip(TEXTS, pieces(tokenizer, TEXTS), strict=True):
        found = cut(ids, Random(1))
        assert all(len(piece) == 1 for piece in tokenizer.tokens(found[:-1]))
        assert tokenizer.decode(found) == tokenizer.decode(ids) and found[-1] == EOS, text


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_text_stays_the_same(tokenizer: Tokenizer, rate: float) -> None:
    cut, random = BpeDropout(tokenizer, rate), Random(3)
    every = pieces(tokenizer, [*TEXTS, "中lowest 中 new"])
    changed = 0
    for ids in every * 20:
        found = cut(ids, random)
        assert tokenizer.decode(found) == tokenizer.decode(ids)
        changed += found != ids
    assert changed > 20


@pytest.mark.parametrize("rate", [0.1, 0.4])
@pytest.mark.parametrize("word", ["lowest", "newest widest", "Wörterbuch"])
def test_the_distribution_is_the_librarys(tokenizer: Tokenizer, word: str, rate: float) -> None:
    model = json.loads(tokenizer.to_json())
    model["model"]["dropout"] = rate
    library, count = tokenizers.Tokenizer.from_str(json.dumps(model)), 8000
    theirs = Counter(tuple(encoding.ids) for encoding in library.encode_batch([word] * count))
    cut, random, ids = BpeDropout(tokenizer, rate), Random(5), tokenizer.encode_batch([word])[0]
    ours = Counter(tuple(cut(ids, random)) for _ in range(count))
    assert len(ours) > 2
    for way in ours | theirs:  # five standard deviations of the difference of two shares
        share = (ours[way] + theirs[way]) / (2 * count)
        assert abs(ours[way] - theirs[way]) / count < 5 * (2 * share * (1 - share) / count) ** 0.5 + 1e-9, way


class Pairs:
    """Prepared pairs in memory."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.rows = [np.array(row, np.int32) for row in rows]
        self.lengths = (np.array([len(row) for row in rows], np.int32),) * 2

    def take(self, indices: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        rows = [self.rows[i] for i in indices]
        return rows, rows


def test_a_batch_is_the_same_whatever_came_before_and_whoever_shares_it(tokenizer: Tokenizer) -> None:
    cut = BpeDropout(tokenizer, 0.3)

    def feed() -> Feed:
        return Feed(BatchSection(tokens=200), Pairs(pieces(tokenizer, TEXTS * 5)), None, 1, (cut, cut))  # type: ignore[arg-type]

    def rows(batch: Batch) -> list[list[int]]:
        return [[i for i in row if i] for row in batch.src.tolist()]

    first = feed()
    whole = [rows(first.take(0, i, ALONE)[0]) for i in range(first.batches(0))]
    assert rows(feed().take(0, 2, ALONE)[0]) == whole[2]
    shares = [rows(feed().take(0, 2, Processes(rank, 2))[0]) for rank in (0, 1)]
    assert sorted(shares[0] + shares[1]) == sorted(whole[2])
    assert rows(first.take(1, 0, ALONE)[0]) not in whole  # the next epoch is cut otherwise


def test_on_real_text_without_chance_it_is_the_librarys(multi30k: Path) -> None:
    lines = (multi30k / "train.de").read_text(encoding="utf-8").split("\n")[:3000]
    made = train_tokenizers(BpeTokenizer(kind="bpe", vocab_size=2000), lambda: iter(lines), lambda: iter(lines))[0]
    cut = BpeDropout(made, 0.0)
    for ids in pieces(made, lines):
        assert cut(ids, Random(1)) == ids
