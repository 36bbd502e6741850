"""Reading parallel text: lines are lines, and every mistake of the data says where it is."""

import bz2
import csv
import gzip
import itertools
import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from seq2seq.data import lines
from seq2seq.data.lines import MAX_RATIO
from seq2seq.data.sources import DataSource, Role, make_source
from seq2seq.errors import UserError
from seq2seq.recipe import AnySource

PAIRS = [("one", "eins"), ("two\u2028half\x85 \x0b\x0c\x1c\0", "zwei"), ("", "drei"), ("four\rfive", "vier ")]


def read(role: Role = "train", **source: Any) -> list[tuple[str, str]]:
    return list(opened(role, **source).pairs())


def marks(role: Role = "train", **source: Any) -> dict[str, str]:
    return opened(role, **source).fingerprint()


def opened(role: Role = "train", **source: Any) -> DataSource[Any]:
    values = {k: str(v) if isinstance(v, Path) else v for k, v in source.items()}
    config = TypeAdapter[AnySource](AnySource).validate_python(values)
    return make_source(config, role, "en", "de", "data.train.0")


def message(role: Role = "train", **source: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(role, **source)
    assert all(line.startswith("data.train.0: ") for line in str(caught.value).split("\n"))
    return str(caught.value)


def write_files(folder: Path, pairs: list[tuple[str, str]], end: str = "\n") -> Path:
    for side, lang in enumerate(("en", "de")):
        (folder / f"text.{lang}").write_bytes("".join(pair[side] + end for pair in pairs).encode())
    return folder / "text.{lang}"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_are_split_at_line_ends_alone(tmp_path: Path, end: str) -> None:
    assert read(files=write_files(tmp_path, PAIRS, end)) == PAIRS


@given(
    pairs=st.lists(
        st.tuples(*[st.text().map(lambda t: t.replace("\n", "").replace("\r", "").removeprefix("\ufeff"))] * 2),
        min_size=1,
    )
)
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    assert read(files=write_files(folder, pairs)) == pairs
    rows = "".join(json.dumps({"translation": {"en": s, "de": t}}) + "\n" for s, t in pairs)
    (folder / "text.jsonl").write_text(rows)
    assert read(jsonl=folder / "text.jsonl", src_field="translation.en", tgt_field="translation.de") == pairs


def test_byte_order_mark_and_missing_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo")
    (tmp_path / "b").write_bytes(b"eins\nzwei\n")
    assert read(files=[str(tmp_path / "a"), str(tmp_path / "b")]) == [("one", "eins"), ("\ufefftwo", "zwei")]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_packed_files(tmp_path: Path, suffix: str, pack: Any) -> None:
    pattern = write_files(tmp_path, PAIRS)
    for lang in ("en", "de"):
        packed = pack((tmp_path / f"text.{lang}").read_bytes())
        (tmp_path / f"text.{lang}{suffix}").write_bytes(packed)
    assert read(files=f"{pattern}{suffix}") == PAIRS
    (tmp_path / f"text.de{suffix}").write_bytes(packed[:-9])
    assert f"text.de{suffix}: damaged" in message(files=f"{pattern}{suffix}")


@pytest.mark.parametrize(("src", "tgt"), [(3, 7), (7, 3), (0, 2), (2, 0)])
def test_different_line_counts_are_both_named(tmp_path: Path, src: int, tgt: int) -> None:
    (tmp_path / "a.en").write_text("x\n" * src)
    (tmp_path / "a.de").write_text("y\n" * tgt)
    text = message(files=tmp_path / "a.{lang}")
    assert f"a.en has {src} lines and" in text and f"a.de has {tgt} lines" in text


def test_missing_and_wrong_files(tmp_path: Path) -> None:
    write_files(tmp_path, PAIRS)
    assert "did you mean text.en" in message(files=tmp_path / "txt.{lang}")
    assert "there is no folder" in message(files=tmp_path / "no" / "text.{lang}")
    assert "a folder; name a file" in message(files=[str(tmp_path), str(tmp_path / "text.de")])
    assert "no such file" in message(tsv=tmp_path / "text.tsv")
    with pytest.raises(UserError, match=r"data\.train\.0: .*did you mean text\.en"):
        marks(files=tmp_path / "txt.{lang}")
    for lang in ("en", "de"):
        (tmp_path / f"none.{lang}").write_text("")
    assert "no sentence pairs" in message(files=tmp_path / "none.{lang}")


def test_invalid_utf8_is_placed(tmp_path: Path) -> None:
    write_files(tmp_path, PAIRS)
    (tmp_path / "text.de").write_bytes("eins\nzwölf\n".encode("latin-1"))
    text = message(files=tmp_path / "text.{lang}")
    assert f"{tmp_path}/text.de:2: not UTF-8: byte 0xf6 at position 2" in text and "iconv" in text


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b'1\t"one\teins"\n2\ttwo\r still\tzwei\tx\n')
    assert read(tsv=path, src_column=1, tgt_column=2) == [('"one', 'eins"'), ("two  still", "zwei")]
    assert read(tsv=path, src_column=2, tgt_column=0)[0] == ('eins"', "1")
    path.write_text("one\teins\ntwo\n")
    assert "a.tsv:2: 1 column, but column 1 (from 0)" in message(tsv=path)


