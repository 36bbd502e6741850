"""A recipe with several seeds: a run for each, one preparation, their mean and ensemble; resumed, planned, listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import seq2seq as s2s
from seq2seq.errors import UserError
from seq2seq.evaluation.seeds import SeedsScore, change_over_seeds
from seq2seq.evaluation.significance import SystemResult, p_over_pairs
from seq2seq.recipe.file import load_recipe
from seq2seq.run_folder import RunFolder
from tests.command_line import refused, seq2seq
from tests.toy import write_toy

OPTIONS = ("--device", "cpu", "--threads", "1")
STEPS = ("training.max_steps=20", "evaluation.metrics=[chrf, bleu]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy whose recipe has run with the seeds 1 and 2."""
    folder = tmp_path_factory.mktemp("seeds")
    done = seq2seq("run", str(write_toy(folder)), *STEPS, "seeds=[1, 2]", *OPTIONS)
    assert done.code == 0, done.err
    assert "mean ± std" in done.out and max(map(len, done.out.split("\n")[:3])) <= 80
    assert f"seq2seq translate {folder}/run/seed-1 --ensemble {folder}/run/seed-2" in done.out
    return folder


def values(run: Path, name: str = "scores.json") -> dict[str, dict[str, object]]:
    stored = json.loads((run / "report" / name).read_text())
    return {score["metric"]: score for score in stored["toy"]}


def test_each_seed_has_a_run_of_its_own_and_all_share_one_preparation(folder: Path) -> None:
    runs = [RunFolder(folder / "run" / f"seed-{seed}") for seed in (1, 2)]
    assert [load_recipe(run.root).seed for run in runs] == [1, 2]
    assert all(run.html.exists() and load_recipe(run.root).seeds is None for run in runs)
    inodes = [(run.data / "train.arrow").stat().st_ino for run in runs]
    assert inodes[0] == inodes[1]
    weights = [(run.model / "model.safetensors").read_bytes() for run in runs]
    assert weights[0] != weights[1]
    assert seq2seq("plan", str(runs[1].root)).out.count("up to date") == 5  # by itself, it is up to date


def test_runs_of_several_seeds_are_compared_one_by_one(folder: Path) -> None:
    run = folder / "run"
    refused(
        seq2seq("compare", str(run), str(run / "seed-1")),
        f"{run}: holds several runs; name one of them, as {run}/seed-1",
    )
    assert seq2seq("compare", str(run / "seed-2"), str(run / "seed-1")).code == 0


def test_the_mean_the_deviation_and_the_ensemble(folder: Path, tmp_path: Path) -> None:
    run = folder / "run"
    for metric, score in values(run).items():
        single = [values(run / f"seed-{seed}")[metric]["value"] for seed in (1, 2)]
        assert score["by_seed"] == {"1": single[0], "2": single[1]}
        assert score["value"] == pytest.approx(np.mean(single))
        assert score["deviation"] == pytest.approx(np.std(single, ddof=1))
    output = tmp_path / "together"
    source = ("--input", str(folder / "test.en"), "--output", str(output))
    done = seq2seq("translate", str(run / "seed-1"), "--ensemble", str(run / "seed-2"), *source, *OPTIONS)
    assert done.code == 0, done.err
    assert output.read_text() == (run / "translations" / "toy.de").read_text()
    scored = seq2seq("evaluate", "--hyp", str(output), "--ref", str(folder / "test.de"), "--language", "de", "--json")
    for score in json.loads(scored.out):
        if score["metric"] in values(run):
            assert values(run)[score["metric"]]["ensemble"] == score["value"]
    page, text = ((run / "report" / name).read_text() for name in ("report.html", "report.md"))
    mean = f"{values(run)['chrf']['value']:.2f}"
    assert mean in page and mean in text and "../seed-2/report/report.html" in page and "Validation BLEU" in page


