"""Tokenizers: text comes back, nothing in a text is a special token, the same text gives the same ids."""

import itertools
import os
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from seq2seq.data import tokenization
from seq2seq.data.tokenization import BLANKS, EOS, SPECIAL, UNK, Tokenizer, train_tokenizers
from seq2seq.errors import UserError
from seq2seq.recipe import AnyTokenizer

KINDS = ["bpe", "unigram", "word", "char"]
SENTENCES = [
    "The cat, the dog & the cow: 12 of them (all \"good\")!", "Don't the cats sit on the mat?", "<pad> </s> <s> <unk>",
    "Der Hund läuft über 25 Straßen – und die Katze schläft.", "Die Kühe sind müde; z.B. «sehr» müde …", "日本語の文。",
    "The lowest of the low ▁ mats, a_b and a▁b", "e\u0301 A\u030a ﬁne", "\x00 \x07 nul\u200b",
]  # fmt: skip
TEXT = st.lists(
    st.sampled_from(
        [*"the cat dog, .!?'<>/&▁0129äß", "日", "<s>", "<unk>", "\u0301", "\x00", "\u2028", *BLANKS.split("-")[0]]
    )
).map("".join)


def train(texts: list[str] = SENTENCES, targets: list[str] | None = None, **config: Any) -> tuple[Tokenizer, Tokenizer]:
    config = {"kind": "bpe", "min_frequency": 1, **config}
    if config["kind"] == "unigram":
        del config["min_frequency"]
    parsed = TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python(config)
    return train_tokenizers(parsed, lambda: iter(texts), lambda: iter(texts if targets is None else targets))


@cache
def trained(kind: str, normalization: str = "nfc") -> Tokenizer:
    return train(kind=kind, normalization=normalization)[0]


