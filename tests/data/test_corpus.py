"""Which files a user means, and what is set aside of them."""

import gzip
from pathlib import Path

import pytest

from seq2seq.data.corpus import corpus_in, hold_out, source_of, write_pairs
from seq2seq.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train.en", "train.de", "dev.en", "dev.de", "test_2016.en", "test_2016.de", "train.fr", "notes.txt"):
        (tmp_path / name).write_text("a\n")
    return tmp_path


def test_a_folders_files_by_their_names(folder: Path) -> None:
    found = corpus_in(folder, "en", "de")
    assert found.train == [{"files": f"{folder}/train.{{lang}}"}]
    assert found.valid == {"files": f"{folder}/dev.{{lang}}"}
    assert found.test == {"2016": {"files": f"{folder}/test_2016.{{lang}}"}}
    with pytest.raises(UserError, match=r"no training data for en-it there, but dev\.de, .*; name it with --train"):
        corpus_in(folder, "en", "it")


@pytest.mark.parametrize("name", ["train.en", "train.de", "train.{lang}"])
def test_files_that_differ_in_the_language(folder: Path, name: str) -> None:
    assert source_of(f"{folder}/{name}", "en", "de") == {"files": f"{folder}/train.{{lang}}"}


@pytest.mark.parametrize(
    ("name", "content", "section"),
    [
        ("a.tsv", "one\teins\n", {}),
        ("a.tsv", "id\tde\ten\n", {"header": True, "src_column": "en", "tgt_column": "de"}),
        ("a.csv", '\ufeff"en","de"\n', {"header": True, "src_column": "en", "tgt_column": "de"}),
        ("a.jsonl", '{"en": "one", "de": "eins"}\n', {}),
    ],
)
def test_tables(tmp_path: Path, name: str, content: str, section: dict[str, object]) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert source_of(str(path), "en", "de") == {path.suffix[1:]: str(path)} | section


def test_packed_files_and_the_hub(tmp_path: Path) -> None:
    for lang in ("en", "de"):
        (tmp_path / f"x.{lang}.gz").write_bytes(gzip.compress(b"a\n"))
    assert source_of(f"{tmp_path}/x.en.gz", "en", "de") == {"files": f"{tmp_path}/x.{{lang}}.gz"}
    assert source_of("hub:user/name", "en", "de") == {"hub": "user/name"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.en", "no such file"),
        ("notes.txt", "neither en nor de is part of its name"),
        ("only.en", "only.de is not there"),
        ("x.{lang}", "x.en is not there"),
    ],
)
def test_what_is_not_there_is_said(folder: Path, name: str, words: str) -> None:
    (folder / "only.en").write_text("a\n")
    with pytest.raises(UserError) as refused:
        source_of(f"{folder}/{name}", "en", "de")
    assert words in str(refused.value)


def test_what_is_set_aside_is_drawn_from_all(tmp_path: Path) -> None:
    pairs = [(f"s{i}", f"t{i}" if i % 10 else " ") for i in range(1000)]
    drawn = hold_out(pairs, 100)
    assert len(set(drawn)) == 100 and set(drawn) <= {pair for pair in pairs if pair[1].strip()}
    places = [int(src[1:]) for src, _ in drawn]
    assert places == sorted(places) and 400 < sum(places) / 100 < 600
    assert hold_out(pairs[1:6], 100) == pairs[1:6]
    assert write_pairs(tmp_path / "x/v.{lang}", "en", "de", drawn[:2]) == {"files": f"{tmp_path}/x/v.{{lang}}"}
    assert (tmp_path / "x/v.de").read_text() == "".join(tgt + "\n" for _, tgt in drawn[:2])
