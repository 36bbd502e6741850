"""Markdown: the text is translated, markup goes with its words; what it renders to is the same but for them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from seq2seq.documents.markdown import markdown
from tests.documents.translators import same, translated

PAGE = """---
title: no text
---

# The *big* title #

A paragraph with **bold words** and a [link to it](http://x.y/a_b "the title"),
over `code here` two lines. 2 * 3 is_not snake_case_word.

> quoted text that
> goes on

It takes
2\\. 3 at most - so
\\- no list

- item one
- item two with <b>html</b>
  goes on

1. first
2. second

| name | what it is |
|------|:----------:|
| `a`  | the first one |
| b \\| c | other |

```python
print("code")
```

    indented code

Setext heading
==============

<div>html block</div>

Line with hard break  
second line[^1] ![picture](a_b.png) <http://a.b> and \\*literal\\* so.

[^1]: note text

[ref]: http://example.com "Title"

Read [the docs][ref] now.
"""
RENDER = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_identity_in_identity_out(end: str, aligned: bool) -> None:
    source = PAGE.replace("\n", end)
    assert translated(markdown(source, aligned), same) == source


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# One *two* three #\n", "# THREE *TWO* ONE #\n"),
        ("see [the page](x.md), now", "NOW [PAGE, THE](x.md) SEE"),
        ("see [the page][ref] now\n\n[ref]: /x\n", "NOW [PAGE THE][ref] SEE\n\n[ref]: /x\n"),
        ("run `rm -rf` never", "`rm -rf` NEVER RUN"),
        ("a note[^1].", "NOTE[^1]. A"),
        ("~~one two~~ __three__ _four_", "_FOUR_ __THREE__ ~~TWO ONE~~"),
        ("one * two", "TWO * ONE"),
        ("a_b *c", "\\*C A_B"),
        ("> one two\n> three\n> four five\n", "> FIVE FOUR\n> THREE\n> TWO ONE\n"),
        ("so it is\n1. not a list\n", None),
        ("so\n- it is\n", "so\n- it is\n".replace("so", "SO").replace("it is", "IS IT")),
        ("one\\\ntwo three\n", "ONE\\\nTHREE TWO\n"),
        ("fish &amp; chips", "CHIPS & FISH"),
        ("| a b | c |\n|---|---|\n| d e | `f` |\n", "| B A | C |\n|---|---|\n| E D | `f` |\n"),
        ("```\nno text\n```\n\n    nor this\n", "```\nno text\n```\n\n    nor this\n"),
        ("", ""),
    ],
)
def test_what_becomes_of_it(source: str, expected: str | None) -> None:
    result = translated(markdown(source, True))
    assert expected is None or result == expected


def test_no_translation_begins_a_block() -> None:
    """A word at a wrapped line's start that would be a list's, a heading's or a quotation's mark."""
    for mark in ("-", "+", "*", "#", ">", "1.", "23)", "==="):
        source = f"{mark if mark in '-+' else 'x'} one\n\none two three {mark}\nfour five six seven\n"
        words = f"one two three {mark} four five six seven"
        turned = " ".join(["four five six", mark, "one two three seven"])
        for said in (words, turned):
            result = translated(markdown(source, True), lambda text, said=said: same(said if "seven" in text else text))
            assert [line[:3] for line in RENDER(result).splitlines() if line.startswith("<")] == [
                line[:3] for line in RENDER(source).splitlines() if line.startswith("<")
            ], result


def test_a_sentence_behind_a_line_without_words_begins_no_list() -> None:
    assert translated(markdown("![t](u)\none *", True)) == "![t](u)\n\\* ONE"


WORDS = st.sampled_from(
    ["one", "two,", "*three*", "**four five**", "[six](y)", "`seven`", "_eight", "9", "*", "![t](u)"]
)


@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=4), st.sampled_from(["", "> ", "- ", "# "])
)
def test_what_is_rendered_holds_the_same_elements(lines: list[list[str]], prefix: str) -> None:
    text = [" ".join(line) for line in lines][: 1 if prefix == "# " else 4]
    source = prefix + ("\n" + (prefix if prefix == "> " else " " * len(prefix))).join(text)
    result = RENDER(translated(markdown(source, True)))
    elements = [set(re.findall(r"<\w+", html)) for html in (result, RENDER(source))]
    assert elements[0] == elements[1]


@given(st.text("ab *_`[]()!<>#-|\n\\&;1.~", max_size=50), st.booleans())
def test_any_text_is_taken(source: str, aligned: bool) -> None:
    translated(markdown(source, aligned))
