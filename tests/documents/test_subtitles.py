"""Subtitles: what is said is translated, in as many lines; times, notes, tags stay."""

import pytest

from seq2seq.documents.line_breaks import broken
from seq2seq.documents.subtitles import subtitles
from tests.documents.translators import same, translated

SRT = """\ufeff1
00:00:01,000 --> 00:00:02,500
Hello there, my <i>dear
friend</i> of mine.

2
00:00:03,000 --> 00:00:04,000 X1:0
- Who is there?
- Only me.

3
00:00:05,000 --> 00:00:06,000
{\\an8}♪ la di da ♪

4
00:00:07,000 --> 00:00:08,000
1984
"""
VTT = """WEBVTT - no text

NOTE this is
not text

STYLE
::cue { color: lime }

cue one
00:01.000 --> 00:02.000 align:start
<v Ann>fish &amp; chips <b>for</b>
<00:01.500>me
"""


def test_cues_are_sentences() -> None:
    document = subtitles(SRT, web=False, aligned=True)
    assert document.texts == ["Hello there, my dear friend of mine.", "Who is there?", "Only me.", "♪ la di da ♪"]
    expected = SRT.replace(
        "Hello there, my <i>dear\nfriend</i> of mine.", "MINE. OF <i>FRIEND DEAR</i>\nMY THERE, HELLO"
    )
    expected = expected.replace("Who is there?", "THERE? IS WHO").replace("Only me.", "ME. ONLY")
    assert translated(document) == expected.replace("♪ la di da ♪", "♪ DA DI LA ♪")


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("source", "web"), [(SRT, False), (VTT, True), (SRT.rstrip(), False), ("", True)])
def test_identity_in_identity_out(source: str, web: bool, end: str, aligned: bool) -> None:
    source = source.replace("\n", end)
    assert translated(subtitles(source, web, aligned), same) == source


def test_web_subtitles_write_entities() -> None:
    document = subtitles(VTT, web=True, aligned=True)
    assert document.texts == ["fish & chips for me"]
    assert "<00:01.500>ME <b>FOR</b> CHIPS\n&amp; FISH" in translated(document)
    assert translated(document).startswith(VTT[: VTT.index("fish")])


@pytest.mark.parametrize(
    ("text", "widths", "lines"),
    [
        ("one two three four", [10, 10], ["one two", "three four"]),
        ("one two three four", [30, 10], ["one two three", "four"]),
        ("one", [5, 5], ["one"]),
        ("a b c", [1, 1, 9], ["a", "b", "c"]),
        ("one two", [1, 1, 1], ["one", "two"]),
        ("averyveryverylongword b", [2, 2], ["averyveryverylongword", "b"]),
    ],
)
def test_lines_are_broken_as_they_were(text: str, widths: list[int], lines: list[str]) -> None:
    assert broken(text, widths) == lines
