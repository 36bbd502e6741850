"""COMET by way of a double of its public functions (`load_from_checkpoint`, `predict`): what it is given, what comes of
its scores, what is told where it cannot be had.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seq2seq.errors import UserError
from seq2seq.evaluation import comet
from seq2seq.evaluation.compare import TestSet, compare
from seq2seq.evaluation.metrics import score
from tests.command_line import refused, seq2seq
from tests.evaluation.test_metrics import HYPOTHESES, REFERENCES, damaged

SOURCES = [f"source {i}" for i in range(len(REFERENCES))]


def judged(sample: dict[str, str]) -> float:
    """The double's score: the share of the reference's words, less what the source says."""
    words = sample["mt"].split()
    return sum(word in sample["ref"].split() for word in words) / max(1, len(words)) - len(sample["src"]) / 1000


class Double:
    """In place of the package."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.loaded, self.samples = folder, 0, list[dict[str, str]]()

    def load_from_checkpoint(self, path: str, local_files_only: bool = False) -> Double:
        assert Path(path) == self.folder / "checkpoints/model.ckpt" and local_files_only
        self.loaded += 1
        if Path(path).read_bytes() == b"damaged":
            raise RuntimeError("not\na checkpoint")
        return self

    def predict(self, samples: list[dict[str, str]], **options: Any) -> SimpleNamespace:
        assert options.keys() == {"batch_size", "gpus", "progress_bar", "num_workers"}
        self.samples += samples
        return SimpleNamespace(scores=[judged(sample) for sample in samples])


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    """The package's double, and a model's folder."""
    folder = tmp_path / "wmt-tiny"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/model.ckpt").write_bytes(b"weights")
    (folder / "hparams.yaml").write_text("class_identifier: regression_metric\n")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    made, module = Double(folder), ModuleType("comet")
    module.__spec__ = ModuleSpec("comet", None)
    module.load_from_checkpoint = made.load_from_checkpoint  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comet", module)
    monkeypatch.setattr(comet, "version", lambda package: {"unbabel-comet": "9.9"}[package])
    comet.load.cache_clear()
    return made


def test_a_corpus_has_the_mean_of_its_sentences_and_a_signature_that_names_the_model(double: Double) -> None:
    (found,) = score(HYPOTHESES, REFERENCES, ["comet"], "de", 200, sources=SOURCES, comet=double.folder)
    lines = list(zip(SOURCES, HYPOTHESES, REFERENCES, strict=True))
    assert double.samples == [{"src": s, "mt": h, "ref": r} for s, h, r in lines]
    values = [100 * judged(sample) for sample in double.samples]
    assert found.value == pytest.approx(np.mean(values)) and found.low is not None and found.high is not None
    error = 1.96 * np.std(values) / len(values) ** 0.5
    assert (found.high - found.low) / 2 == pytest.approx(error, rel=0.2) and found.low < found.value < found.high
    hash = hashlib.sha256(b"weights").hexdigest()[:12]
    assert found.signature == (
        f"nrefs:1|bs:200|seed:12345|model:wmt-tiny|license:apache-2.0|sha256:{hash}|scale:100|version:9.9"
    )
    (alone,) = score(HYPOTHESES, REFERENCES, ["comet"], "de", 0, sources=SOURCES, comet=double.folder)
    assert (alone.value, alone.low) == (found.value, None) and double.loaded == 1


def test_scores_below_zero_and_several_references(double: Double) -> None:
    many = [f"{source} {'x' * 2000}" for source in SOURCES]
    (found,) = score(HYPOTHESES, REFERENCES, ["comet"], "de", 50, sources=many, comet=double.folder)
    assert found.value < -100 and found.low is not None and found.low < found.value
    (two,) = score(HYPOTHESES, REFERENCES, ["comet"], "de", 0, False, [HYPOTHESES], SOURCES, double.folder)
    singles = [
        score(HYPOTHESES, of, ["comet"], "de", 0, sources=SOURCES, comet=double.folder)[0].value
        for of in (REFERENCES, HYPOTHESES)
    ]
    assert two.value == pytest.approx(np.mean(singles)) and "nrefs:2" in two.signature


