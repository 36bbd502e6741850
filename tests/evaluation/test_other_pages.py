"""The pages of sweeps, seeds, lists of runs and comparisons in a browser: layout, console, axe-core. Their content is
made up, with long names, wide numbers and all their parts: what real runs leave is tested beside the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq.evaluation.compare import compare
from seq2seq.evaluation.metrics import METRICS, Score
from seq2seq.evaluation.page import compare_to_html, runs_to_html, seeds_to_html, sweep_to_html
from seq2seq.evaluation.search import Axis, SearchReport, TrialResult
from seq2seq.evaluation.seeds import SeedsReport, SeedsScore, change_over_seeds, summarize
from seq2seq.evaluation.significance import SystemResult
from seq2seq.evaluation.sweep import Cell, RowResult, SweepReport
from tests.browsing import WIDTHS, faults
from tests.evaluation.test_compare import SYSTEMS, a_test

SETS = "flickr2016", "mscoco_2017_ambiguous_captions_of_all_kinds"
SIGNATURE = "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:ko-mecab-0.996/ko-0.9.2-KO|smooth:exp|version:2.6.0"
RECIPE = "name: demo\n" + "a" * 300
SEEDS = [str(seed) for seed in range(1, 9)]


def a_sweep() -> str:
    labels = [f"model.encoder.cell+model.decoder.cell=rnn decoder.attention={'luong_general' * i}" for i in range(5)]

    def cell(metric: str, i: int) -> Cell:
        seeds = dict.fromkeys(SEEDS, 30.0)
        return Cell(metric, 99.99 if metric == "ter" else 30.0 + i, 10.25, seeds, 31.0, SIGNATURE, 0.001 if i else None)

    rows = [
        RowResult(label, f"row-{i}/report/report.html", 1_234_567_890, 60_000.0 * (i + 1), 123_456.0 + i,
                  {(name, metric): cell(metric, i) for name in SETS for metric in METRICS})
        for i, label in enumerate(labels)
    ]  # fmt: skip
    trials = [
        TrialResult(i, f"trial-{i:03} {labels[i % 5]}", {"rate": 10.0 ** (i % 4), "size": 64 + i % 7}, 30.0 + i, 1e5)
        for i in range(1, 13)
    ]
    axes, refused = [Axis("rate", "learning_rate", True), Axis("size", "hidden_size", False)], {labels[4]: "x" * 120}
    search = SearchReport("bleu", 29.0, trials, refused, axes)
    return sweep_to_html(SweepReport("demo" * 12, rows, {"cell=lstm seed 3": "no space " * 30}, RECIPE, search))


def scores(name: str) -> list[SeedsScore]:
    def of_run(value: float) -> list[Score]:
        return [Score(metric, value, value - 1, value + 1, SIGNATURE, 1000) for metric in METRICS]

    return summarize({seed: of_run(30.0 + i) for i, seed in enumerate(SEEDS)}, of_run(33.3))


def a_seeds_page() -> str:
    pairs = [
        (SystemResult(100.0, 100.0, 1.0, None), SystemResult(80.0 + i, 80.0, 1.0, 0.01)) for i in range(len(SEEDS))
    ]
    changes = [change_over_seeds(name, metric, pairs) for name in SETS for metric in METRICS]
    log: list[dict[str, Any]] = [
        {"kind": "validation", "step": step, "bleu": step / 5000} for step in range(0, 150_000, 5000)
    ]
    pages = {seed: f"../seed-{seed}/report/report.html" for seed in SEEDS}
    return seeds_to_html(
        SeedsReport("demo" * 12, "en", "de", {name: scores(name) for name in SETS}, pages, dict.fromkeys(SEEDS, log),
                    RECIPE, "general" * 8, changes)
    )  # fmt: skip


def a_list_of_runs() -> str:
    names = ["a", "multi30k-en-de-with-a-very-long-name-indeed" * 2, "c"]
    single = [Score(metric, 99.99, 98.99, 100.0, SIGNATURE, 1000) for metric in METRICS]
    lines = [
        {"run": run, "stage": "report", "test_set": name, "scores": single if run == "a" else scores(name)}
        for name in SETS
        for run in names
    ]
    return runs_to_html("runs/" * 20, "bleu", [*lines, {"run": "d", "stage": "train", "test_set": "", "scores": []}],
                        {"a": "a/report/report.html"})  # fmt: skip


def a_comparison() -> str:
    found = compare(a_test(), ["bleu", "chrf", "chrf++", "ter"], samples=20)
    keys = [("data.train.0", ["a" * 64] * len(SYSTEMS)), ("machine", ["AMD EPYC, 2 cores", "", "x" * 90])]
    return compare_to_html([found], keys)


PAGES: dict[str, Callable[[], str]] = {
    "sweep": a_sweep,
    "seeds": a_seeds_page,
    "runs": a_list_of_runs,
    "comparison": a_comparison,
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        (folder / f"{name}.html").write_text(make(), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wrong_at_any_width(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    found = {width: faults(browser, pages[name], width, scheme, axe=True) for width in WIDTHS}
    assert not any(found.values()), found
