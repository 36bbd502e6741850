"""Tokenizers: text comes back, nothing in a text is a special token, the same text gives the same ids."""

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from seq2seq.data import tokenizer_training
from seq2seq.data.tokenization import BLANKS, BYTES, EOS, SPECIAL, UNK, BackwardTokenizer, Tokenizer
from seq2seq.data.tokenizer_training import characters_seen
from seq2seq.decoding.words import word_places
from seq2seq.errors import UserError
from seq2seq.recipe import AnyTokenizer
from tests.data.trained import KINDS, SENTENCES, SUBWORDS, normalised, train, trained

TEXT = st.lists(
    st.sampled_from(
        [*"the cat dog, .!?'<>/&▁0129äß", "日", "<s>", "<unk>", "\u0301", "\x00", "\u2028", *BLANKS.split("-")[0]]
    )
).map("".join)


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.one_of(TEXT, st.text(), st.sampled_from(SENTENCES)))
@settings(max_examples=150)
def test_text_comes_back(kind: str, text: str) -> None:
    tokenizer = trained(kind)
    (ids,) = tokenizer.encode_batch([text])
    back = tokenizer.decode(ids)
    assert all(UNK <= i < len(tokenizer) for i in ids)
    assert len(back.splitlines()) <= 1 and back == back.strip()
    assert kind not in SUBWORDS or UNK not in ids
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
    assert tokenizer.decode(ids) == ("the Ж cat" if kind in SUBWORDS else "the <unk> cat")
    assert len(tokenizer.encode_batch(["\ud800 half", "the"])) == 2
    assert EOS not in ids


def test_noncharacter_is_the_documented_exception() -> None:
    tokenizer = trained("char")
    assert tokenizer.decode(tokenizer.encode_batch(["a\ufdd0b"])[0]) == "a▁b"


