"""Inline tags among words: read from a line, and placed among the words of its translation."""

import pytest

from seq2seq.decoding.markup import Layout, Tag, counterparts, inline, placed


def translated(line: str, words: str, *links: tuple[int, int]) -> str:
    return placed(Layout.of(inline(line)), words.split(), links)


def swapped(line: str) -> str:
    """The words of a line, upper case, last first."""
    words = "".join(part for part in inline(line) if isinstance(part, str)).split()
    links = [(i, len(words) - 1 - i) for i in range(len(words))]
    return translated(line, " ".join(words[::-1]).upper(), *links)


def test_a_line_is_parted_at_its_tags() -> None:
    assert inline("a <b>c</b><br> d") == [
        "a ", Tag("<b>", "b", "open"), "c", Tag("</b>", "b", "close"), Tag("<br>"), " d"
    ]  # fmt: skip
    assert inline("<i>a") == [Tag("<i>"), "a"]
    assert inline("<hr/>a</p>") == [Tag("<hr/>"), "a", Tag("</p>")]
    assert inline("no tags, 1 < 2") == ["no tags, 1 < 2"] and inline("") == []


def test_each_tag_finds_its_counterpart() -> None:
    parts = inline("<b>a<i>b</i></b>")
    assert counterparts(parts) == {0: 5, 2: 4}
    assert counterparts([Tag("<b>", "b", "open"), Tag("<i>", "i", "open"), Tag("</b>", "b", "close")]) == {0: 2}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("one <b>two</b> three", "THREE <b>TWO</b> ONE"),
        ("<b>one two</b> three", "THREE <b>TWO ONE</b>"),
        ("un<b>believ</b>able thing", "THING <b>UNBELIEVABLE</b>"),
        ("see <a>it</a>, now", "NOW <a>IT</a>, SEE"),
        ("see (<a>it</a>) now", "NOW (<a>IT</a>) SEE"),
        ("one <b><i>two</i> three</b>", "<b>THREE <i>TWO</i></b> ONE"),
        ("a line<br>. More", "MORE LINE<br>. A"),
        ("one <img> two", "<img> TWO ONE"),
        ("'<br>' is it", "IT IS '<br>'"),
        ("it <b></b> is", "<b></b> IS IT"),
    ],
)
def test_tags_go_with_their_words(line: str, expected: str) -> None:
    assert swapped(line) == expected


def test_what_stands_in_a_word_finds_its_place_in_another() -> None:
    for line, word, expected in (
        ("line<br>.", "Zeile.", "Zeile<br>."),
        ("(<br>x", "(Zeile", "(<br>Zeile"),
        ("li<br>ne", "Zeile", "Zeile<br>"),
        ("li<br>ne", "line", "li<br>ne"),
        ("(<br>x", "Zeile", "<br>Zeile"),
    ):
        assert translated(line, word, (0, 0)) == expected


def test_nothing_is_lost_where_words_have_no_translation() -> None:
    assert translated("a <b>c</b> d<br>e <img> f", "X", (0, 0)) == "X<br><b></b> <img>"
    assert translated("a <b>c</b>", "X Y", (1, 0), (1, 1)) == "<b>X Y</b>"
    assert translated("a <b>c</b>", "X Y") == "X Y<b></b>"


def test_a_comma_parts_no_element() -> None:
    assert translated("<b>one</b>, <b>two</b> x", "A, B", (0, 0), (1, 1)) == "<b>A</b>, <b>B</b>"
    assert swapped("x <b>two</b>, <b>one</b>") == "<b>ONE</b> <b>TWO</b>, X"
    assert translated("<b>one, two</b>", "A, B", (0, 0), (1, 1)) == "<b>A, B</b>"
