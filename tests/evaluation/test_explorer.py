"""The table of all sentences, as a reader uses it in a browser: search, filter, sort, look inside, print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq.evaluation.explorer import FLAGS, Detail, rows
from seq2seq.evaluation.metrics import sentence_chrf
from seq2seq.evaluation.page import to_html
from seq2seq.evaluation.sentences import word_diff
from tests.browsing import axe_faults
from tests.evaluation.test_page import full_report
from tests.evaluation.test_report import HYPOTHESES, REFERENCES, SOURCES, a_test_set, details_of, run_report

COUNT = 120
LINES = [
    (f"the dog number {i} sleeps", f"der Hund Nummer {i if i % 7 else i + 1} schläft {'sehr ' * (i % 5)}",
     f"der Hund Nummer {i} schläft {'sehr ' * (i % 3)}") for i in range(COUNT)
]  # fmt: skip


@pytest.fixture
def shown(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page of a test set, and nothing on its console."""
    sources, hypotheses, references = map(list, zip(*LINES, strict=True))
    test_set = a_test_set("set", sources=sources, hypotheses=hypotheses, references=references, scores=[],
                          details=details_of(sources, hypotheses))  # fmt: skip
    path = tmp_path / "report.html"
    path.write_text(to_html(run_report(test_sets=[test_set])), encoding="utf-8")
    page, said = browser.new_page(viewport={"width": 1000, "height": 800}), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.absolute().as_uri())
    yield page
    page.close()
    assert not said


def column(page: Any, name: str) -> list[str]:
    found: list[str] = page.locator(f".explorer .row td[data-is='{name}']").all_inner_texts()
    return found


def numbers(page: Any) -> list[int]:
    return [int(text) for text in page.locator(".explorer .open").all_inner_texts()]


def test_search_looks_at_all_three_texts_whatever_the_case(shown: Any) -> None:
    assert len(numbers(shown)) == 50 and "120 of 120" in shown.inner_text(".explorer output")
    shown.fill("[name=search]", "HUND NUMMER 11")
    expected = [i + 1 for i, line in enumerate(LINES) if "hund nummer 11" in "\n".join(line).lower()]
    assert numbers(shown) == expected[:50] and f"{len(expected)} of 120" in shown.inner_text(".explorer output")
    shown.fill("[name=search]", " the dog number 3 sleeps ")
    assert numbers(shown) == [4]
    shown.fill("[name=search]", "nowhere")
    assert numbers(shown) == [] and not shown.locator(".more").is_visible()


def test_more_rows_come_when_asked_for(shown: Any) -> None:
    shown.click(".more")
    shown.click(".more")
    assert numbers(shown) == list(range(1, COUNT + 1)) and not shown.locator(".more").is_visible()


@pytest.mark.parametrize("order", ["low", "high", "unsure", "sure", "short", "long", "number"])
def test_rows_are_sorted(shown: Any, order: str) -> None:
    shown.select_option("[name=order]", order)
    hypotheses, references = [line[1] for line in LINES], [line[2] for line in LINES]
    if order in ("low", "high"):
        chrf = [round(value, 1) for value in sentence_chrf(hypotheses, references)]
        assert column(shown, "chrF") == [f"{v:.1f}" for v in sorted(chrf, reverse=order == "high")[:50]]
    elif order in ("unsure", "sure"):
        found = [int(text.removesuffix(" %")) for text in column(shown, "a word")]
        assert found == sorted(found, reverse=order == "sure") and len(set(found)) > 1
    elif order == "number":
        assert numbers(shown) == list(range(1, 51))
    else:
        found = [len(text.split()) for text in column(shown, "source")]
        assert found == sorted(found, reverse=order == "long")


def test_the_columns_heads_sort_and_say_so(shown: Any) -> None:
    head = shown.locator("th[data-head=chrf]")
    for direction, first in (("ascending", min), ("descending", max)):
        head.locator("button").click()
        values = [float(text) for text in column(shown, "chrF")]
        assert head.get_attribute("aria-sort") == direction and values[0] == first(values)
    assert shown.locator("th[data-head=number]").get_attribute("aria-sort") is None


