"""The commands, as a user sees them."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sacrebleu

from seq2seq import __version__
from seq2seq.cli import app
from tests.command_line import seq2seq
from tests.toy import write_toy

COMMANDS = [
    "init",
    "import",
    "push",
    "run",
    "sweep",
    "prepare",
    "train",
    "translate",
    "export",
    "serve",
    "score",
    "selftest",
    "evaluate",
    "compare",
    "runs",
    "verify",
    "reproduce",
    "report",
    "average",
    "verify-resume",
    "tensorboard",
    "plan",
    "validate",
    "schema",
]


def functions() -> dict[str, Callable[..., None]]:
    """The commands by name."""
    return {c.name or c.callback.__name__: c.callback for c in app.registered_commands if c.callback}


def test_schema_is_json_schema_for_editors() -> None:
    schema = json.loads(seq2seq("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"name", "data", "model", "training"} <= schema["properties"].keys()
    adam = schema["$defs"]["AdamConfig"]
    assert adam["additionalProperties"] is False and adam["properties"]["betas"]["description"]


def test_validate_and_plan(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    assert "a valid recipe (toy, en-de)" in seq2seq("validate", str(recipe)).out
    lines = seq2seq("plan", str(recipe)).out.splitlines()
    assert [line.split()[0] for line in lines] == ["prepare", "train", "translate", "evaluate", "report"]
    assert all("has not run yet" in line for line in lines)
    assert not (tmp_path / "run").exists()


def test_facts_are_json_too(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path, train=60)
    checked = json.loads(seq2seq("validate", str(recipe), "--json").out)
    assert checked["name"] == "toy" and checked["sources"]["data.train"]["pairs"] == 60
    assert (
        checked["sources"]["data.valid"]["warnings"] == [] and not checked["sources"]["data.train"]["dropped"]["empty"]
    )
    run, short = tmp_path / "run", "training.max_epochs=1"
    places = {"folder": str(run), "ran": True}
    assert json.loads(seq2seq("prepare", str(recipe), "--json", short).out) == places
    places["models"] = [str(run / "model")]
    assert json.loads(seq2seq("train", str(recipe), "--json", short).out) == places
    done = json.loads(seq2seq("run", str(recipe), "--json", short).out)
    scores = json.loads((run / "report/scores.json").read_text())
    assert done == places | {"report": str(run / "report/report.html"), "scores": scores}
    assert json.loads(seq2seq("report", str(recipe), "--json", short).out) == done | {"ran": False}
    average = seq2seq("average", str(tmp_path / "run"), "--last", "1", "--output", str(tmp_path / "mean"), "--json")
    assert json.loads(average.out)["model"] == str(tmp_path / "mean")
    found = json.loads(seq2seq("selftest", str(tmp_path / "run"), "--sentences", "3", "--json").out)
    assert found["models"] == ["run"] and not any(one["difference"] for one in found["checks"])


def test_a_run_ends_with_where_to_look_and_how_to_translate(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    first = seq2seq("run", str(recipe))
    assert first.code == 0
    run = tmp_path / "run"
    assert first.out.splitlines()[-2:] == [
        f"report:    {run}/report/report.html",
        f"translate: echo '...' | seq2seq translate {run}",
    ]
    assert "BLEU" in first.out and "nrefs:1" in first.out
    second = seq2seq("run", str(recipe))
    assert "nothing to do" in second.out
    beam = seq2seq("plan", str(recipe), "decoding.beam_size=3").out.splitlines()
    assert beam[0].split() == ["prepare", "up", "to", "date"] and beam[1].split() == ["train", "up", "to", "date"]
    assert beam[2] == "translate  runs: decoding.beam_size 2 -> 3"
    assert seq2seq("run", str(run)).out.startswith("nothing to do")
    wider = seq2seq("evaluate", str(recipe), "decoding.beam_size=10")
    assert wider.code == 0
    assert json.loads((run / "model" / "config.json").read_text())["decoding"]["beam_size"] == 10
    assert f"scores:    {run}/report/scores.json" in wider.out
    assert seq2seq("translate", str(recipe), "decoding.beam_size=10").out.endswith(
        f"translations: {run}/translations\n"
    )
    as_json = seq2seq("evaluate", str(run), "--json", "decoding.beam_size=10")
    assert json.loads(as_json.out) == json.loads((run / "report" / "scores.json").read_text())
    planned = seq2seq("plan", str(recipe), "decoding.beam_size=10").out.splitlines()
    assert planned[1].split() == ["train", "up", "to", "date"]


def test_a_recipe_without_test_sets_says_so(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path, train=20)
    done = seq2seq("run", str(recipe), "data.test={}", "evaluation={}", "training.max_epochs=1")
    assert done.code == 0 and done.out.startswith("no test sets: name some in data.test") and "BLEU" not in done.out
    assert (tmp_path / "run/report/report.html").exists()


def test_a_language_that_no_one_knows_is_noted(tmp_path: Path) -> None:
    (tmp_path / "hyp").write_text("a b\n")
    files = ("--hyp", str(tmp_path / "hyp"), "--ref", str(tmp_path / "hyp"), "--bootstrap", "0")
    noted = seq2seq("evaluate", *files, "--language", "xx")
    assert noted.code == 0 and "--language xx: the CLDR names no such language; BLEU by 13a" in noted.err
    for known in ("de", "zho_Hans", "jpn", "pt_BR"):
        assert seq2seq("evaluate", *files, "--language", known).err == ""


def test_force_trains_from_the_start(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    assert seq2seq("train", str(recipe)).code == 0
    forced = seq2seq("train", str(recipe), "--force")
    assert "epoch 1.00" in forced.err and "resuming from" not in forced.err


def test_evaluate_agrees_with_sacrebleu(tmp_path: Path) -> None:
    hypotheses, references = ["the cat sat on a mat", "a dog ran"], ["the cat sat on the mat", "the dog ran"]
    for name, lines in (("hyp", hypotheses), ("ref", references)):
        (tmp_path / name).write_text("".join(line + "\n" for line in lines))
    files = ("--hyp", str(tmp_path / "hyp"), "--ref", str(tmp_path / "ref"))
    scores = {score["metric"]: score for score in json.loads(seq2seq("evaluate", *files, "--json").out)}
    assert scores["bleu"]["value"] == pytest.approx(sacrebleu.corpus_bleu(hypotheses, [references]).score)
    assert scores["chrf"]["value"] == pytest.approx(sacrebleu.corpus_chrf(hypotheses, [references]).score)
    assert scores["ter"]["value"] == pytest.approx(sacrebleu.corpus_ter(hypotheses, [references]).score)
    whole = seq2seq("evaluate", *files).out
    for score in scores.values():
        assert f"{score['value']:.2f}" in whole and score["signature"] in whole
    (tmp_path / "other").write_text("".join(line + "\n" for line in references))
    both = json.loads(seq2seq("evaluate", "--hyp", str(tmp_path / "other"), *files, "--json").out)
    assert list(both) == [str(tmp_path / "other"), str(tmp_path / "hyp")]
    assert both[str(tmp_path / "hyp")] == list(scores.values()) and both[str(tmp_path / "other")][0]["value"] > 99.99
    table = seq2seq("evaluate", *files, "--metric", "chrf", "--bootstrap", "0").out
    assert "chrF" in table and "BLEU" not in table


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = seq2seq(name, "--help")
    assert result.code == 0 and "Usage" in result.out
    function = functions()[name]
    arguments = {"recipe", "settings", "run", "runs", "folder", "systems", "name", "toolkit", "config"}
    for parameter in inspect.signature(function).parameters.keys() - arguments:
        option = "--json" if parameter == "as_json" else f"--{parameter.replace('_', '-')}"
        assert option in result.out, option


def test_every_command_is_tested() -> None:
    assert functions().keys() == set(COMMANDS)


@pytest.mark.parametrize("name", ["plain", "mit Leerzeichen", "日本", "\U0001f600", "a'b\"c", "1e3"])
def test_a_run_folder_of_any_name_is_a_recipe(name: str, tmp_path: Path) -> None:
    recipe, folder = write_toy(tmp_path, train=20), tmp_path / name
    assert seq2seq("prepare", str(recipe), f"output_dir={json.dumps(str(folder), ensure_ascii=False)}").code == 0
    again = seq2seq("plan", str(folder))
    assert again.code == 0 and again.out.splitlines()[0].split() == ["prepare", "up", "to", "date"], again


def test_the_command_line_starts_without_torch() -> None:
    code = "import sys, seq2seq.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    shown = subprocess.run(
        [sys.executable, "-m", "seq2seq", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(name in shown for name in COMMANDS)


def test_it_says_its_version_and_how_it_is_used() -> None:
    assert seq2seq("--version").out == f"seq2seq {__version__}\n"
    for name in ("-h", "--help"):
        shown = seq2seq("train", name)
        assert shown.code == 0 and "--threads" in shown.out