def test_a_second_run_does_nothing_and_another_seed_trains_alone(folder: Path) -> None:
    recipe = str(folder / "recipe.yaml")
    again = seq2seq("run", recipe, *STEPS, "seeds=[1, 2]", *OPTIONS)
    assert again.out.startswith("nothing to do") and "starts" not in again.err
    assert seq2seq("run", str(folder / "run"), *OPTIONS).out.startswith("nothing to do")
    plan = seq2seq("plan", recipe, *STEPS, "seeds=[1, 2, 3]", "--json")
    due = {stage["stage"]: stage["reasons"] for stage in json.loads(plan.out)["stages"] if stage["reasons"]}
    assert due["seed-3 prepare"] == ["is shared with seed-1"] and due["seeds"] == ["seed-3: not up to date"]
    assert {name.split()[0] for name in due} == {"seed-3", "seeds"}
    before = (folder / "run/seed-1/model/model.safetensors").stat().st_mtime_ns
    more = seq2seq("evaluate", recipe, *STEPS, "seeds=[1, 2, 3]", "--json", *OPTIONS)
    assert more.code == 0, more.err
    assert list(json.loads(more.out)["toy"][0]["by_seed"]) == ["1", "2", "3"]
    assert before == (folder / "run/seed-1/model/model.safetensors").stat().st_mtime_ns
    assert seq2seq("run", recipe, *STEPS, "seeds=[1, 2]", *OPTIONS).code == 0  # as the other tests find it


def test_in_python_and_in_the_list_of_runs(folder: Path) -> None:
    run = s2s.Run(folder / "run")
    score = run.scores["toy"]["chrf"]
    assert isinstance(score, SeedsScore) and score.by_seed["2"] == run.seeds[2].scores["toy"]["chrf"].value
    assert "chrF" in run._repr_html_() and run.report.exists()
    listed = json.loads(seq2seq("runs", str(folder), "--sort", "chrf", "--json").out)
    assert listed[0]["run"] == "run" and listed[0]["scores"][0]["deviation"] == score.deviation


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    recipe, run = str(folder / "recipe.yaml"), str(folder / "run")
    refused(seq2seq("plan", recipe, "seed=0", "seeds=[1, 2]"), "seed: has no effect beside `seeds`")
    refused(seq2seq("plan", recipe, "seeds=[2, 2]"), "seeds: a seed is named twice")
    refused(seq2seq("plan", recipe, "seeds=[2]"), "seeds")
    for force in ([], ["--force"]):
        refused(seq2seq("run", recipe, *force), "holds the runs of several seeds")
    refused(seq2seq("translate", run), "holds several runs; name one of them", f"{run}/seed-1")
    one = f"output_dir={tmp_path / 'one'}"
    assert seq2seq("prepare", recipe, one).code == 0
    refused(seq2seq("plan", recipe, one, "seeds=[1, 2]"), "does not hold the runs of several seeds")


def test_a_run_that_was_stopped_between_seeds_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after Ctrl-C in the second seed's training."""
    from seq2seq.pipeline.stages.train import Train  # noqa: PLC0415

    recipe, real, trained = write_toy(tmp_path, train=60), Train.run, []

    def stopped(self, context):  # type: ignore[no-untyped-def]
        trained.append(context.recipe.seed)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(self, context)

    monkeypatch.setattr(Train, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        s2s.run(recipe, "seeds=[5, 6]", "training.max_steps=4", device="cpu")
    with pytest.raises(UserError, match="holds the runs of several seeds"):
        s2s.run(recipe, "training.max_steps=4", device="cpu")
    run = s2s.run(recipe, "seeds=[5, 6]", "training.max_steps=4", device="cpu")
    assert trained == [5, 6, 6] and list(run.seeds) == [5, 6] and run.scores["toy"]


def test_p_over_seeds_is_the_largest_where_they_agree() -> None:
    before = SystemResult(50.0, 50.0, 1.0, None)
    better, hardly, worse = (SystemResult(v, v, 1.0, p) for v, p in ((60.0, 0.01), (55.0, 0.04), (40.0, 0.01)))
    assert p_over_pairs([(before, better), (before, hardly)]) == 0.04
    assert p_over_pairs([(before, better), (before, worse)]) == 1.0
    assert p_over_pairs([(before, before)]) is None
    gained = change_over_seeds("set", "ter", [(before, worse), (before, worse)])
    assert gained.verdict == "set: better with every seed, by 10.0 TER (p = 0.010)"
    unsure = change_over_seeds("set", "bleu", [(before, better), (before, worse)])
    assert (unsure.after, unsure.before) == (50.0, 50.0) and "not distinguishable by BLEU" in unsure.verdict
