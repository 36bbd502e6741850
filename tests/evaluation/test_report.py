"""The report stands alone, escapes what it shows, and is whole whatever a run has or lacks."""

from __future__ import annotations

import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from seq2seq.evaluation.attention import Reading
from seq2seq.evaluation.explorer import Detail
from seq2seq.evaluation.metrics import DEFAULT_METRICS, Score, score
from seq2seq.evaluation.page import to_html
from seq2seq.evaluation.report import (
    RunReport,
    TestSetReport,
    print_scores,
    to_markdown,
)
from seq2seq.evaluation.robustness import Finding, Robustness

HOSTILE = "<script>alert(1)</script>"
SOURCES = [f"the dog number {i} sleeps under the red table" for i in range(40)]
REFERENCES = [f"der Hund Nummer {i} schläft unter dem roten Tisch" for i in range(40)]
HYPOTHESES = [line.replace("roten ", "") if i % 3 else line for i, line in enumerate(REFERENCES)]
VOID = {"meta", "br", "wbr", "img", "link", "input", "hr"}


def records(count: int = 10) -> list[dict[str, object]]:
    log: list[dict[str, object]] = []
    for i in range(1, count + 1):
        loss = 1 + 5 / i
        log.append({"kind": "train", "step": i * 100, "loss": loss + 0.5, "perplexity": math.exp(loss)})
        log.append({"kind": "validation", "step": i * 100, "loss": loss, "bleu": 3.0 * i, "best": i < 8})
    return log


def detail(source: list[str], target: list[str]) -> Detail:
    """As of a model that has read these words."""
    random = np.random.default_rng(1)
    words = [*source, "(end)"], [*target, "(end)"]
    weights = random.dirichlet(np.full(len(words[0]), 0.3), len(words[1])).round(3).tolist()
    read = Reading(*words, random.uniform(0, 1, len(words[1])).round(3).tolist(), weights)
    return Detail(-1.5, -12.0, ["☃"], [("eine andere Übersetzung", -1.7)], read)


def details_of(sources: list[str], hypotheses: list[str]) -> list[Detail]:
    return [detail(source.split(), target.split()) for source, target in zip(sources, hypotheses, strict=True)]


def a_test_set(name: str = "flickr", count: int = 40, **changes: object) -> TestSetReport:
    content: dict[str, object] = {
        "sources": SOURCES[:count],
        "hypotheses": HYPOTHESES[:count],
        "references": REFERENCES[:count],
        "scores": score(HYPOTHESES[:count], REFERENCES[:count], DEFAULT_METRICS, "de", bootstrap=20),
        "details": details_of(SOURCES[:count], HYPOTHESES[:count]),
    }
    return TestSetReport(name, **{**content, **changes})  # type: ignore[arg-type]


def run_report(**changes: object) -> RunReport:
    content: dict[str, object] = {
        "name": "demo",
        "src": "en",
        "tgt": "de",
        "facts": [("weights", "5,123,456")],
        "recipe": "name: demo\n",
        "log": records(),
        "audit": {"train": {"read": 29000, "dropped": {"too_long": 12}}},
        "test_sets": [a_test_set()],
    }
    return RunReport(**{**content, **changes})  # type: ignore[arg-type]


