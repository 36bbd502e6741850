"""The report's page as a browser lays it out: nothing overflows, no text overlaps another, at any width and colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seq2seq import charts
from seq2seq.evaluation.buckets import Rarity
from seq2seq.evaluation.page import to_html
from seq2seq.evaluation.robustness import Finding, Robustness
from tests.browsing import WIDTHS, faults
from tests.evaluation.test_report import a_test_set, detail, run_report

AUDIT = {
    "train": {
        "read": 1029000,
        "kept": 1028990,
        "dropped": {"empty": 0, "duplicate": 8, "overlap": 101, "too_long": 2345, "length_ratio": 12},
        "sources": [
            {"key": f"data.train.{i}", "read": 29000, "kept": 28990, "dropped": {"duplicate": 8, "too_long": 2},
             "dropped_samples": {"too_long": [["a long text " * 20, "ein langer Text " * 20]]}}
            for i in range(2)
        ],
        "src": {"tokens": 430123, "mean": 14.83, "median": 14, "p95": 23, "max": 45, "unknown": 0.000001,
                "histogram": {"bin": 5, "counts": [1, 2, 3]}},
        "tgt": {"tokens": 430123, "mean": 14.83, "median": 14, "p95": 23, "max": 45, "unknown": 0.01},
    },
    "valid": {"pairs": 1014, "overlap": {"before": {"sources": 1, "targets": 2, "pairs": 0}}},
    "test": {"flickr-2016-with-a-long-name": {"pairs": 1000, "overlap": {"before": {"sources": 1}, "after": {}}}},
    "vocabulary": {"joint": True, "src": 8000, "tgt": 8000},
}  # fmt: skip
WORDS = "Ein kleiner Junge in Sicherheitsschuhen spielt mit einem roten Ball im Stadtparkgelände , glücklich".split()


NUMBERS = 99.9, 88.8, 77.7
EXAMPLES = [(" ".join(WORDS), "W" * 200)]


def full_report() -> str:
    """A page with long words, wide numbers and all its parts."""
    texts, details = [" ".join(WORDS)] * 8, [detail(WORDS, WORDS)] * 8
    known = Rarity("word", [0, 5, 50, 500, 5000] * 2, [3, 1, 0, 0, 0] * 2)
    sets = [
        a_test_set("flickr2016", 8, sources=texts, hypotheses=texts, details=details),
        a_test_set("x" * 80, 10, rarity=known),
    ]
    facts = [("Weights", "5,123,456"), ("Command", "seq2seq run " + "recipes/multi30k-en-de.yaml" * 8)]
    log: list[dict[str, Any]] = []
    for step in range(50, 150_000, 5000):
        log.append({"kind": "train", "step": step, "loss": 5.0, "learning_rate": 0.0004, "gradient_norm": 0.5,
                    "tokens_per_second": 123456})  # fmt: skip
        log.append({"kind": "validation", "step": step, "loss": 1.0, "bleu": 30.0, "chrf": 50.0, "best": True})
    return to_html(
        run_report(
            test_sets=sets,
            facts=facts,
            audit=AUDIT,
            log=log,
            recipe="name: demo\n" + "a" * 300,
            warnings=[(50, "too short"), (5050, "too long")],
            repeat="seq2seq run " + "x" * 90,
            robustness=Robustness(
                "x" * 80, 100, [Finding("very long lines", "a line", 100, 5, *NUMBERS, EXAMPLES)] * 3
            ),
        )
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(full_report(), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows_and_no_text_overlaps(browser: Any, page: Path, width: int, scheme: str) -> None:
    assert not faults(browser, page, width, scheme)


def test_values_can_be_read_off_a_curve(browser: Any, page: Path) -> None:
    """By pointer and by keyboard; what is read is what was logged."""
    shown = browser.new_page(viewport={"width": 1280, "height": 800})
    shown.goto(page.absolute().as_uri())
    chart = shown.locator("svg.chart:has(path[data-points])").first
    chart.hover(position={"x": 60, "y": 60})
    first = chart.locator("xpath=following-sibling::output").inner_text()
    assert "training 5" in first and "validation 1" in first
    chart.focus()
    shown.keyboard.press("ArrowRight")
    second = chart.locator("xpath=following-sibling::output").inner_text()
    steps = [int(text.split(":")[0].removeprefix("at ").replace(",", "")) for text in (first, second)]
    assert steps[0] % 5000 == 50 and steps[1] - steps[0] == 5000
    shown.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_figure_of_six_panels(browser: Any, tmp_path: Path, width: int) -> None:
    names = ["rnn", "rnn (relu, identity)", "lstm", "gru", "mingru", "minlstm"]
    lines = [charts.Line(name, [(i, 10.0 ** (-i * k)) for i in range(40)], k) for k, name in enumerate(names)]
    chart = charts.line_chart("Gradient norm at initialisation", lines, "steps back", log_y=True)
    assert chart is not None
    (tmp_path / "page.html").write_text(charts.figure([chart] * 6), encoding="utf-8")
    assert not faults(browser, tmp_path / "page.html", width, "light")


def test_the_measure_sees_what_is_wrong(browser: Any, tmp_path: Path) -> None:
    """Else the tests above would say nothing."""
    (tmp_path / "page.html").write_text(
        '<div style="width: 50px; white-space: nowrap">a text that is far too long</div>'
        '<p>below</p><p style="margin-top: -30px">the same place</p>'
        '<svg viewBox="0 0 100 20" width="100"><text x="90" y="10">outside</text></svg>'
    )
    found = " ".join(faults(browser, tmp_path / "page.html", 360, "light"))
    assert "overflows" in found and "overlap" in found and "outside its chart" in found


def test_the_audit_is_told_in_words() -> None:
    page = full_report()
    assert "{" not in page.split('id="data"')[1].split('id="run"')[0]
    assert json.dumps(AUDIT["vocabulary"]) not in page and "1,029,000" in page and "too long" in page
