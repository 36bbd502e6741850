"""What kind a file is, and what stays of its bytes."""

import io
from pathlib import Path

import pytest

from seq2seq.documents.files import KINDS, kind_of, read, read_found, write_found
from seq2seq.documents.plain import Plain
from seq2seq.errors import UserError
from tests.documents.translators import reversing, same

TEXTS = {
    "txt": b"\xef\xbb\xbfone two\r\n\r\n\t three four \r\n5\r\n",
    "html": b"\xef\xbb\xbf<p>one <b>two</b></p>\r\n",
    "md": b"# one\r\n\r\ntwo *three*\r\n",
    "srt": b"1\r\n00:00:01,000 --> 00:00:02,000\r\none two\r\n",
    "vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\none two\n",
    "po": b'msgid "one two"\nmsgstr "x"\n',
    "csv": b"1,one two\r\n2,three\r\n",
    "tsv": b"1\tone two\r\n2\tthree\r\n",
    "jsonl": b'{"1": "one two"}\r\n',
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_tells_the_kind(kind: str) -> None:
    assert kind_of(Path(f"a.b.{kind.upper()}")) == kind
    assert kind_of(Path(kind)) is None
    assert kind_of(Path("train.de")) is None and kind_of(Path("x.HTM")) == "html"


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_no_text_stays_byte_for_byte(kind: str) -> None:
    file = read(TEXTS[kind], kind, "1", True)  # type: ignore[arg-type]
    assert file.render([same(text) for text in file.texts]) == TEXTS[kind]
    assert kind == "po" or file.texts


def test_lines_of_text_keep_their_white_space() -> None:
    file = read(TEXTS["txt"], "txt", None, False)
    assert (
        file.render([reversing(text) for text in file.texts]) == b"\xef\xbb\xbfTWO ONE\r\n\r\n\t FOUR THREE \r\n5\r\n"
    )


def test_every_line_with_something_in_it_is_translated() -> None:
    """So that a server's alignments count all words of a text."""
    assert Plain("one\n 12 \r\n\n!").texts == ["one", "12", "!"]


def test_other_encodings_are_refused_with_their_line() -> None:
    with pytest.raises(UserError, match="line 2: not valid UTF-8; convert it"):
        read(b"one\n\xe9t\xe9\n", "txt", None, False)
    with pytest.raises(UserError, match="line 1: UTF-16; convert it"):
        read("one".encode("utf-16"), "srt", None, False)


def test_what_is_saved_renders_as_what_was_found() -> None:
    file = read(TEXTS["html"], "html", None, True)
    found, stream = [reversing(text) for text in file.texts], io.BytesIO()
    for translation in found:
        write_found(translation, stream)
    lines = stream.getvalue().split(b"\n")
    again = [read_found(text, line) for text, line in zip(file.texts, lines[:-1], strict=True)]
    assert file.render(again) == file.render(found) == b"\xef\xbb\xbf<p><b>TWO</b> ONE</p>\r\n"