def test_columns_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("id\ten\t de\n1\tone\teins\n2\ttwo\tzwei\n")
    expected = [("one", "eins"), ("two", "zwei")]
    assert read(tsv=path, header=True, src_column="en", tgt_column="de") == expected
    assert read(tsv=path, header=True, src_column=1, tgt_column="de") == expected
    assert read(tsv=path, src_column=1, tgt_column=2) == [("en", " de"), *expected]
    text = message(tsv=path, header=True, src_column="english", tgt_column="de")
    assert "a.tsv:1: no column 'english' in the header; its columns are id, en, de" in text
    assert "did you mean en?" in message(tsv=path, header=True, src_column="eng", tgt_column="de")
    assert marks(tsv=path) != marks(tsv=path, header=True)
    with pytest.raises(ValidationError, match="set header: true"):
        opened(tsv=path, src_column="en")
    path.write_text("en\tde\n")
    assert "no sentence pairs" in message(tsv=path, header=True)


FIELD = st.text(alphabet=st.sampled_from('ab ",;|\té\u2028')).map(str)


@given(rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1), delimiter=st.sampled_from(",;|"))
def test_any_csv_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    pairs = [(row[2], row[0]) for row in rows]
    assert read(csv=path, delimiter=delimiter, src_column=2, tgt_column=0) == pairs


def test_csv_rows_over_several_lines_and_bad_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('de,en\r\n"eins\nund","one, ""and"""\r\n\r\nzwei,two\r\n')
    assert read(csv=path, header=True, src_column="en", tgt_column="de") == [
        ('one, "and"', "eins und"),
        ("two", "zwei"),
    ]
    path.write_text('a,b\n"x"y,z\n"p\nq",r\nonly\nc,d\n"open,x\n')
    text = message(csv=path)
    for words in ("a.csv:2: not CSV", "a.csv:5: 1 column,", "a.csv:7: not CSV: unexpected end of data"):
        assert words in text


def test_all_bad_lines_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"".join(b"a\tb\n" if i % 3 else b"a\n" for i in range(9)) + b"\xff\t\n")
    lines = message(tsv=path).split("\n")
    assert [line.split("a.tsv:")[1].split(":")[0] for line in lines] == ["1", "4", "7", "10"]
    assert lines[0].endswith("fix the line, or src_column and tgt_column") and "fix" not in lines[1]
    path.write_bytes(b"a\n" * 500)
    with pytest.raises(UserError) as caught:
        read(tsv=path)
    lines = str(caught.value).split("\n")
    assert len(lines) == 21 and lines[-1] == "these are the first 20 bad lines; what follows was not read"


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"en": "one\\r\\nmore", "de": "eins", "id": {"n": 1}}\n\n{"en": "two", "de": 2}\n')
    stream = opened(jsonl=path).pairs()
    assert next(stream) == ("one more", "eins")
    assert "a.jsonl:3: de is '2', not a text; set tgt_field" in message(jsonl=path)
    assert "no field text; set src_field to one of the fields here: en, de, id.n" in message(
        jsonl=path, src_field="text"
    )
    for line in ("{broken", "[" * 100_000, '"text"', '{"en": "\\ud800", "de": "x"}', "{}"):
        path.write_text(f'{{"en": "one", "de": "eins"}}\n{line}\n')
        assert "a.jsonl:2: " in message(jsonl=path)


