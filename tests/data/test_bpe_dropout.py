"""BPE dropout: the library's pieces without chance, the paper's Algorithm 1 with it."""

import functools
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Literal

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.data.bpe_dropout import BpeDropout
from seq2seq.data.tokenization import BYTES, EOS, SPACE, Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.recipe import BpeTokenizerConfig

TEXTS = [
    "the lowest lower-case newest widest words, the lower the better",
    "low lower lowest new newer newest wide wider widest",
    "in 1995 there were 2,048 of them (or so); it's \u2581 odd: a  b",
    "ein Wort und noch ein Wörterbuch",
    "새로운 단어와 낡은 단어",
    "слово за словом",
]
STRANGE = [
    "lowest-widest 1995,2048 中 unknown 中low",
    "",
    "a",
    "ß🙂new er",
    "  low   est  ",
    "<s> </s> <unk>",
    "low" * 99,
]
Form = Literal["none", "nfc", "nfkc"]


@functools.cache
def trained(form: Form = "nfc") -> Tokenizer:
    config = BpeTokenizerConfig(kind="bpe", vocab_size=450, min_frequency=1, normalization=form)
    return train_tokenizers(config, lambda: iter(TEXTS), lambda: iter(TEXTS))[0]


def pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [[*ids, EOS] for ids in tokenizer.encode_batch(texts)]


@pytest.mark.parametrize("form", ["none", "nfc", "nfkc"])
@given(
    text=st.one_of(
        st.text(), st.lists(st.sampled_from([*" ".join(TEXTS), " ", "wi", "▁", "中", "\u0308"])).map("".join)
    )
)
@settings(max_examples=150)
def test_any_text(form: Form, text: str) -> None:
    tokenizer = trained(form)
    (ids,) = pieces(tokenizer, [text])
    assert BpeDropout(tokenizer, 0.0)(ids, Random(1)) == ids
    assert tokenizer.decode(BpeDropout(tokenizer, 0.5)(ids, Random(1))) == tokenizer.decode(ids)


def test_without_chance_it_is_the_librarys() -> None:
    cut = BpeDropout(trained(), 0.0)
    for ids in pieces(trained(), [*TEXTS, *STRANGE]):
        assert cut(ids, Random(1)) == ids


def test_with_nothing_merged_it_is_characters() -> None:
    cut = BpeDropout(trained(), 1.0)
    for text, ids in zip(TEXTS, pieces(trained(), TEXTS), strict=True):
        found = cut(ids, Random(1))
        assert all(len(piece) == 1 for piece in trained().tokens(found[:-1]) if piece not in BYTES)
        assert trained().decode(found) == trained().decode(ids) and found[-1] == EOS, text


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_text_stays_the_same(rate: float) -> None:
    cut, random = BpeDropout(trained(), rate), Random(3)
    changed = 0
    for ids in pieces(trained(), [*TEXTS, "中lowest 中 new"]) * 20:
        found = cut(ids, random)
        assert trained().decode(found) == trained().decode(ids)
        changed += found != ids
    assert changed > 20


def merges_of(tokenizer: Tokenizer) -> dict[tuple[str, str], int]:
    return {
        (left, right): rank for rank, (left, right) in enumerate(json.loads(tokenizer.to_json())["model"]["merges"])
    }


def algorithm_1(word: tuple[str, ...], ranks: dict[tuple[str, str], int], rate: float) -> dict[tuple[str, ...], float]:
    """How probable each way to cut a word is: over all ways to drop some of the possible merges, until none is left."""
    places = [i for i in range(len(word) - 1) if word[i : i + 2] in ranks]
    ways: dict[tuple[str, ...], float] = defaultdict(float)
    for dropped in itertools.product([True, False], repeat=len(places)):
        probability = rate ** sum(dropped) * (1 - rate) ** (len(places) - sum(dropped))
        left = [i for i, gone in zip(places, dropped, strict=True) if not gone]
        if not left:
            ways[word] += probability
            continue
        best = min(left, key=lambda i: (ranks[word[i], word[i + 1]], i))
        merged = (*word[:best], word[best] + word[best + 1], *word[best + 2 :])
        for way, share in algorithm_1(merged, ranks, rate).items():
            ways[way] += probability * share
    return ways


@pytest.mark.parametrize("rate", [0.1, 0.4])
@pytest.mark.parametrize("word", ["lowest", "newest", "Wort"])
def test_the_distribution_is_that_of_the_papers_algorithm_1(word: str, rate: float) -> None:
    expected = algorithm_1((SPACE, *word), merges_of(trained()), rate)
    cut, random, ids, count = BpeDropout(trained(), rate), Random(5), trained().encode_batch([word])[0], 8000
    found = Counter(tuple(trained().tokens(cut(ids, random))) for _ in range(count))
    assert len(found) > 2 and found.keys() <= expected.keys()
    for way, share in expected.items():  # five standard deviations
        assert abs(found[way] / count - share) < 5 * (share * (1 - share) / count) ** 0.5 + 1 / count, way


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_it_is_the_librarys_where_no_merge_makes_another_impossible(rate: float) -> None:
    """Elsewhere the library drops fewer merges than the paper does."""
    chain = ["a ab abc abcd abcde"] * 3
    config = BpeTokenizerConfig(kind="bpe", vocab_size=300, min_frequency=1)
    made = train_tokenizers(config, lambda: iter(chain), lambda: iter(chain))[0]
    model = json.loads(made.to_json())
    model["model"]["dropout"] = rate
    library, count = tokenizers.Tokenizer.from_str(json.dumps(model)), 8000
    theirs = Counter(tuple(encoding.ids) for encoding in library.encode_batch(["abcde"] * count))
    cut, random, ids = BpeDropout(made, rate), Random(5), made.encode_batch(["abcde"])[0]
    ours = Counter(tuple(cut(ids, random)) for _ in range(count))
    assert len(ours) == 6
    for way in ours | theirs:  # five standard deviations of the difference of two shares
        share = (ours[way] + theirs[way]) / (2 * count)
        assert abs(ours[way] - theirs[way]) / count < 5 * (2 * share * (1 - share) / count) ** 0.5 + 1e-9, way


@pytest.mark.parametrize("joint", [True, False])
def test_on_real_text_without_chance_it_is_the_librarys(multi30k: Path, joint: bool) -> None:
    sides = [(multi30k / f"train.{side}").read_text(encoding="utf-8").split("\n")[:3000] for side in ("en", "de")]
    config = BpeTokenizerConfig(kind="bpe", vocab_size=2000, joint=joint)
    for made, lines in zip(
        train_tokenizers(config, lambda: iter(sides[0]), lambda: iter(sides[1])), sides, strict=True
    ):
        cut = BpeDropout(made, 0.0)
        for ids in pieces(made, lines):
            assert cut(ids, Random(1)) == ids
