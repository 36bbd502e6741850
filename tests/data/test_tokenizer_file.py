"""Files of tokenizers: what is saved is read alike, and none can break the library that reads it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from seq2seq.data import tokenizer_file
from seq2seq.data.tokenization import Tokenizer
from seq2seq.errors import UserError
from tests.data.trained import KINDS, SENTENCES, SUBWORDS, normalised, train, trained


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


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_reads_the_file_alike(kind: str, tmp_path: Path) -> None:
    tokenizer = trained(kind)
    tokenizer.save(tmp_path / "t.json")
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "t.json"))
    texts = [*SENTENCES, "a 東京 ▁"]
    assert [e.ids for e in library.encode_batch(texts)] == tokenizer.encode_batch(texts)
    if kind in SUBWORDS:
        assert [library.decode(ids) for ids in tokenizer.encode_batch(texts)] == [normalised(text) for text in texts]


def damaged(tokenizer: Tokenizer, **changes: Any) -> str:
    """Its JSON with parts replaced: `model__vocab=...`."""
    content = json.loads(tokenizer.to_json())
    for key, value in changes.items():
        part, step = content, key.split("__")
        for name in step[:-1]:
            part = part[name]
        part[step[-1]] = value
    return json.dumps(content)


SEQUENCE = {"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "x"}]}


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("bpe", {"normalizer": SEQUENCE}, "its normalizer is Replace and not Replace, Replace, Strip"),
        ("bpe", {"pre_tokenizer": {"pretokenizers": [{"type": "Split"}]}}, "its pre_tokenizer is Split and not"),
        ("word", {"decoder": {"decoders": [{"type": "Replace"}]}}, "its decoder is Replace and not"),
        ("char", {"normalizer": None}, "tokenizer of seq2seq"),
        ("char", {"added_tokens": [{"id": 3}]}, "it has added tokens"),
        ("bpe", {"post_processor": {"type": "x"}}, "it has added tokens or a post-processor"),
        ("bpe", {"model__type": "WordPiece"}, "its model is 'WordPiece' and not BPE"),
        ("bpe", {"model__vocab": {"<pad>": 0, "<s>": 2}}, "the ids of its vocabulary are not 0, 1, 2"),
        ("bpe", {"model__vocab": {"<pad>": 0, "<s>": "1"}}, "tokenizer of seq2seq"),
        ("bpe", {"model__vocab": {"<pad>": 0, "": 1}, "model__merges": []}, "a piece of its vocabulary is empty"),
        ("bpe", {"model__vocab": {"a": 0}, "model__merges": []}, "its first tokens must be <pad> <s> </s> <unk>"),
        ("bpe", {"model__merges": [["no", "where"]]}, "its merge ['no', 'where'] is not of two pieces"),
        ("bpe", {"model__merges": [["t", "h", "e"]]}, "its merge ['t', 'h', 'e'] is not of two"),
        ("bpe", {"model__unk_token": "t"}, "its unknown token is not <unk>"),
        ("unigram", {"model__unk_id": 99999}, "its unknown token is not <unk>"),
        ("unigram", {"model__vocab": [["<pad>", float("nan")]]}, "a piece's score is no number"),
        ("unigram", {"model__vocab": [["<pad>", 1e300]]}, "a piece's score is no number"),
        ("unigram", {"model__vocab": [["<pad>", 0], ["<pad>", 1]]}, "a duplicate piece"),
        ("unigram", {"model__vocab": [["<pad>", 0], [7, 1]]}, "a piece of its vocabulary is empty, or too long"),
        ("unigram", {"model__vocab": [["<pad>", 0], ["x" * 1001, 1]]}, "a piece of its vocabulary is empty, or too"),
    ],
)
def test_a_file_that_would_break_the_library(kind: str, changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(damaged(trained(kind), **changes))
    with pytest.raises(UserError, match=re.escape(str(path)) + ": .*" + re.escape(words)):
        Tokenizer.load(path)


def test_patterns_of_the_file_are_not_run(tmp_path: Path) -> None:
    """Of a file with the right steps, but other patterns: ours are used."""
    content = json.loads(trained("bpe").to_json())
    content["normalizer"]["normalizers"][1]["content"] = ""
    content["normalizer"]["normalizers"][2]["pattern"] = {"Regex": "(((a{1,100}){1,100}){1,100})+$"}
    (tmp_path / "t.json").write_text(json.dumps(content))
    assert Tokenizer.load(tmp_path / "t.json").to_json() == trained("bpe").to_json()


@pytest.mark.parametrize("form", ["none", "nfc", "nfkc"])
def test_files_from_before_byte_fallback(form: str, tmp_path: Path) -> None:
    tokenizer = train(kind="bpe", normalization=form, byte_fallback=False)[0]
    content = json.loads(tokenizer.to_json())
    del content["decoder"]["decoders"][0], content["model"]["byte_fallback"]
    content["model"]["merges"] = [" ".join(merge) for merge in content["model"]["merges"]]
    (tmp_path / "t.json").write_text(json.dumps(content))
    loaded = Tokenizer.load(tmp_path / "t.json")
    assert loaded.to_json() == tokenizer.to_json()
    assert loaded.encode_batch(SENTENCES) == tokenizer.encode_batch(SENTENCES)


def test_a_file_that_never_ends_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "t.json")
    with pytest.raises(UserError, match=r"t\.json: cannot be read: not a regular file"):
        Tokenizer.load(tmp_path / "t.json")
    trained("char").save(tmp_path / "u.json")
    monkeypatch.setattr(tokenizer_file, "MAX_BYTES", 10)
    with pytest.raises(UserError, match=r"u\.json: .* bytes, more than 10"):
        Tokenizer.load(tmp_path / "u.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"deep\.json: "):
        Tokenizer.load(tmp_path / "deep.json")