def test_hub_folders(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    flat = datasets.Dataset.from_dict({"en": ["one\ntwo"], "de": ["eins"], "image": [3]})
    nested = datasets.Dataset.from_dict({"translation": [{"en": "a", "de": "b"}]})
    datasets.DatasetDict({"train": flat, "validation": nested}).save_to_disk(str(tmp_path / "both"))
    nested.save_to_disk(str(tmp_path / "one"))
    assert read(hub=tmp_path / "both") == [("one two", "eins")]
    assert read("valid", hub=tmp_path / "both") == [("a", "b")]
    assert read("test", hub=tmp_path / "one") == [("a", "b")]
    assert "no split 'test'; set `split` to one of train, validation" in message("test", hub=tmp_path / "both")
    assert "remove `split`" in message(hub=tmp_path / "one", split="train")
    assert "fields here: en, de, image" in message(hub=tmp_path / "both", tgt_field="german")
    assert "no such file" in message(hub=tmp_path / "none")
    files = tmp_path / "files"
    files.mkdir()
    (files / "train.jsonl").write_text('{"en": "x", "de": "y"}\n')
    assert read(hub=files) == [("x", "y")]
    assert "check hub, config, split" in message("test", hub=files)
    before = marks(hub=files)
    (files / "train.jsonl").write_text('{"en": "x", "de": "z"}\n')
    assert marks(hub=files) != before


def test_rows_of_hub_folders_that_are_no_sentences(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    odd = {"en": ["x" * 1_000_000, "one"], "de": ["eins"] * 2, "list": [[1] * 300_000] * 2, "blob": [b"ab"] * 2}
    odd["none"] = [None] * 2
    datasets.Dataset.from_dict(odd).save_to_disk(str(tmp_path / "odd"))
    told = message(hub=tmp_path / "odd")
    assert "train, row 0: en has more than 100,000 characters" in told and "row 1" not in told and len(told) < 300
    for name, shown in (("list", "[1, 1, 1"), ("blob", "b'ab'")):
        told = message(hub=tmp_path / "odd", src_field=name)
        assert f"row 1: {name} is " in told and shown in told and "not a text" in told and len(told) < 600
    assert "no field none; set src_field to one of the fields here" in message(hub=tmp_path / "odd", src_field="none")


def test_rows_of_hub_folders_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of many rows, and one of a long line."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(lines, "FREE_BYTES", 1 << 18)
    (tmp_path / "rows").mkdir()
    same = datasets.Dataset.from_dict({"en": ["a"] * 100_000, "de": ["b"] * 100_000})
    same.to_parquet(str(tmp_path / "rows" / "train.parquet"))
    assert (tmp_path / "rows" / "train.parquet").stat().st_size * MAX_RATIO < 400_000
    assert "its text is more than 100 times the size of its files" in message(hub=tmp_path / "rows")
    same.save_to_disk(str(tmp_path / "saved"))
    assert len(read(hub=tmp_path / "saved")) == 100_000
    (tmp_path / "line").mkdir()
    line = json.dumps({"en": "a" * 3_000_000, "de": "b"})
    (tmp_path / "line" / "train.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    assert "train.jsonl.gz: unpacks to more than 100 times its size" in message(hub=tmp_path / "line")
    (tmp_path / "line" / "train.jsonl.gz").write_bytes(gzip.compress(b'{"en": "a", "de": "b"}')[:-9])
    assert "train.jsonl.gz: damaged" in message(hub=tmp_path / "line")
    (tmp_path / "line" / "train.jsonl.gz").rename(tmp_path / "line" / "train.jsonl")
    assert "train.jsonl: packed, and not called .gz, .bz2, .xz; unpack it" in message(hub=tmp_path / "line")
    (tmp_path / "line" / "train.jsonl").write_text('{"en": "a", "de": "b"}')
    assert read(hub=tmp_path / "line") == [("a", "b")]


def test_hub_without_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def refuse(*_: Any, **options: Any) -> None:
        assert options == {"split": "validation", "revision": "abc"}
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    assert "me/set: no route to host; check hub" in message("valid", hub="me/set", revision="abc")
    assert marks("test", hub="me/set") == {
        "hub": "me/set", "config": "default", "split": "test", "revision": "newest", "fields": "en, de"
    }  # fmt: skip


def test_fingerprint_knows_contents_not_places(tmp_path: Path) -> None:
    pattern = write_files(tmp_path, PAIRS)
    before = marks(files=pattern)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for lang in ("en", "de"):
        shutil.copy(tmp_path / f"text.{lang}", moved / f"other.{lang}")
    assert marks(files=moved / "other.{lang}") == before
    assert str(tmp_path) not in json.dumps(before)
    (moved / "other.de").write_text("x\n")
    after = marks(files=moved / "other.{lang}")
    assert after["source text"] == before["source text"] and after["target text"] != before["target text"]
    (tmp_path / "a.tsv").write_text("a\tb\n")
    assert marks(tsv=tmp_path / "a.tsv") != marks(tsv=tmp_path / "a.tsv", src_column=1, tgt_column=0)


def test_builtin() -> None:
    assert len(read("valid", builtin="cldr", pairs=3)) == 3
    stream = opened(builtin="cldr").pairs()
    assert all(src and tgt for src, tgt in itertools.islice(stream, 5))
    assert marks("valid", builtin="cldr")["pairs"] == "1000"
    assert marks("valid", builtin="cldr") != marks("test", builtin="cldr")
    assert "Babel" in marks(builtin="cldr")["made with"]
    assert (
        read(builtin="cldr", pairs=9) == read(builtin="cldr", pairs=9, seed=1) != read(builtin="cldr", pairs=9, seed=2)
    )
    assert marks(builtin="cldr") == marks(builtin="cldr", seed=1) != marks(builtin="cldr", seed=2)
