"""The suite of a run: written, shown in page, Markdown and card, forgotten when the model is another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import refused, seq2seq
from tests.toy import write_toy

CPU = ("--device", "cpu", "--threads", "1")
SHORT = ("decoding.max_length={ratio: 1.0, offset: 2}", "evaluation.bootstrap=0")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("robust")
    done = seq2seq("run", str(write_toy(folder, train=60)), "training.max_steps=12", *SHORT, *CPU)
    assert done.code == 0, done.err
    return folder / "run"


def test_it_is_written_and_shown_and_forgotten(run: Path) -> None:
    assert 'id="robustness"' not in (run / "report" / "report.html").read_text()
    done = seq2seq("evaluate", str(run), "--suite", "robustness", *CPU)
    assert done.code == 0, done.err
    assert "very long lines" in done.out and "20 sentences of toy" in done.out
    stored = json.loads((run / "report" / "robustness.json").read_text())
    assert {one["name"] for one in stored["findings"]} >= {"numbers", "URLs", "single words", "upper case"}
    (numbers,) = (one for one in stored["findings"] if one["name"] == "numbers")
    line = f"numbers: {numbers['passed']} of {numbers['count']} pass"
    assert f"- robustness suite, {line}" in (run / "model" / "README.md").read_text()
    assert 'id="robustness"' in (run / "report" / "report.html").read_text()
    assert "## Robustness" in (run / "report" / "report.md").read_text()
    assert "runs:" not in seq2seq("plan", str(run)).out and seq2seq("verify", str(run)).code == 0

    again = json.loads(seq2seq("evaluate", str(run), "--suite", "robustness", "--json", *CPU).out)
    assert again[str(run)]["findings"] == stored["findings"]

    assert seq2seq("run", str(run), "decoding.beam_size=1", "decoding.length_penalty=none", *CPU).code == 0
    assert 'id="robustness"' not in (run / "report" / "report.html").read_text()  # what translates now is another
    (run / "report" / "robustness.json").write_text("{}")
    damaged = seq2seq("report", str(run), *CPU)
    assert damaged.code == 2 and "robustness.json: damaged" in damaged.err and "--suite robustness" in damaged.err
    (run / "report" / "robustness.json").unlink()
    assert seq2seq("report", str(run), *CPU).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["RUN", "--suite", "strength"], ["--suite strength", "robustness"]),
        (["RUN", "--suite", "robustness", "--fail-under", "bleu=3"], ["--fail-under"]),
        (["--suite", "robustness", "--hyp", "a", "--ref", "b"], ["--suite", "recipe"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_be_is_told(run: Path, arguments: list[str], words: list[str]) -> None:
    refused(seq2seq("evaluate", *(str(run) if one == "RUN" else one for one in arguments)), *words)
