"""Comparisons are sacreBLEU's to the last digit, in words that hold, in every format."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.evaluation.buckets import Rarity
from seq2seq.evaluation.compare import TestSet, compare, differences, verdict
from seq2seq.evaluation.comparison_text import to_csv, to_latex
from tests.command_line import seq2seq

WORDS = "der die das Hund Mann Frau Ball Straße läuft spielt auf mit roten kleinen 3 Kindern , .".split()
GENERATOR = random.Random(1)
REFERENCES = [" ".join(GENERATOR.choices(WORDS, k=GENERATOR.randint(4, 14))) for _ in range(60)]


def damaged(share: float, seed: int) -> list[str]:
    generator = random.Random(seed)
    return [
        " ".join(generator.choice(WORDS) if generator.random() < share else word for word in line.split())
        for line in REFERENCES
    ]


METRICS = ["bleu", "chrf", "ter"]
BASE = damaged(0.3, 1)
SYSTEMS = [("base", BASE), ("good", damaged(0.1, 2)), ("same", [*BASE[:-2], *damaged(0.3, 9)[-2:]])]


def write(folder: Path) -> None:
    for name, lines in [*SYSTEMS, ("ref", REFERENCES), ("src", REFERENCES)]:
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def sacrebleu(folder: Path, *options: str) -> str:
    write(folder)
    command = [sys.executable, "-m", "sacrebleu", "ref", "-i", "base", "good", "same", "-m", *METRICS, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def a_test() -> TestSet:
    return TestSet(
        "flickr", REFERENCES, [REFERENCES], SYSTEMS, "en", "de", Rarity("word", list(range(60)), [0, 1, 2] * 20)
    )


def test_bootstrap_equals_sacrebleus_command_line(tmp_path: Path) -> None:
    """Its JSON cannot be written for this test (float32), so its table is read."""
    table = sacrebleu(tmp_path, "--paired-bs", "--paired-bs-n", "200", "-f", "text", "-w", "10")
    numbers = re.findall(r"([\d.]+) \(([\d.]+) ± ([\d.]+)\)", table)
    p_values = re.findall(r"p = ([\d.]+)", table)
    ours = compare(a_test(), METRICS, "bs", 200)
    for i in range(3):
        for k, metric in enumerate(METRICS):
            signature, results = ours.results[metric]
            mine = results[i]
            assert [f"{v:.10f}" for v in (mine.value, mine.mean, mine.half_width)] == list(numbers[3 * i + k])
            assert (mine.p_value is None) == (i == 0) and "bs:200|seed:12345" in signature
            if mine.p_value is not None:
                assert f"{mine.p_value:.4f}" == p_values[3 * (i - 1) + k]


def test_randomization_equals_sacrebleus_command_line(tmp_path: Path) -> None:
    theirs = json.loads(sacrebleu(tmp_path, "--paired-ar", "--paired-ar-n", "300", "-f", "json", "-w", "12"))
    ours = compare(a_test(), METRICS, "ar", 300)
    for i, system in enumerate(theirs):
        for metric, label in zip(METRICS, ("BLEU", "chrF2", "TER"), strict=True):
            signature, results = ours.results[metric]
            assert (results[i].value, results[i].p_value) == (system[label]["score"], system[label]["p_value"])
            assert "ar:300|seed:12345" in signature


def test_in_words_as_the_metric_points() -> None:
    found = compare(a_test(), ["bleu", "ter"], "bs", 200)
    assert re.fullmatch(r"good is better than base by \d+\.\d BLEU, p = 0\.0\d\d", verdict(found, "bleu", 1))
    assert "good is better than base" in verdict(found, "ter", 1)
    assert "not distinguishable" in verdict(found, "bleu", 2)
    twice = TestSet("flickr", None, [REFERENCES], [("a", BASE), ("b", BASE)], "en", "de")
    equal = compare(twice, ["bleu"], "bs", 50)
    assert verdict(equal, "bleu", 1) == "b and a have the same BLEU" and "dagger" not in to_latex([equal])


def test_buckets_hold_every_sentence_and_changes_are_changes() -> None:
    found = compare(a_test(), ["bleu"], "bs", 10)
    kinds = {bucket.kind for bucket in found.buckets if bucket.measure == "BLEU"} - {"numbers and names in the source"}
    for kind in kinds:
        assert sum(bucket.count for bucket in found.buckets if bucket.kind == kind) == 60
    assert len(kinds) == 3 and len({bucket.kind for bucket in found.buckets}) == 5
    assert all(one.first != one.other for one in found.changed)
    best = max(found.changed, key=lambda one: one.gain)
    assert best.gain > 0 and best.other in dict(SYSTEMS)[best.system]


def test_what_differs() -> None:
    runs = {"a": {"x": "1", "y": "2"}, "b": {"x": "1", "y": "3", "z": "4"}}
    assert differences(runs) == [("y", ["2", "3"]), ("z", ["", "4"])]


def test_csv_and_latex() -> None:
    found = compare(a_test(), ["bleu", "ter"], "bs", 100)
    rows = list(csv.DictReader(io.StringIO(to_csv([found]))))
    assert [row["system"] for row in rows] == ["base", "good", "same"] * 2
    assert float(rows[1]["score"]) == found.results["bleu"][1][1].value
    latex = to_latex([found])
    assert latex.count(r"\textbf") == 2 and latex.count(r"$^\dagger$") >= 2 and r"\toprule" in latex
    assert re.search(r"good & \\textbf\{[\d.]+\}\$\^\\dagger\$", latex)


def test_the_command_with_plain_files(tmp_path: Path) -> None:
    write(tmp_path)
    files = ("compare", *(str(tmp_path / name) for name, _ in SYSTEMS), "--ref", str(tmp_path / "ref"))
    options = ("--src", str(tmp_path / "src"), "--language", "de", "--samples", "50", "--metric", "bleu")
    done = seq2seq(*files, *options, "--html", str(tmp_path / "page.html"))
    assert done.code == 0 and "is better than" in done.out and (tmp_path / "page.html").exists()
    plain = json.loads(seq2seq(*files, *options, "--json").out)
    assert len(plain["test_sets"]["ref"]["metrics"]["bleu"]["verdicts"]) == 2
    told = [line.split() for line in done.out.split("\n")]
    for bucket in plain["test_sets"]["ref"]["buckets"]:
        assert [*bucket["label"].split(), str(bucket["count"]), *(f"{v:.1f}" for v in bucket["scores"])] in told
    assert seq2seq(*files, *options, "--format", "latex").out.startswith(r"\begin{tabular}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a"], "no run folder; to compare files of translations, add --ref"),
        (["ref", "--ref", "ref"], "name at least two systems"),
        (["ref", "ref", "--ref", "ref"], "is named twice"),
        (["base", "short", "--ref", "ref"], "1 lines, but 60 references"),
        (["base", "good", "--ref", "ref", "--metric", "blue"], "no metric 'blue'"),
        (["base", "good", "--ref", "ref", "--test", "t"], "--test t: must be"),
        (["base", "good", "--ref", "ref", "--format", "pdf"], "--format pdf: must be one of"),
    ],
)
def test_what_cannot_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    write(tmp_path)
    (tmp_path / "short").write_text("ein Hund\n")
    monkeypatch.chdir(tmp_path)
    done = seq2seq("compare", *arguments)
    assert done.code == 2 and message in done.err, done.err