SCRIPT = """
import sys, hashlib, random
from pydantic import TypeAdapter, ValidationError
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.recipe import AnyTokenizer
from tests.data.trained import KINDS, SENTENCES, SUBWORDS, normalised, train, trained
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
    one, other = train(["aaa bbb"] * 9, ["ccc ddd"] * 9, byte_fallback=False)
    assert one is other and UNK not in one.encode_batch(["aaa ccc"])[0]
    one, other = train(["aaa bbb"] * 9, ["ccc ddd"] * 9, joint=False, byte_fallback=False)
    assert one is not other and UNK in one.encode_batch(["ccc"])[0] and UNK in other.encode_batch(["aaa"])[0]


@pytest.mark.parametrize("kind", SUBWORDS)
def test_vocabulary_too_small_for_the_alphabet(kind: str) -> None:
    rare = ["".join(map(chr, range(0x4E00, 0x4E80)))]
    tokenizer, _ = train([*rare, *["the cat"] * 9000], kind=kind, vocab_size=100, byte_fallback=False)
    assert len(tokenizer) == 100 and UNK not in tokenizer.encode_batch(["the cat"])[0]
    with pytest.raises(UserError, match=r"vocab_size: 100 is too small: 4 tokens .* 129 different .* unknown.* 133$"):
        train(rare, kind=kind, vocab_size=100, byte_fallback=False)
    spelt, _ = train([*rare, *["the cat"] * 9000], kind=kind, vocab_size=300)
    assert len(spelt) == 300
    (ids,) = spelt.encode_batch(rare)
    assert UNK not in ids and spelt.decode(ids) == rare[0] and any(spelt.pieces[i] in BYTES for i in ids)
    with pytest.raises(UserError, match=r"too small: 260 tokens .* in bytes; .* 389, or tokenizer.byte_fallback"):
        train(rare, kind=kind, vocab_size=300)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_a_character_without_a_token_is_spelt_in_bytes(kind: str) -> None:
    tokenizer = train(["the cat"] * 9, kind=kind)[0]
    (ids,) = tokenizer.encode_batch(["東 cat"])
    assert tokenizer.tokens(ids)[1:4] == ["<0xE6>", "<0x9D>", "<0xB1>"]
    assert set(tokenizer.pieces[4:260]) == BYTES.keys() and UNK not in ids
    without = train(["the cat"] * 9, kind=kind, byte_fallback=False)[0]
    assert UNK in without.encode_batch(["東 cat"])[0] and not BYTES.keys() & set(without.pieces)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_each_byte_of_a_fallback_belongs_to_its_word(kind: str) -> None:
    text, tokenizer = "the 東京 c日t", train(["the cat"] * 9, kind=kind)[0]
    by_word: dict[int, list[int]] = {}
    for i, word in zip(tokenizer.encode_batch([text])[0], tokenizer.words([text])[0], strict=True):
        by_word.setdefault(word, []).append(i)
    assert [tokenizer.decode(ids) for ids in by_word.values()] == text.split()


@pytest.mark.parametrize("kind", SUBWORDS)
@given(data=st.data())
def test_any_tokens_make_a_line(kind: str, data: st.DataObject) -> None:
    """A model can write bytes in any order: what is no UTF-8 becomes U+FFFD, a line end a space."""
    tokenizer = trained(kind)
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1) | st.integers(4, 259)))
    line = tokenizer.decode(ids)
    assert line == line.strip() and "\n" not in line and line.encode().decode() == line
    spelt = [tokenizer.pieces.index(f"<0x{byte:02X}>") for byte in b"\xe6\x9d\nA\xff"]
    assert tokenizer.decode(spelt) == "\ufffd A\ufffd"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unknown(kind: str) -> None:
    tokenizer = train(["the cat"] * 9, kind=kind)[0]  # subwords spell the others in bytes
    assert tokenizer.unknown(" the 東京  qz 東京 cat") == ["東京", "qz"]


@pytest.mark.parametrize(("kind", "expected"), [("bpe", "The cadéг"), ("char", "The cadéг"), ("word", None)])
def test_the_alphabet_of_the_training_text(kind: str, expected: str | None) -> None:
    config = TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python({"kind": kind})
    found = characters_seen(config, lambda: iter(["The cat", "cade\u0301", "г"]))
    assert found == (None if expected is None else "".join(sorted({*expected, "t"} - {" "})))


@pytest.mark.parametrize("kind", KINDS)
def test_little_text_gives_few_tokens_and_none_an_error(kind: str) -> None:
    assert 5 <= len(set(train(["a b"], kind=kind)[0].pieces) - BYTES.keys()) < 12
    with pytest.raises(UserError, match=r"data\.train: the tokenizer has no text"):
        train([], kind=kind)


def test_word_frequencies() -> None:
    tokenizer, _ = train(["often often rare"], [], kind="word", min_frequency=2)
    assert tokenizer.decode(tokenizer.encode_batch(["rare often rare"])[0]) == "<unk> often <unk>"


def test_large_text_is_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_training, "TRAINING_SENTENCES", 30)
    texts = [str(i) for i in range(100)]
    sample = [int(text) for text in tokenizer_training._sample(lambda: iter(texts))]
    assert len(sample) == 30 and {b - a for a, b in itertools.pairwise(sample)} == {3, 4}
    assert len(list(tokenizer_training._sample(lambda: iter(texts[:30])))) == 30


def test_bytes_need_room(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="byte fallback takes 256 of the 299 tokens"):
        train(vocab_size=299)
    assert len(train(vocab_size=100, byte_fallback=False)[0]) <= 100


@pytest.mark.parametrize("kind", KINDS)
def test_blanks_are_what_no_text_comes_of(kind: str) -> None:
    tokenizer = trained(kind)
    blanks = [tokenizer.pieces[i] for i in tokenizer.blanks]
    assert blanks[:3] == SPECIAL[:3] and SPECIAL[UNK] not in blanks
    assert set(blanks[3:]) <= {"▁", "<0x20>", *(f"<0x{ord(c):02X}>" for c in BLANKS if ord(c) < 128)}
    assert ("▁" in blanks) == ("▁" in tokenizer.pieces)


@pytest.mark.parametrize("kind", KINDS)
def test_backward_the_words_change_places_and_nothing_else(kind: str) -> None:
    forward = trained(kind)
    tokenizer, rng = BackwardTokenizer(forward), random.Random(3)
    texts = [
        " ".join(rng.choices([*SENTENCES[0].split(), "the", "dog.", "½", "日本", "?!", "a▁b"], k=n)) for n in range(9)
    ]
    for text, ids, places in zip(texts, tokenizer.encode_batch(texts), tokenizer.words(texts), strict=True):
        turned = " ".join(text.split()[::-1])
        assert [ids] == forward.encode_batch([turned])
        assert tokenizer.decode(ids) == forward.decode(*forward.encode_batch([text]))
        assert tokenizer.as_written(text) == forward.normalize(turned)
        words = len(text.split())
        assert places == [words - 1 - place for place in forward.words([turned])[0]]
        if UNK not in ids:
            assert places == word_places(tokenizer, ids)
    assert tokenizer.backward and len(tokenizer) == len(forward) and not forward.backward
