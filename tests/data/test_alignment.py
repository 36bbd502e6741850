"""Word alignments: of which word a piece is, and what is linked, against plain words; through cleaning to batches."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from seq2seq.data.alignment import as_targets, parse, read_aligned, to_pieces
from seq2seq.data.batching import collate
from seq2seq.data.preparation import PreparedPairs, prepare
from seq2seq.data.reading import inspect
from seq2seq.data.tokenization import EOS, Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from seq2seq.recipe import AnyTokenizer, DataConfig
from seq2seq.recipe import BatchConfig as BatchSection
from seq2seq.training.batch_loader import BatchLoader
from tests.toy import toy_recipe

CHARACTERS = "abeé ▁ﬁ½¨12,.\u0301\u0308\t\u3000\xa0\x85ﷺ"
TEXT = ["ab ba ab bé eéa ab", "ﬁ ab 12,5 ½ ▁b a.b ﷺ", *CHARACTERS]
SECTIONS = [
    {"kind": kind, "normalization": form} | options
    for form in ("none", "nfc", "nfkc")
    for kind, options in (
        ("bpe", {"vocab_size": 400, "min_frequency": 1}),
        ("char", {}),
        ("unigram", {"vocab_size": 400}),
        ("word", {"min_frequency": 1}),
    )
]


@pytest.fixture(scope="module", params=SECTIONS, ids=lambda config: f"{config['kind']} {config['normalization']}")
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    config = TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python(request.param)
    return train_tokenizers(config, lambda: iter(TEXT), lambda: iter(TEXT))[0]


@given(text=st.text(CHARACTERS, max_size=20))
def test_a_words_pieces_are_those_that_normalisation_makes_of_it(tokenizer: Tokenizer, text: str) -> None:
    ids, words = tokenizer.encode_batch([text])[0], tokenizer.words([text])[0]
    assert len(words) == len(ids) and words == sorted(words)
    for i, word in enumerate(text.split()):
        own = [token for token, of in zip(ids, words, strict=True) if of == i]
        assert own
        if "<unk>" not in tokenizer.tokens(own):
            normal = tokenizer._inner.normalizer.normalize_str(word).replace("\ufdd0", "▁")
            assert "".join(tokenizer.decode(own).split()) == "".join(normal.split())
    assert set(words) == set(range(len(text.split())))


WORDS = st.lists(st.integers(0, 4), min_size=1, max_size=8).map(sorted)
LINKS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=6)


@given(links=LINKS, src=WORDS, tgt=WORDS)
def test_pieces_are_linked_if_their_words_are_and_each_row_sums_to_one(
    links: list[tuple[int, int]], src: list[int], tgt: list[int]
) -> None:
    found = to_pieces(links, src, tgt)
    places = itertools.product(range(len(src)), range(len(tgt)))
    assert list(found) == [(s, t) for s, t in places if (src[s], tgt[t]) in links]
    targets = as_targets([np.array(found, np.int32).reshape(-1, 2)], len(tgt) + 1, len(src) + 1)[0]
    for t, row in enumerate(targets):
        own = [s for s in range(len(src)) if (s, t) in found]
        assert row.nonzero().flatten().tolist() == own
        torch.testing.assert_close(row.sum(), torch.tensor(float(bool(own))))
        assert all(row[s] == row[own[0]] for s in own)
    assert not targets[-1].any() and not targets[:, -1].any()  # </s>


def test_a_batch_carries_its_alignment_to_its_parts() -> None:
    links = [np.array([[0, 1], [1, 1]], np.int32), np.zeros((0, 2), np.int32), np.array([[0, 0]], np.int32)]
    rows = [np.array([4, 5, EOS]), np.array([4, EOS]), np.array([4, EOS])]
    batch = collate(rows, rows, links)
    assert batch.alignment is not None and batch.alignment.shape == (3, 3, 3) and batch.aligned == 2
    assert batch.alignment[0].tolist() == [[0, 0, 0], [0.5, 0.5, 0], [0, 0, 0]]
    assert [part.aligned for part in batch.to(torch.device("cpu")).split(3)] == [1, 0, 1]
    assert collate(rows, rows).aligned == 0


def write(folder: Path, pairs: list[tuple[str, str, str]]) -> dict[str, object]:
    for i, name in enumerate(("en", "de", "align")):
        (folder / f"train.{name}").write_text("".join(pair[i] + "\n" for pair in pairs), encoding="utf-8")
    return {"files": str(folder / "train.{lang}"), "alignments": str(folder / "train.align")}


PAIRS = [
    ("", "leer", ""),
    ("the  old house .", "das alte Haus.", "0-0 1-1 2-2 3-2"),
    ("the  old house .", "das alte Haus.", "0-2"),  # a duplicate
    ("test", "x", "0-0"),  # overlap
    (" a".join("b" * 60), "b", "0-0"),  # too long
    ("\u3000un-\xa0seen e\u0301 ▁ﬁ", "un gesehen é fi", "0-0 1-1 3-3 2-2 2-2"),
    ("nothing is said", "es steht nichts", ""),
]


@pytest.mark.parametrize("kind", ["bpe", "char", "word"])
def test_alignments_come_through_cleaning_and_normalisation_with_their_pairs(tmp_path: Path, kind: str) -> None:
    (tmp_path / "more.tsv").write_text("no alignment here\tkeine hier\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("test\tvalid\n", encoding="utf-8")
    valid, more = {"tsv": str(tmp_path / "valid.tsv")}, {"tsv": str(tmp_path / "more.tsv")}
    train, limits = [write(tmp_path, PAIRS), more], {"max_length": 50, "max_length_ratio": None}
    data = DataConfig.model_validate({"src": "en", "tgt": "de", "train": train, "valid": valid, "filter": limits})
    values = {"kind": kind, "normalization": "nfkc"} | ({"min_frequency": 1} if kind != "char" else {})
    (tmp_path / "out").mkdir()
    prepare(data, TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python(values), tmp_path / "out")
    pairs, tokenizer = PreparedPairs(tmp_path / "out/train.arrow"), Tokenizer.load(tmp_path / "out/tokenizer.json")
    links = pairs.links([3, 1, 0, 2])
    assert len(pairs) == 4 and [len(some) > 0 for some in links] == [False, True, True, False]

    def linked(row: int) -> set[tuple[str, str]]:
        """By target piece, in short: its text, and that of the pieces it is linked to."""
        src, tgt = (side[0] for side in pairs.take([row]))
        found = [(int(t), tokenizer.pieces[src[s]]) for s, t in pairs.links([row])[0]]
        return {(tokenizer.pieces[tgt[t]], "".join(p for other, p in found if other == t)) for t, _ in found}

    if kind == "char":
        assert {("▁", "▁the"), ("d", "▁the"), (".", "▁house▁."), ("H", "▁house▁.")} <= linked(0)
        assert {("f", "▁\ufdd0fi"), ("é", "▁é"), ("g", "▁seen")} <= linked(1)
    if kind == "word":
        assert linked(0) == {("▁das", "▁the"), ("▁alte", "▁old"), ("▁Haus", "▁house▁."), (".", "▁house▁.")}
        assert linked(1) == {("▁un", "▁un-"), ("▁gesehen", "▁seen"), ("▁é", "▁é"), ("▁fi", "▁\ufdd0fi")}
    feed = BatchLoader(BatchSection(tokens=10_000), pairs, None, 1, aligned=True)
    whole, shares = feed.take(0, 0, SINGLE_PROCESS)[0], [feed.take(0, 0, Processes(rank, 6))[0] for rank in range(6)]
    assert whole.aligned == sum(share.aligned for share in shares) > 0  # two of the six have a pair that does not count


def test_a_training_that_does_not_ask_for_alignments_has_none_of_their_cost(tmp_path: Path) -> None:
    plain = toy_recipe(tmp_path, train=5)
    (tmp_path / "out").mkdir()
    prepare(plain.data, plain.tokenizer, tmp_path / "out")
    pairs = PreparedPairs(tmp_path / "out/train.arrow")
    assert BatchLoader(plain.training.batch, pairs, None, 1).take(0, 0, SINGLE_PROCESS)[0].alignment is None


def test_a_changed_file_prepares_again_and_a_changed_weight_trains_again(tmp_path: Path) -> None:
    def inputs(*settings: str) -> dict[str, dict[str, str]]:
        given = toy_recipe(tmp_path, "training.guided_alignment=0.1", "data.train.alignments=a", *settings, train=5)
        return dict(Runner(given).inputs)  # type: ignore[arg-type]

    (tmp_path / "a").write_text("0-0\n" * 5)
    first = inputs()
    assert "data.train.0 (alignments)" in first["prepare"]
    other = inputs("training.guided_alignment=0.2")
    assert other["prepare"] == first["prepare"] and other["train"] != first["train"]
    (tmp_path / "a").write_text("0-1\n" * 5)
    assert inputs()["prepare"] != first["prepare"]


def test_validating_a_recipe_reads_its_alignments(tmp_path: Path) -> None:
    settings = "training.guided_alignment=0.1", "data.train.alignments=a"
    made = toy_recipe(tmp_path, *settings, train=5)
    (tmp_path / "a").write_text("0-0\n" * 5)
    inspect(made.data, print)
    (tmp_path / "a").write_text("0-0\n" * 4)
    with pytest.raises(UserError, match=r"data\.train\.alignments: .*a has 4 lines, and the text 5"):
        inspect(made.data, print)


def test_lines_are_checked_against_their_pairs(tmp_path: Path) -> None:
    path = tmp_path / "a.align"

    def read(text: str) -> list[tuple[str, str, str]]:
        path.write_text(text)
        return list(read_aligned(iter([("a b", "c"), ("d", "e f")]), path, "data.train.0"))

    assert [parse(line) for *_, line in read("0-0 1-0\n\n")] == [[(0, 0), (1, 0)], []]
    for text, words in (
        ("0-0\n", "has 1 lines, and the text 2"),
        ("0-0\n0-0\n\n\n", "has 4 lines, and the text 2"),
        ("0-0\n0:0\n", "a.align:2: '0:0' is no link"),
        (f"{'9' * 9999}-0\n\n", "a.align:1: '9999"),
        ("2-0\n\n", "a.align:1: 2-0 names source word 2, from 0, but there are 2 words"),
        ("0-0\n0-2\n", "a.align:2: 0-2 names target word 2"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            read(text)


def test_on_real_text_every_word_has_its_own_pieces(multi30k: Path) -> None:
    lines = (multi30k / "train.de").read_text(encoding="utf-8").split("\n")[:2000]
    config = TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python({"kind": "bpe", "vocab_size": 1000})
    made = train_tokenizers(config, lambda: iter(lines), lambda: iter(lines))[0]
    for line, ids, words in zip(lines, made.encode_batch(lines), made.words(lines), strict=True):
        groups = itertools.groupby(zip(words, ids, strict=True), key=lambda entry: entry[0])
        assert ["".join(made.decode([i for _, i in group]).split()) for _, group in groups] == line.split()