@pytest.mark.parametrize("kind", FLAGS)
def test_kinds_are_picked_out(shown: Any, kind: str) -> None:
    shown.select_option("[name=kind]", label=f"those that {FLAGS[kind]}")
    expected = {
        "differs": [i for i, (_, ours, theirs) in enumerate(LINES) if ours.strip() != theirs.strip()],
        "equal": [i for i, (_, ours, theirs) in enumerate(LINES) if ours.strip() == theirs.strip()],
        "unknown": list(range(COUNT)),
        "numbers": [i for i in range(COUNT) if i % 7 == 0],
        "repeats": [i for i in range(COUNT) if i % 5 >= 3],
        "short": [],
        "long": [i for i, (_, ours, theirs) in enumerate(LINES) if len(ours) > 1.4 * len(theirs)],
    }
    if kind in expected:
        assert [number - 1 for number in numbers(shown)] == expected[kind][:50]
    else:
        assert 0 < len(numbers(shown)) <= 50


def test_what_differs_and_how_sure_the_model_was(shown: Any) -> None:
    """The pieces, joined, are the text; marked is what word_diff says; words below 80 % are shaded."""
    for i in (0, 7, 14):
        row = shown.locator(".explorer .row").nth(i)
        left, right = word_diff(LINES[i][1], LINES[i][2], spaces=True)
        for name, style, pieces in (("translation", "wrong", left), ("reference", "missed", right)):
            cell = row.locator(f"td[data-is={name}]")
            assert cell.text_content() == "".join(text for text, _ in pieces)
            marked = "".join(cell.locator(f"mark.{style}").all_text_contents())
            assert marked == "".join(text for text, differs in pieces if differs)
        (detail,) = details_of([LINES[i][0]], [LINES[i][1]])
        assert detail.reading is not None
        unsure = [word for word, p in zip(detail.reading.target_words, detail.reading.confidence, strict=True)
                  if p < 0.79 and word != "(end)"]  # fmt: skip
        shaded = "".join(row.locator(".unsure").all_text_contents())
        assert all(word in shaded for word in unsure) and unsure


def test_a_row_opens_to_its_map_its_lines_and_its_alternatives(shown: Any) -> None:
    button = shown.locator(".explorer .open").first
    button.focus()
    shown.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    inside = shown.locator(".explorer .inside")
    (detail,) = details_of([LINES[0][0]], [LINES[0][1]])
    read = detail.reading
    assert read is not None and read.weights is not None
    assert inside.locator(".map tbody th").all_inner_texts() == read.target_words
    opacity = "rows => rows.map(row => [...row.querySelectorAll('td')].map(td => td.firstChild?.style.opacity ?? '0'))"
    cells = [[float(text) for text in row] for row in inside.locator(".map tbody tr").evaluate_all(opacity)]
    assert len(cells) == len(read.weights)
    for ours, theirs in zip(cells, read.weights, strict=True):
        assert ours == pytest.approx(theirs, abs=0.025)
    strong = sum(weight >= 0.16 for row in read.weights for weight in row)
    assert strong <= inside.locator(".alignment line").count() <= sum(w >= 0.14 for row in read.weights for w in row)
    assert inside.locator(".alignment text").all_text_contents() == [*read.source_words, *read.target_words]
    assert "eine andere Übersetzung (-1.70)" in inside.inner_text()
    shown.keyboard.press("Enter")
    assert inside.count() == 0


def test_printed_it_shows_text_and_no_controls(shown: Any) -> None:
    shown.emulate_media(media="print")
    assert not shown.locator(".controls").is_visible() and not shown.locator("nav").is_visible()
    assert shown.locator(".explorer .row").first.is_visible()
    assert len(shown.pdf()) > 10_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    """Names, roles, contrast, order of headings: what axe-core checks, with a row of the table open."""
    (tmp_path / "report.html").write_text(full_report(), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto((tmp_path / "report.html").absolute().as_uri())
    page.locator(".explorer .open").first.click()
    found = axe_faults(page)
    page.close()
    assert not found


def test_rows_cannot_end_their_script() -> None:
    text = rows(["</script>\u2028"], ["<!--"], ["a"], [1.0], [], "en", "de")
    assert "<" not in text and json.loads(text)[0][3:5] == ["</script>\u2028", "<!--"]


def test_details_are_read_as_they_are_written() -> None:
    record = {"score": -1.0, "log_probability": -2.0, "unknown": [], "alternatives": [["b", -3.0]], "reading": None}
    assert Detail.from_record(record) == Detail(-1.0, -2.0, [], [("b", -3.0)], None)
    whole = json.loads(rows(SOURCES, HYPOTHESES, REFERENCES, [0.0] * 40, details_of(SOURCES, HYPOTHESES), "en", "de"))
    assert len(whole) == 40 and whole[3][11][-1] == "(end)"
