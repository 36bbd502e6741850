"""A whole sweep: stopped and taken up again, models of equal size, compared; jobs that fail or lose their parent."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq.bundle import count_weights
from seq2seq.evaluation.sweep import SweepReport, sweep_to_latex, verdicts
from seq2seq.pipeline.sweep.jobs import Job, Workers
from seq2seq.recipe.file import load_recipe
from tests.command_line import seq2seq
from tests.toy import write_toy

GRID = ("model.encoder.cell+model.decoder.cell=gru,rnn", "training.max_steps=40", "evaluation.metrics=[chrf]")
OPTIONS = ("--seeds", "2", "--match", "parameters", "--jobs", "2", "--threads", "1", "--device", "cpu")


def wait_for(folder: Path, pattern: str) -> None:
    for _ in range(2000):
        if list(folder.glob(pattern)):
            return
        time.sleep(0.1)
    raise AssertionError(f"no {pattern}")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that was told to end once it trained, and was then taken up again."""
    folder = tmp_path_factory.mktemp("sweep")
    arguments = (str(write_toy(folder)), *GRID, "--output", str(folder / "s"), *OPTIONS)
    began = subprocess.Popen([sys.executable, "-m", "seq2seq", "sweep", *arguments], stderr=subprocess.PIPE, text=True)
    wait_for(folder, "s/*/seed-*/checkpoints/step-*/state.json")
    began.send_signal(signal.SIGTERM)
    assert "the same command" in began.communicate()[1] and began.returncode == 130
    done = seq2seq("sweep", *arguments)
    assert done.code == 0, done.err
    assert max(map(len, done.out.split("\n\n")[0].split("\n"))) <= 80 and "[match] cell=rnn" in done.err
    logs = "".join(file.read_text() for file in (folder / "s/logs").iterdir())
    assert "Traceback" not in logs
    return folder / "s"


def test_a_whole_sweep(swept: Path) -> None:
    """One test: each worker of pytest-xdist that has a part of it would make the sweep for itself."""
    holds_what_the_runs_hold(swept)
    prepared_once_and_does_nothing_again(swept)


def holds_what_the_runs_hold(swept: Path) -> None:
    report = json.loads((swept / "comparison.json").read_text())
    assert [row["label"] for row in report["rows"]] == ["cell=gru", "cell=rnn"] and report["failed"] == {}
    weights = [row["parameters"] for row in report["rows"]]
    assert abs(weights[1] - weights[0]) <= 0.01 * weights[0]
    for row in report["rows"]:
        run = swept / row["label"].replace("=", "-")
        (score,) = row["scores"]
        assert count_weights(run / "seed-1/model") == row["parameters"]
        stored = [json.loads((run / f"seed-{k}/report/scores.json").read_text())["toy"][0]["value"] for k in (1, 2)]
        assert list(score["by_seed"].values()) == stored and score["value"] == pytest.approx(sum(stored) / 2)
        assert (run / "report/report.html").exists() and (swept / row["page"]).exists()
    first, other = (row["scores"][0]["p_value"] for row in report["rows"])
    assert first is None and 0 < other <= 1
    lines = list(csv.DictReader(io.StringIO((swept / "comparison.csv").read_text())))
    assert [line["row"] for line in lines] == ["cell=gru", "cell=rnn"] and float(lines[0]["mean"]) > 0
    page, latex = ((swept / f"comparison.{end}").read_text() for end in ("html", "tex"))
    assert (swept / "comparison.svg").read_text().count("<circle") == 6
    assert page.count("<svg") == 3 and "against weights" in page and report["verdicts"][0] in page
    assert r"\toprule" in latex and latex.count(r"\textbf") == 1


def prepared_once_and_does_nothing_again(swept: Path) -> None:
    assert len({path.stat().st_ino for path in swept.glob("*/seed-*/data/train.arrow")}) == 1
    planned = json.loads(seq2seq("sweep", str(swept), "--plan", "--json").out)
    again = seq2seq("sweep", str(swept), "--json", "--device", "cpu")
    assert (again.code == 0 and "of" not in again.err.replace("match", "")) or "[run" not in again.err
    assert json.loads(again.out) == json.loads((swept / "comparison.json").read_text())
    assert [one["run"] for one in planned] == [f"cell={cell} seed {k}" for cell in ("gru", "rnn") for k in (1, 2)]


def test_a_job_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    recipe = load_recipe(write_toy(tmp_path, train=20))
    (tmp_path / "file").write_text("")
    bad = recipe.model_copy(update={"output_dir": str(tmp_path / "file")})
    jobs = [Job("bad", bad, "prepare"), Job("good", recipe, "prepare")]
    failed = Workers(2, 1, "cpu", tmp_path / "logs").run(jobs, "prepare")
    assert list(failed) == ["bad"] and "is a file; name a folder" in failed["bad"]
    assert (tmp_path / "run/data/train.arrow").exists()


def test_a_worker_whose_parent_has_gone_saves_and_ends(tmp_path: Path) -> None:
    recipe = load_recipe(write_toy(tmp_path), ["training.max_epochs=100000"])
    told = {"recipe": recipe.model_dump(), "until": None, "device": "cpu", "threads": 1}
    worker = [sys.executable, "-m", "seq2seq.pipeline.worker"]
    with subprocess.Popen(worker, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        wait_for(tmp_path, "run/checkpoints/step-*/state.json")
        process.stdin.close()
        assert process.wait(60) == 130


def test_words_for_rows() -> None:
    assert verdicts(SweepReport("x", [], {}, "")) == []
    assert sweep_to_latex(SweepReport("x", [], {"a": "b"}, "")).startswith(r"\begin{tabular}")
