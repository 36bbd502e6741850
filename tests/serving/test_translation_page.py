"""The page, as people use it in a browser: they type, see, point, swap, copy and come back."""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browsing import LAYOUT, axe_faults
from tests.serving.conftest import Running

TEXT = "one two three"
MANY = f"{TEXT}\n\n  nine unseenunseenunseen four" + " seven" * 40 + " " + "x" * 90


@pytest.fixture
def page(browser: Any, server: Running) -> Iterator[Any]:
    """The page in a new reader's browser; nothing may be said on its console but that a request has failed."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )
    shown, said = context.new_page(), list[str]()
    shown.on("console", lambda message: said.append(message.text))
    shown.on("pageerror", lambda error: said.append(str(error)))
    opened(shown, server.url)
    yield shown
    context.close()
    assert not [text for text in said if not text.startswith("Failed to load resource")]


def opened(page: Any, url: str) -> None:
    """Go there, until its languages can be chosen."""
    page.goto(url)
    page.wait_for_selector("#source-language option", state="attached")


def translated(page: Any, text: str = TEXT) -> Any:
    """Type a text; what the server answered."""
    with page.expect_response("**/translate") as response:
        page.fill("#text", text)
    answer = response.value.json()
    until(page, "document.getElementById('output').ariaBusy === 'false'")
    assert shown_text(page) == answer["translatedText"]
    return answer


def until(page: Any, condition: str, argument: Any = None) -> None:
    """Wait for it. (Playwright's own way wants `eval`, which the page's policy forbids.)"""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition, argument):
        assert time.monotonic() < deadline, f"never: {condition}"
        page.wait_for_timeout(10)


def hurry(page: Any) -> None:
    """Let its clocks go ten times as fast."""
    page.evaluate("() => { const f = setTimeout; window.setTimeout = (work, time) => f(work, time / 10) }")


def shown_text(page: Any) -> str:
    text: str = page.text_content("#translation")
    return text


def lit(page: Any, side: str) -> list[int]:
    found: list[int] = page.locator(f"{side} span").evaluate_all(
        "spans => spans.flatMap((span, i) => span.classList.contains('lit') ? [i] : [])"
    )
    return found


def test_what_is_typed_is_translated_once_the_fingers_rest(page: Any, server: Running) -> None:
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.post_data) if "/translate" in request.url else None)
    page.type("#text", TEXT, delay=20)
    page.wait_for_selector("#translation span")
    assert shown_text(page) == server.translate(TEXT)["translatedText"]
    assert [json.loads(body)["q"] for body in asked] == [TEXT]
    page.click("#clear")
    until(page, "!document.getElementById('translation').textContent")
    assert page.is_disabled("#copy") and page.is_disabled("#clear") and not page.is_visible("#alternatives")


def test_an_older_answer_is_discarded(page: Any, server: Running) -> None:
    held = list[Any]()
    page.route(
        "**/translate", lambda route: route.continue_() if TEXT in route.request.post_data else held.append(route)
    )
    with page.expect_request("**/translate"):
        page.fill("#text", "one")
    with page.expect_event("requestfailed"):  # the browser gives it up
        page.fill("#text", TEXT)
    page.wait_for_selector("#translation span")
    with contextlib.suppress(Exception):
        held[0].fulfill(json={"translatedText": "late", "alternatives": []})
    page.wait_for_timeout(50)
    assert shown_text(page) == server.translate(TEXT)["translatedText"]


def test_what_is_typed_before_the_languages_have_come_is_translated_then(page: Any, server: Running) -> None:
    held, refused = list[Any](), list[int]()
    page.on("response", lambda response: refused.append(response.status) if response.status >= 400 else None)
    page.route("**/languages", lambda route: held.append(route))
    with page.expect_request("**/languages"):
        page.goto(server.url)
    page.fill("#text", TEXT)
    page.wait_for_timeout(300)
    held[0].continue_()
    page.wait_for_selector("#translation span")
    assert shown_text(page) == server.translate(TEXT)["translatedText"] and not refused


def test_words_light_up_with_those_that_they_are_aligned_to(page: Any) -> None:
    links = translated(page)["alignment"]
    assert len(links) == len(page.locator("#translation span").all()) > 0
    for target in range(len(links)):
        page.hover(f"#translation span >> nth={target}")
        assert lit(page, "#translation") == [target]
        assert lit(page, "#mirror") == sorted({s for s, t in links if t == target})
    box = page.locator("#mirror span >> nth=1").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert lit(page, "#mirror") == [1] and lit(page, "#translation") == sorted({t for s, t in links if s == 1})
    page.mouse.move(5, 5)
    assert lit(page, "#mirror") == lit(page, "#translation") == []


def test_words_are_counted_through_lines_and_strange_spaces(page: Any, server: Running) -> None:
    answer = translated(page, "one\u00a0two\u200bthree\n\n \u3000four\ufeff five\x85six")
    assert page.locator("#translation span").all_text_contents() == answer["translatedText"].split()
    assert page.locator("#mirror span").all_text_contents() == page.input_value("#text").split()
    assert len(answer["wordConfidences"]) == len(answer["translatedText"].split())


def test_the_keyboard_reaches_all_of_it(page: Any) -> None:
    """The caret lights up words of the text, arrow keys those of the translation, and what they are is said."""
    answer = translated(page)
    words, links = answer["translatedText"].split(), answer["alignment"]
    page.press("#text", "Control+Home")
    until(page, "document.querySelectorAll('#mirror .lit').length === 1")
    assert lit(page, "#mirror") == [0] and lit(page, "#translation") == sorted({t for s, t in links if s == 0})
    for name in ("clear", "output"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert lit(page, "#translation") == [1]
    sure = f"{answer['wordConfidences'][1]:.0%}".replace("%", " % sure")
    said = page.text_content("#status")
    assert said.startswith(f"{words[1]} from “") and said.endswith(sure)
    page.keyboard.press("End")
    assert lit(page, "#translation") == [len(words) - 1]
    page.keyboard.press("Escape")
    assert lit(page, "#translation") == []
    for name in ("copy", "shade"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name


def test_unsure_words_are_shaded_unless_that_is_switched_off(page: Any) -> None:
    """The darker, the less sure."""
    answer = {"translatedText": "a b c d e f", "alternatives": [], "alignment": None,
              "wordConfidences": [0.0, 0.3, 0.5, 0.79, 0.8, 1.0]}  # fmt: skip
    page.route("**/translate", lambda route: route.fulfill(json=answer))
    translated(page)
    spans = page.locator("#translation span")
    opacity = """spans => spans.map(span => {
      const found = getComputedStyle(span).backgroundColor.match(/[\\d.]+(?=\\)$)/)
      return found ? Number(found[0]) : 1
    })"""
    much = spans.evaluate_all(opacity)
    assert much[0] > much[1] > much[2] > much[3] > much[4] == much[5] == 0
    assert spans.first.get_attribute("title") == "0 % sure"
    page.uncheck("#shade")
    assert not any(spans.evaluate_all(opacity))
    page.reload()
    assert not page.is_checked("#shade")


def test_alternatives_come_into_the_pane(page: Any) -> None:
    answer = translated(page)
    buttons = page.locator("#alternatives button")
    assert buttons.all_text_contents() == answer["alternatives"] != []
    buttons.first.click()
    assert shown_text(page) == answer["alternatives"][0]
    assert buttons.all_text_contents() == [answer["translatedText"], *answer["alternatives"][1:]]
    page.click("#copy")
    assert page.evaluate("navigator.clipboard.readText()") == answer["alternatives"][0]
    assert page.text_content("#status") == "Copied"
    buttons.first.click()
    page.hover("#translation span >> nth=0")
    assert lit(page, "#mirror")


def test_swapped_the_translation_is_the_text(page: Any, server: Running) -> None:
    found = translated(page)["translatedText"]
    with page.expect_response("**/translate") as response:
        page.click("#swap")
    assert json.loads(response.value.request.post_data)["q"] == page.input_value("#text") == found
    back = server.translate(found, source="de", target="en")["translatedText"]
    until(page, "text => document.getElementById('translation').textContent === text", back)
    chosen = page.locator("select").evaluate_all("all => all.map(one => one.selectedOptions[0].textContent)")
    assert chosen == ["German", "English"] and page.get_attribute("#translation", "lang") == "en"
    opened(page, server.url)
    assert page.input_value("#source-language") == "de"


def test_what_was_translated_is_kept_in_the_browser_until_it_is_cleared(page: Any, server: Running) -> None:
    assert not page.is_visible("#history")
    hurry(page)
    for text in ("nine", "one", TEXT):
        translated(page, text)
        until(page, "text => (localStorage['seq2seq.history'] ?? '').includes(`\"${text}\"`)", text)
    opened(page, server.url)
    page.click("#history summary")
    assert page.locator("#history li .line:nth-child(2)").all_text_contents() == [TEXT, "nine"]  # `one` was typed on
    with page.expect_response("**/translate"):
        page.click("#history li >> nth=1")
    assert page.input_value("#text") == "nine"
    page.click("#forget")
    assert not page.is_visible("#history") and page.evaluate("localStorage['seq2seq.history']") == "[]"


def test_a_language_written_from_right_to_left(page: Any) -> None:
    answer = {"translatedText": "שלום עולם, abc", "alternatives": ["עולם"], "alignment": [[0, 0], [1, 1]],
              "wordConfidences": [0.9, 0.1, 0.9]}  # fmt: skip
    page.route("**/translate", lambda route: route.fulfill(json=answer))
    translated(page)
    first, last = (page.locator(f"#translation span >> nth={i}").bounding_box()["x"] for i in (0, 2))
    pane = page.locator("#translation").bounding_box()
    assert first > last and first > pane["x"] + 0.6 * pane["width"]
    page.focus("#output")
    for key in ("ArrowLeft", "ArrowLeft"):  # on, in this direction
        page.keyboard.press(key)
    assert lit(page, "#translation") == [1] == lit(page, "#mirror")


def test_what_goes_wrong_is_said_and_tried_again(page: Any, server: Running) -> None:
    answers = iter([(429, {"Retry-After": "1"}), (0, {})])

    def fail(route: Any) -> None:
        status, headers = next(answers, (200, {}))
        if status == 200:
            route.continue_()
        elif status:
            route.fulfill(status=status, headers=headers, json={"error": "Slowdown: too many"})
        else:
            route.abort()

    hurry(page)
    page.route("**/translate", fail)
    page.fill("#text", TEXT)
    until(page, "document.getElementById('status').textContent.includes('Slowdown')")
    until(page, "document.getElementById('status').textContent.includes('cannot be reached')")
    page.wait_for_selector("#translation span")
    assert shown_text(page) == server.translate(TEXT)["translatedText"] and page.text_content("#status") == ""
    page.fill("#text", "😀" * 10_001)
    until(page, "document.getElementById('status').textContent === 'The text is too long'")
    assert page.text_content("#count") == "10,001 / 10,000"


def test_a_key_is_asked_for_where_one_is_needed(
    page: Any, toys: dict[str, Any], start: Callable[..., Any], tmp_path: Any
) -> None:
    (tmp_path / "keys").write_text("secret\n")
    with start(toys["en-de"], "--keys", tmp_path / "keys") as locked:
        opened(page, locked.url)
        page.fill("#text", TEXT)
        until(page, "document.getElementById('status').textContent.includes('API key')")
        assert page.is_disabled("#swap")  # there is no model for the way back
        page.fill("#key input", "secret")
        page.wait_for_selector("#translation span")


def test_colours_are_the_systems_until_others_are_chosen(page: Any, server: Running) -> None:
    def dark() -> bool:
        red = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[0]
        return int(red) < 128

    assert not dark()
    page.emulate_media(color_scheme="dark")
    assert dark() and page.get_attribute("#dark", "aria-pressed") == "true"
    page.click("#dark")
    assert not dark() and page.get_attribute("#dark", "aria-pressed") == "false"
    opened(page, server.url)
    assert not dark()
    page.click("#dark")
    page.emulate_media(color_scheme="light")
    assert dark() and page.get_attribute("#dark", "aria-pressed") == "true"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_overflows_and_axe_finds_nothing(page: Any, width: int, scheme: str) -> None:
    """With words shaded and lit, alternatives and the history open."""
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    entry = {"source": "en", "target": "de", "text": MANY, "translation": MANY}
    page.evaluate("entry => { localStorage['seq2seq.history'] = JSON.stringify([entry]) }", entry)
    page.reload()
    translated(page, MANY)
    page.click("#history summary")
    page.focus("#output")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)  # the older translation's fading
    assert page.evaluate(LAYOUT) == []
    assert not axe_faults(page)
    boxes = [page.locator(name).bounding_box() for name in ("#text", "#mirror")]
    assert boxes[0]["height"] >= boxes[1]["height"]
    assert page.evaluate("document.getElementById('text').scrollHeight <= document.getElementById('text').clientHeight")


def test_the_page_takes_nothing_from_elsewhere(server: Running) -> None:
    """Nor may it: the header forbids what is inline, from other sites, or in their frames."""
    answer = server.ask("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    parts = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert parts and all(part.startswith("page/") for part in parts)
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    for part in parts:
        found = server.ask(f"/{part}")
        assert found.status == 200 and found.headers["Content-Type"].startswith(kinds[part.rsplit(".", 1)[1]])
        assert found.headers["X-Content-Type-Options"] == "nosniff" and not re.search(
            r"https?://(?!www\.w3)", found.text
        )
    assert server.ask("/page/none.js").status == server.ask("/page/..%2Fapp.py").status == 404
    head = urllib.request.Request(server.url + "/", method="HEAD")
    with urllib.request.urlopen(head) as response:
        assert response.status == 200
