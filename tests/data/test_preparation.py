"""From files to Arrow files: every pair is accounted for, and what is read back is what was written."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from seq2seq.data import cleaning, preparation
from seq2seq.data.preparation import PreparedPairs, Statistics, prepare
from seq2seq.data.tokenization import EOS, UNK, Tokenizer
from seq2seq.errors import UserError
from seq2seq.recipe import AnyTokenizer, DataConfig


def write(path: Path, pairs: list[tuple[str, str]]) -> dict[str, str]:
    path.write_text("".join(f"{src}\t{tgt}\n" for src, tgt in pairs), encoding="utf-8")
    return {"tsv": str(path)}


def run(folder: Path, data: dict[str, Any], kind: str = "word", **options: Any) -> tuple[dict[str, Any], Path]:
    out = folder / "out"
    out.mkdir()
    options = {"min_frequency": 1} | options if kind in ("bpe", "word") else options
    config = TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python({"kind": kind, **options})
    return prepare(DataConfig.model_validate({"src": "en", "tgt": "de", **data}), config, out), out


FIRST = [("a b", "x y"), ("", "x"), ("a b ", "x y"), ("test one", "q"), ("k l m n", "z"), ("a " * 30, "b " * 30)]
SECOND = [("c d", "v w"), ("a b", "x y"), ("p", "valid two"), ("e f", "g h")]
VALID = [("valid one", "valid two"), ("", "empty")]
TEST = [("test one", "test two"), ("unseen words", ""), ("e f", "g  h")]


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    return {
        "train": [write(tmp_path / "1.tsv", FIRST), write(tmp_path / "2.tsv", SECOND)],
        "valid": write(tmp_path / "v.tsv", VALID),
        "test": {"my-set": write(tmp_path / "t.tsv", TEST)},
        "filter": {"max_length": 20, "max_length_ratio": 3.0},
    }


def test_every_pair_is_accounted_for(tmp_path: Path, data: dict[str, Any]) -> None:
    audit, out = run(tmp_path, data)
    assert json.loads((out / "audit.json").read_text()) == audit
    one, two = audit["train"]["sources"]
    assert one.pop("samples") == [list(FIRST[i]) for i in (0, 3, 5)] and two.pop("samples")[0] == list(SECOND[0])
    assert "83% of the pairs were dropped" in one.pop("warnings")[-1] and two.pop("warnings")
    samples = one.pop("dropped_samples")
    assert {name: len(pairs) for name, pairs in samples.items()} == one["dropped"] and two.pop("dropped_samples")
    dropped = {"empty": 1, "duplicate": 1, "overlap": 1, "too_long": 1, "length_ratio": 1}
    assert one == {"key": "data.train.0", "read": 6, "kept": 1, "dropped": dropped}
    dropped = {"empty": 0, "duplicate": 1, "overlap": 2, "too_long": 0, "length_ratio": 0}
    assert two == {"key": "data.train.1", "read": 4, "kept": 1, "dropped": dropped}
    assert (audit["train"]["read"], audit["train"]["kept"], audit["train"]["dropped"]["overlap"]) == (10, 2, 3)
    assert audit["valid"]["pairs"] == 2 and audit["valid"]["empty"] == {"src": 1, "tgt": 0}
    test = audit["test"]["my-set"]
    assert test["pairs"] == 3 and test["empty"] == {"src": 0, "tgt": 1}
    assert test["overlap"]["before"] == {"sources": 2, "targets": 0, "pairs": 0}
    assert test["overlap"]["after"] == {"sources": 0, "targets": 0, "pairs": 0}
    assert audit["valid"]["overlap"]["before"] == {"sources": 0, "targets": 1, "pairs": 0}
    names = {"audit.json", "tokenizer.json", "train.arrow", "valid.arrow", "test-my-set.arrow"}
    assert {path.name for path in out.iterdir()} == names


def test_what_is_read_is_what_was_written(tmp_path: Path, data: dict[str, Any]) -> None:
    _, out = run(tmp_path, data)
    tokenizer = Tokenizer.load(out / "tokenizer.json")
    train, test = PreparedPairs(out / "train.arrow"), PreparedPairs(out / "test-my-set.arrow")
    src, tgt = train.take(np.array([1, 0, 1]))
    assert [tokenizer.decode(ids) for ids in src] == ["c d", "a b", "c d"]
    assert [tokenizer.decode(ids) for ids in tgt] == ["v w", "x y", "v w"]
    assert all(ids[-1] == EOS and ids.dtype == np.int32 for ids in src + tgt)
    assert train.source.tolist() == [0, 1]
    assert (test.src_texts(), test.tgt_texts()) == ([s for s, _ in TEST], [t for _, t in TEST])
    assert test.take(range(3))[1][1].tolist() == [EOS]


def test_apart(tmp_path: Path, data: dict[str, Any]) -> None:
    audit, out = run(tmp_path, data, joint=False)
    one, other = Tokenizer.load(out / "tokenizer.src.json"), Tokenizer.load(out / "tokenizer.tgt.json")
    assert not (out / "tokenizer.json").exists()
    assert audit["vocabulary"] == {"joint": False, "src": len(one), "tgt": len(other)}
    assert UNK in other.encode_batch(["c d"])[0] and UNK not in one.encode_batch(["c d"])[0]


def test_overlap_may_stay(tmp_path: Path, data: dict[str, Any]) -> None:
    data["filter"] |= {"drop_test_overlap": False, "deduplicate": False}
    audit, _ = run(tmp_path, data)
    assert audit["train"]["kept"] == 7 and audit["train"]["dropped"]["overlap"] == 0
    assert audit["test"]["my-set"]["overlap"]["after"] == {"sources": 2, "targets": 0, "pairs": 0}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"filter": {"max_length": 1}}, r"none of 10 pairs is left .*1 empty, 2 duplicate, 3 overlap, 4 too_long"),
        ({"train": [("", "x"), ("x", " ")]}, r"none of 2 pairs is left .*2 empty"),
        ({"valid": []}, r"data\.valid: .*no sentence pairs"),
        ({"valid": [("", "x")]}, r"data\.valid: every pair has a blank side"),
        ({"train": []}, r"data\.train: .*no sentence pairs"),
    ],
)
def test_nothing_to_learn_from(tmp_path: Path, data: dict[str, Any], change: dict[str, Any], expected: str) -> None:
    change = {k: write(tmp_path / "new.tsv", v) if isinstance(v, list) else v for k, v in change.items()}
    with pytest.raises(UserError, match=expected):
        run(tmp_path, {**data, **change})


def test_statistics_are_those_of_the_lengths() -> None:
    chance, statistics, lengths = np.random.default_rng(0), Statistics(), [np.zeros(0, int), np.zeros(0, int)]
    for _ in range(5):
        batch = [chance.poisson(rate, 501) for rate in (9, 300)]
        lengths = [np.append(*sides) for sides in zip(lengths, batch, strict=True)]
        statistics.add(*([[UNK] * int(n > 12) + [7] * (n - int(n > 12)) for n in side] for side in batch))
    found = statistics.summary()
    for side, all_lengths in zip(("src", "tgt"), lengths, strict=True):
        ordered = np.sort(all_lengths)
        assert found[side]["max"] == ordered[-1] and found[side]["mean"] == round(ordered.mean(), 2)
        assert found[side]["median"] == np.median(ordered) and found[side]["p95"] == ordered[int(0.95 * len(ordered))]
        assert found[side]["unknown"] == round((ordered > 12).sum() / ordered.sum(), 6)
        assert sum(found[side]["histogram"]["counts"]) == 2505
    assert found["tgt"]["histogram"]["counts"][-1] == (lengths[1] >= 200).sum()


def test_many_record_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "ROWS", 7)  # one batch of rows is dropped whole
    pairs = [(f"w{i} " * (1 + i % 5), f"v{i}" if i // 7 != 3 else "v " * 50) for i in range(100)]
    source = write(tmp_path / "1.tsv", pairs)
    data = {"train": source, "valid": source, "filter": {"drop_test_overlap": False, "max_length_ratio": None}}
    _, out = run(tmp_path, {**data, "filter": {**data["filter"], "max_length": 45}}, kind="char", min_frequency=1)
    train, tokenizer = PreparedPairs(out / "train.arrow"), Tokenizer.load(out / "tokenizer.json")
    kept = [pair for i, pair in enumerate(pairs) if i // 7 != 3]
    assert len(train) == len(kept) == 93
    src, tgt = train.take(np.arange(93)[::-1])
    assert [tokenizer.decode(ids) for ids in src] == [s.strip() for s, _ in kept[::-1]]
    lengths = train.lengths
    assert [side.dtype for side in lengths] == [np.int32, np.int32]
    assert [len(ids) for ids in src] == lengths[0].tolist()[::-1]
    assert [len(ids) for ids in tgt] == lengths[1].tolist()[::-1]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    for content in (None, b"", b"ARROW1 and nothing"):
        if content is not None:
            (tmp_path / "x.arrow").write_bytes(content)
        with pytest.raises(UserError, match=r"x\.arrow: cannot be read"):
            PreparedPairs(tmp_path / "x.arrow")


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "ROWS", 200)
    monkeypatch.setattr(cleaning, "CHUNK", 1000)
    peaks = []
    for count in (500, 3_000, 12_000):  # the first also imports
        folder = tmp_path / str(count)
        folder.mkdir()
        pairs = [(f"{i} {i * i} words", f"{i} {i * i} Worte") for i in range(count)]
        data = {"train": write(folder / "1.tsv", pairs), "valid": write(folder / "v.tsv", VALID)}
        del pairs
        tracemalloc.start()
        run(folder, data, kind="bpe", vocab_size=300)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1] + 50_000  # a list of the pairs would take 2 MB more


def test_multi30k(tmp_path: Path, multi30k: Path) -> None:
    data = {
        "train": {"files": f"{multi30k}/train.{{lang}}"},
        "valid": {"files": f"{multi30k}/val.{{lang}}"},
        "test": {"flickr2016": {"files": f"{multi30k}/test_2016_flickr.{{lang}}"}},
    }
    audit, out = run(tmp_path, data, kind="bpe", min_frequency=2)
    assert audit["train"]["read"] == 29_000 and audit["train"]["kept"] > 28_900
    assert audit["vocabulary"]["src"] == 8000 and audit["train"]["tgt"]["unknown"] == 0
    test, tokenizer = PreparedPairs(out / "test-flickr2016.arrow"), Tokenizer.load(out / "tokenizer.json")
    assert test.src_texts() == (multi30k / "test_2016_flickr.en").read_text(encoding="utf-8").split("\n")[:-1]
    ids = test.take(range(len(test)))[1]
    exact = sum(
        tokenizer.decode(i) == " ".join(t.split()) for i, t in zip(ids, test.tgt_texts(), strict=True) if UNK not in i
    )
    assert exact > 990