class Page(HTMLParser):
    """Collects tags, attributes and text, and sees that every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text, self.open = "", list[str]()
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone() -> None:
    html = to_html(run_report())
    page = Page(html)
    assert page.tags.count("script") == 3  # our own, inline, and the sentences' data
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    assert all(value.startswith("#") for name, value in page.attributes if name in ("src", "href"))
    named = html.replace("'http://www.w3.org/2000/svg'", "")  # a name, nothing is fetched
    assert "http://" not in named and "https://" not in named
    assert "url(" not in html and "@import" not in html


def test_the_page_shows_what_matters() -> None:
    report = run_report(test_sets=[a_test_set("flickr2016"), a_test_set("newstest", 20)])
    html = to_html(report)
    text = Page(html).text
    for expected in ("demo", "English → German", "flickr2016", "newstest", "5,123,456", "29,000", "too long"):
        assert expected in text
    for s in (*report.test_sets[0].scores, *report.test_sets[1].scores):
        assert f"{s.value:.2f}" in text and s.signature in text
    assert re.findall(r"opacity:([\d.]+)", html)
    assert all(len(weight) <= 4 for weight in re.findall(r"opacity:([\d.]+)", html))
    assert "name: demo" in text


def test_everything_is_escaped() -> None:
    hostile = [HOSTILE + " & \"quoted\" 'text'"] * 20
    texts = {"sources": hostile, "hypotheses": hostile, "references": [*hostile[:10], *REFERENCES[:10]]}
    details = [detail(["두", "男人", "رجل", HOSTILE], ["a", "b", HOSTILE, "d"])] * 20
    report = run_report(
        name=HOSTILE,
        src=HOSTILE,
        facts=[(HOSTILE, HOSTILE)],
        recipe=HOSTILE,
        audit={HOSTILE: {HOSTILE: HOSTILE}},
        test_sets=[a_test_set(HOSTILE, **texts, details=details)],
        warnings=[(100, HOSTILE)],
        repeat=HOSTILE,
        robustness=Robustness(HOSTILE, 1, [Finding(HOSTILE, HOSTILE, 1, 0, None, None, None, [(HOSTILE, HOSTILE)])]),
    )
    html = to_html(report)
    page = Page(html)
    assert page.tags.count("script") == html.count("<script") == 3  # our own
    assert HOSTILE in page.text and "<script>alert" not in html


def test_hostile_text_stays_text_in_markdown() -> None:
    sentence = "``` ![x](y) | <b>\r``` ````"
    report = run_report(
        name="a|b*", facts=[("x|y", HOSTILE)], test_sets=[a_test_set(hypotheses=[sentence] * 40)], recipe="a: '```'"
    )
    markdown = to_markdown(report)
    assert "# a\\|b\\*" in markdown
    assert "| x\\|y | \\<script\\>alert(1)\\</script\\> |" in markdown
    fences = [line for line in markdown.split("\n") if line.startswith("```")]
    assert set(fences) == {"`````text", "`````", "````yaml", "````"}


@pytest.mark.parametrize(
    "changes",
    [
        {"log": []},
        {"log": [r for r in records() if r["kind"] == "train"]},
        {"log": [r for r in records() if r["kind"] == "validation"]},
        {"log": records(1)},
        {"log": [{"kind": "train", "step": 1, "loss": math.nan, "perplexity": math.inf}]},
        {"audit": {}, "facts": [], "recipe": ""},
        {"audit": {"overlap": 0.25, "files": ["a", 1], "train": {}}},
        {"test_sets": []},
        {"test_sets": [a_test_set(details=[])]},
        {"test_sets": [a_test_set(scores=[])]},
        {"test_sets": [a_test_set(count=1)]},
        {
            "test_sets": [
                a_test_set(details=[Detail(0, 0)] * 40),
                a_test_set("b", scores=score(HYPOTHESES, REFERENCES, ["ter"], "de", bootstrap=0)),
            ]
        },
        {"test_sets": [a_test_set(hypotheses=[""] * 40)]},
        {"test_sets": [a_test_set(hypotheses=["a\0b\x0b\u2028\ud800"] * 40)]},
        {"robustness": Robustness("toy", 0, [])},
        {"robustness": Robustness("toy", 3, [Finding("a", "b", 3, None, 50.0, 40.0, 60.0)])},
        {"src": "zh_Hans", "tgt": "ko"},
        {"src": "tlh-x", "tgt": "?"},
    ],
)
def test_whole_whatever_is_missing(changes: dict[str, object]) -> None:
    report = run_report(**changes)
    page = to_html(report)
    Page(page)
    for text in (page, to_markdown(report)):
        text.encode("utf-8")
        assert "\0" not in text and "nan" not in text.replace("nance", "")


def test_a_thousand_sentences_stay_a_small_page() -> None:
    count, book = 1000, " und so weiter" * 1000
    texts = [f"Satz {i} und noch einige Wörter mehr{'' if i else book}" for i in range(count)]
    wide = detail(["wort"] * 25, ["word"] * 25)
    scores = [Score("bleu", 1.0, None, None, "nrefs:1", count)]
    report = run_report(
        test_sets=[TestSetReport(name, texts, texts[::-1], texts, scores, [wide] * count) for name in "ab"],
        log=records(5000),
    )
    assert len(to_html(report).encode()) < 2 * 3_000_000


def test_a_repeated_sentence_is_shown_once() -> None:
    texts = {"sources": ["hello"] * 40, "hypotheses": ["hallo"] * 40, "references": ["guten Tag"] * 40}
    assert to_markdown(run_report(test_sets=[a_test_set(**texts)])).count("guten Tag") == 1


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_table(width: int) -> None:
    scores = a_test_set().scores
    out = io.StringIO()
    print_scores({"[red]a[/]": scores, "b": scores}, Console(file=out, width=width))
    shown = out.getvalue()
    for s in scores:
        assert shown.count(f"{s.value:.2f}") >= 2
        assert shown.count(s.signature) == 1  # once, in one piece, to be copied
    assert "[red]a[/]" in shown or width == 40