@pytest.mark.parametrize("kind", ["bs", "ar"])
def test_systems_are_compared_by_sacrebleus_tests(double: Double, kind: Any) -> None:
    systems = [("a", HYPOTHESES), ("b", damaged(REFERENCES, 0.6)), ("c", HYPOTHESES)]
    test = TestSet("set", SOURCES, [REFERENCES], systems, "en", "de")
    found = compare(test, ["bleu", "comet"], kind, 200, comet=double.folder).results["comet"][1]
    assert found[1].value < found[0].value == found[2].value
    assert found[1].p_value is not None and found[1].p_value < 0.05


def test_from_the_command_line(double: Double, tmp_path: Path) -> None:
    for name, lines in (("src", SOURCES), ("hyp", HYPOTHESES), ("other", REFERENCES), ("ref", REFERENCES)):
        (tmp_path / name).write_text("".join(line.replace(" ,", "").replace(" .", "") + "\n" for line in lines))
    src, hyp, other, ref = (str(tmp_path / name) for name in ("src", "hyp", "other", "ref"))
    metric = ("--metric", "comet", "--comet", str(double.folder))
    done = json.loads(seq2seq("evaluate", "--hyp", hyp, "--ref", ref, "--src", src, *metric, "--json").out)
    assert done[0]["metric"] == "comet" and "model:wmt-tiny" in done[0]["signature"]
    compared = seq2seq("compare", hyp, other, "--ref", ref, "--src", src, *metric, "--samples", "50")
    assert f"{other} is better than {hyp} by" in compared.out and "COMET" in compared.out
    refused(seq2seq("evaluate", "--hyp", hyp, "--ref", ref, *metric), "comet reads the sources, too: add --src")
    refused(seq2seq("evaluate", "--hyp", hyp, "--ref", ref, *metric[:2]), "--comet FOLDER; none is ever downloaded")
    refused(seq2seq("evaluate", "--hyp", hyp, "--ref", ref, *metric[2:]), "no effect without --metric comet")
    refused(seq2seq("compare", hyp, other, "--ref", ref, *metric[2:]), "no effect without --metric comet")


def test_a_recipe_is_scored_and_verified_with_it(double: Double, recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["evaluation.metrics=[bleu, comet]", f"output_dir={run}", "training.max_steps=2"]
    refused(seq2seq("run", str(recipe), *settings), "evaluation.comet: the metric comet needs a model's folder")
    refused(seq2seq("run", str(recipe), *settings, "evaluation.comet=none"), "has no hparams.yaml")
    refused(seq2seq("plan", str(recipe), f"evaluation.comet={double.folder}"), "has no effect without the metric comet")
    assert not run.exists()
    done = seq2seq("run", str(recipe), *settings, f"evaluation.comet={double.folder}")
    assert done.code == 0, done.err
    stored = {one["metric"]: one for one in json.loads((run / "report/scores.json").read_text())["toy"]}
    assert stored["comet"]["value"] != stored["bleu"]["value"] and "license:apache-2.0" in stored["comet"]["signature"]
    assert "COMET" in (run / "report/report.html").read_text() and seq2seq("verify", str(run)).code == 0
    (double.folder / "checkpoints/model.ckpt").write_bytes(b"other weights")
    due = {one["stage"] for one in json.loads(seq2seq("plan", str(run), "--json").out)["stages"] if one["reasons"]}
    assert due == {"evaluate", "report"}


def test_what_cannot_be_had_is_told(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> str:
        with pytest.raises(UserError) as caught:
            score(HYPOTHESES, REFERENCES, ["comet"], "de", 0, sources=SOURCES, comet=double.folder)
        return str(caught.value)

    with pytest.raises(UserError, match="59 sources, but 60 hypotheses: they must match line by line"):
        score(HYPOTHESES, REFERENCES, ["comet"], "de", 0, sources=SOURCES[1:], comet=double.folder)
    comet.load.cache_clear()
    (double.folder / "checkpoints/model.ckpt").write_bytes(b"damaged")
    assert "wmt-tiny: cannot be loaded: not a checkpoint; its encoder, which hparams.yaml names" in failing()
    monkeypatch.setitem(sys.modules, "comet", None)
    assert "pip install 'seq2seq[comet]'" in failing()
    (double.folder / "hparams.yaml").unlink()
    assert "has no hparams.yaml" in failing()