def normalised(text: str, form: Any = "NFC") -> str:
    return " ".join((unicodedata.normalize(form, text) if form else text).split())


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.one_of(TEXT, st.text(), st.sampled_from(SENTENCES)))
@settings(max_examples=150)
def test_text_comes_back(kind: str, text: str) -> None:
    tokenizer = trained(kind)
    (ids,) = tokenizer.encode_batch([text])
    back = tokenizer.decode(ids)
    assert all(UNK <= i < len(tokenizer) for i in ids)
    assert len(back.splitlines()) <= 1 and back == back.strip()
    if UNK not in ids:
        assert back == normalised(text).replace("\ufdd0", "▁")  # as the module says
    assert len(tokenizer.tokens(ids)) == len(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_training_text_comes_back(kind: str) -> None:
    tokenizer = trained(kind)
    ids = tokenizer.encode_batch(SENTENCES)
    assert [tokenizer.decode(i) for i in ids] == [normalised(text) for text in SENTENCES]
    assert tokenizer.tokens(ids[1])[0].startswith("▁")


@pytest.mark.parametrize(("normalization", "form"), [("none", None), ("nfc", "NFC"), ("nfkc", "NFKC")])
def test_normalization(normalization: str, form: str | None) -> None:
    tokenizer = trained("char", normalization)
    assert tokenizer.decode(tokenizer.encode_batch([SENTENCES[7]])[0]) == normalised(SENTENCES[7], form)


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_special_tokens_are_text(kind: str, tmp_path: Path) -> None:
    tokenizer = train([" ".join(SPECIAL)] * 50, kind=kind)[0]
    tokenizer.save(tmp_path / "t.json")
    for one in (tokenizer, Tokenizer.load(tmp_path / "t.json")):
        for text in (*SPECIAL, "<s></s><pad>"):
            (ids,) = one.encode_batch([text])
            assert min(ids) > UNK and one.decode(ids) == text
    assert tokenizer.decode([0, 1, 2]) == "" and tokenizer.decode([UNK]) == "<unk>"


@pytest.mark.parametrize("kind", KINDS)
def test_odd_text(kind: str) -> None:
    tokenizer = trained(kind)
    assert tokenizer.encode_batch([]) == [] and tokenizer.encode_batch(["", " \t\u2028 "]) == [[], []]
    long = " ".join(["the"] * 10_000)
    assert tokenizer.decode(tokenizer.encode_batch([long])[0]) == long
    (ids,) = tokenizer.encode_batch(["the Ж cat"])
    assert UNK in ids and tokenizer.decode(ids) == "the <unk> cat"
    assert len(tokenizer.encode_batch(["\ud800 half", "the"])) == 2
    assert EOS not in ids


def test_noncharacter_is_the_documented_exception() -> None:
    tokenizer = trained("char")
    assert tokenizer.decode(tokenizer.encode_batch(["a\ufdd0b"])[0]) == "a▁b"


@pytest.mark.parametrize("kind", KINDS)
def test_saved_is_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer = trained(kind)
    tokenizer.save(tmp_path / "t.json")
    loaded = Tokenizer.load(tmp_path / "t.json")
    texts = [*SENTENCES, "unseen Ж word"]
    assert loaded.encode_batch(texts) == tokenizer.encode_batch(texts) and len(loaded) == len(tokenizer)
    ids = loaded.encode_batch(texts)[-1]
    assert loaded.decode(ids) == tokenizer.decode(ids) and loaded.tokens(ids) == tokenizer.tokens(ids)


def test_files_that_are_no_tokenizers(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    for content in (None, "", "{}", '{"model": 3}', "\0"):
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError, match=r"t\.json: "):
            Tokenizer.load(path)


SCRIPT = """
import sys, hashlib, random
from pydantic import TypeAdapter
from seq2seq.data.tokenization import train_tokenizers
from seq2seq.recipe import AnyTokenizer
chance = random.Random(3)
words = ["".join(chance.choices("abcdefghij", k=chance.randint(1, 9))) for _ in range(3000)]
texts = [" ".join(chance.choices(words, k=9)) + "." for _ in range(2000)]
for kind in ("bpe", "word", "char"):
    config = {"kind": kind} | ({} if kind == "char" else {"vocab_size": 700})
    config = TypeAdapter(AnyTokenizer).validate_python(config)
    tokenizer, _ = train_tokenizers(config, lambda: iter(texts), lambda: iter(texts))
    print(kind, len(tokenizer), hashlib.sha256(tokenizer._inner.to_str().encode()).hexdigest())
"""


def test_training_is_deterministic() -> None:
    runs = []
    for threads, seed in (("1", "1"), ("2", "2")):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        runs.append(
            subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
        )
    assert runs[0].stdout == runs[1].stdout
    assert [line.split()[:2] for line in runs[0].stdout.splitlines()][:2] == [["bpe", "700"], ["word", "700"]]


def test_joint_or_apart() -> None:
    one, other = train(["aaa bbb"] * 9, ["ccc ddd"] * 9)
    assert one is other and UNK not in one.encode_batch(["aaa ccc"])[0]
    one, other = train(["aaa bbb"] * 9, ["ccc ddd"] * 9, joint=False)
    assert one is not other and UNK in one.encode_batch(["ccc"])[0] and UNK in other.encode_batch(["aaa"])[0]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_vocabulary_too_small_for_the_alphabet(kind: str) -> None:
    rare = ["".join(map(chr, range(0x4E00, 0x4E80)))]
    tokenizer, _ = train([*rare, *["the cat"] * 9000], kind=kind, vocab_size=100)
    assert len(tokenizer) == 100 and UNK not in tokenizer.encode_batch(["the cat"])[0]
    with pytest.raises(UserError, match=r"tokenizer\.vocab_size: 100 is too small: the text has 129 different"):
        train(rare, kind=kind, vocab_size=100)


@pytest.mark.parametrize("kind", KINDS)
def test_little_text_gives_few_tokens_and_none_an_error(kind: str) -> None:
    assert 5 <= len(train(["a b"], kind=kind)[0]) < 12
    with pytest.raises(UserError, match=r"data\.train: the tokenizer has no text"):
        train([], kind=kind)


def test_word_frequencies() -> None:
    tokenizer, _ = train(["often often rare"], [], kind="word", min_frequency=2)
    assert tokenizer.decode(tokenizer.encode_batch(["rare often rare"])[0]) == "<unk> often <unk>"


def test_large_text_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenization, "TRAINING_SENTENCES", 30)
    texts = [str(i) for i in range(100)]
    sample = [int(text) for text in tokenization._sample(lambda: iter(texts))]
    assert len(sample) == 30 and {b - a for a, b in itertools.pairwise(sample)} == {3, 4}
    assert len(list(tokenization._sample(lambda: iter(texts[:30])))) == 30
