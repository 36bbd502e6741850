"""HTML: what is text is translated, all else stays; tags go where their words go."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.decoding.translation import Candidate, Translation
from seq2seq.documents.html import Html
from tests.documents.translators import reversing, same

TAG = re.compile(r"<[^>]*>")


def translated(source: str, aligned: bool = True) -> str:
    page = Html(source, aligned)
    return page.render([reversing(text) for text in page.texts])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain text", "TEXT PLAIN"),
        ("<p>one two</p>\n<p>\tthree </p>", "<p>TWO ONE</p>\n<p>\tTHREE </p>"),
        ("fish &amp; chips &lt;b&gt;", "&lt;B&gt; CHIPS &amp; FISH"),
        ("<p>a <b>big dog</b> ran</p>", "<p>RAN <b>DOG BIG</b> A</p>"),
        ("<p><b>all of it</b></p>", "<p><b>IT OF ALL</b></p>"),
        ("see <a href='x>y'>the <i>page</i></a> now", "NOW <a href='x>y'><i>PAGE</i> THE</a> SEE"),
        ("un<b>believ</b>able thing", "THING <b>UNBELIEVABLE</b>"),
        ("one<br>two", "ONE<br>TWO"),
        ("see the <a href=x>page</a>, now", "NOW <a href=x>PAGE</a>, THE SEE"),
        ("he said (<b>no</b>) once", "ONCE (<b>NO</b>) SAID HE"),
        ("a line<img src=1>. And more", "MORE AND LINE<img src=1>. A"),
        ("run <code>rm -rf</code> never", "<code>rm -rf</code> NEVER RUN"),
        ("one <img src=a> two", "<img src=a> TWO ONE"),
        ("end <img src=a>", "END <img src=a>"),
        ("<script>if (a < b) say('<p>hi</p>')</script>ok", "<script>if (a < b) say('<p>hi</p>')</script>OK"),
        ("<!-- no <b>text</b> --><title>yes</title>", "<!-- no <b>text</b> --><title>YES</title>"),
        ('<p translate="no">Keep <b>me</b></p> go', '<p translate="no">Keep <b>me</b></p> GO'),
        ('<div class="a notranslate"><div>x</div>y</div>z', '<div class="a notranslate"><div>x</div>y</div>Z'),
        ("<p> &nbsp; </p> 1 &mdash;", "<p> &nbsp; </p> 1 &mdash;"),
        ("<pre>never closed", "<pre>never closed"),
        ("a < b", "B &lt; A"),
        ("<b><i><br></i>one two</b> three", "<b><i><br></i>TWO ONE</b> THREE"),
        ("see <a href=x><img src=y></a> it", "<a href=x><img src=y></a> IT SEE"),
        ("<b><i></i>one two</b> three", "THREE <b>TWO <i></i>ONE</b>"),
        ("", ""),
    ],
)
def test_what_becomes_of_it(source: str, expected: str) -> None:
    assert translated(source) == expected


def test_without_alignment_what_stands_between_tags_is_translated_by_itself() -> None:
    assert translated("<p>a <b>big dog</b> ran off</p>", aligned=False) == "<p>A <b>DOG BIG</b> OFF RAN</p>"


def test_an_element_whose_words_have_no_translation_is_not_lost() -> None:
    page = Html("one <a id=x>two</a>", True)
    found = Translation("one two", [Candidate("EINS", 0.0, 0.0)], alignment=[(0, 0)])
    assert page.render([found]) == "EINS<a id=x></a>"


def test_other_candidates_are_taken_where_there_are_any() -> None:
    page = Html("<p>one</p><p>two</p>", True)
    found = [reversing("one", "eins"), reversing("two")]
    assert page.render(found, choice=1) == "<p>eins</p><p>TWO</p>"


def test_identity_in_identity_out() -> None:
    """Where each word is translated by itself, nothing at all changes (with tags around whole words)."""
    source = '<h1 id=a>A <b>bold</b></h1>\n<ul>\n  <li>x &amp; <a href="?a=1&b=2">two <i>of</i> it</a> end</li>\n</ul>'
    page = Html(source, True)
    assert page.render([same(text) for text in page.texts]) == source


class Tree(HTMLParser):
    """Tags as a browser reads them; each has to be closed by its own."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong = 0
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.wrong += not self.open or self.open.pop() != tag


NESTED = st.recursive(
    st.sampled_from(["one ", "two", " three ", "<br>", "<img>", "", "&amp;"]),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>",
        st.sampled_from(["b", "i", "a", "p", "div"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=500)
@given(st.lists(NESTED, max_size=4).map("".join), st.booleans())
def test_what_is_well_formed_stays_so_and_nothing_is_lost(source: str, aligned: bool) -> None:
    page = Html(source, aligned)
    result = page.render([reversing(text) for text in page.texts])
    tree, before = Tree(), Tree()
    before.feed(source)
    tree.feed(result)
    assert tree.wrong == 0 and not tree.open
    assert set(tree.tags) == set(before.tags)
    words = sorted(html.unescape(TAG.sub(" ", source)).split())
    if all(" " in around for around in re.findall(r"(?<=[\w;])((?:<[^>]*>)+)(?=[\w&])", source)):
        assert sorted(html.unescape(TAG.sub(" ", result)).lower().split()) == words


@given(st.text("<>/ab! -'\"&;=\n", max_size=60), st.booleans())
def test_any_text_is_taken(source: str, aligned: bool) -> None:
    page = Html(source, aligned)
    page.render([reversing(text) for text in page.texts])


def test_what_is_unclosed_takes_linear_time() -> None:
    for source in ("<a " * 30_000, "<!--" * 30_000, '<a "' * 30_000, "<b>x" * 3_000, "&" * 50_000):
        translated(source)
