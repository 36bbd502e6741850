"""Every mistake in a command ends with exit code 2 and one message that says where, what, and the fix."""

import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.pipeline import Runner
from seq2seq.recipe.file import load_recipe
from tests.command_line import Result, refused, seq2seq


def test_folders_that_are_not_ours(recipe: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    refused(seq2seq("plan", str(recipe), f"output_dir={file}"), "is a file; name a folder")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    refused(seq2seq("run", str(recipe), f"output_dir={foreign}"), "is not a run folder", "--force")
    assert (foreign / "thesis.tex").read_text() == "mine"


@pytest.fixture(scope="module")
def run(recipe: Path) -> Path:
    """A whole run of the good recipe."""
    Runner(load_recipe(recipe)).run()
    return recipe.parent / "run"


def test_runs_of_others_and_damaged_ones(recipe: Path, run: Path, tmp_path: Path) -> None:
    refused(seq2seq("run", str(recipe), "name=other", f"output_dir={run}"), "belongs to the recipe 'toy'", "--force")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    refused(seq2seq("run", str(recipe), f"output_dir={broken}"), "manifest.json: damaged", "--force")


def test_bad_translate_commands(run: Path, tmp_path: Path) -> None:
    refused(seq2seq("translate", str(tmp_path / "none")), "no such run folder")
    refused(seq2seq("translate", str(tmp_path)), "has no trained model yet")
    refused(seq2seq("translate", str(run), "--format", "xml"), "--format xml: must be text, jsonl or pharaoh")
    refused(seq2seq("translate", str(run), "--n-best", "2"), "--format jsonl")
    refused(
        seq2seq("translate", str(run), "--format", "jsonl", "--n-best", "9"), "the beam holds 2", "decoding.beam_size=9"
    )
    refused(seq2seq("translate", str(run), "training.seed=3"), "only keys of decoding", "decoding.beam_size=10")
    refused(seq2seq("translate", str(run), "decoding.beam=3"), "did you mean `beam_size`?")
    refused(seq2seq("translate", str(run), "decoding.beam_size=0"), "decoding.beam_size")
    refused(seq2seq("translate", str(run), "decoding"), "only keys of decoding")
    refused(seq2seq("translate", str(run), "--input", str(run / "none")), "--input", "No such file")
    refused(seq2seq("translate", str(run), "--input", str(run)), "--input", "Is a directory")
    refused(seq2seq("translate", str(run), "--output", str(run / "model" / "config.json")), "exists", "--force")
    refused(seq2seq("translate", str(run), "--output", str(run / "none" / "out")), "--output", "No such file")
    refused(seq2seq("translate", str(run), "--force"), "--force has no effect")
    refused(seq2seq("translate", str(run), "--device", "abacus"), "--device abacus: must be auto, cpu, cuda")
    assert seq2seq("translate", str(run), "--beam-size", "none").code == 2


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["cut", "missing", "other"])
def test_damaged_models(run: Path, tmp_path: Path, name: str, damage: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in (run / "model").iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    if damage == "missing":
        (model / name).unlink()
    else:
        content = (model / name).read_bytes()
        (model / name).write_bytes(content[: len(content) // 2] if damage == "cut" else b"{}")
    refused(seq2seq("translate", str(model)), str(model))


def test_options_without_effect_on_a_recipe(recipe: Path, run: Path) -> None:
    for command, option in [
        ("translate", ["--format", "jsonl"]),
        ("translate", ["--n-best", "3"]),
        ("translate", ["--beam-size", "3"]),
        ("translate", ["--input", "x"]),
        ("translate", ["--batch-size", "3"]),
        ("evaluate", ["--metric", "bleu"]),
        ("evaluate", ["--bootstrap", "5"]),
        ("evaluate", ["--language", "ja"]),
    ]:
        refused(seq2seq(command, str(recipe), *option), f"{option[0]} has no effect on a recipe")


def test_bad_evaluate_commands(recipe: Path, tmp_path: Path) -> None:
    for name, text in (("two", "a\nb\n"), ("three", "a\nb\nc\n"), ("empty", "")):
        (tmp_path / name).write_text(text)
    two, three, empty = (str(tmp_path / name) for name in ("two", "three", "empty"))
    refused(seq2seq("evaluate"), "both --hyp FILE and --ref FILE")
    refused(seq2seq("evaluate", "--hyp", two), "both --hyp FILE and --ref FILE")
    refused(seq2seq("evaluate", str(recipe), "--hyp", two, "--ref", two), "not both")
    refused(seq2seq("evaluate", "--hyp", two, "--hyp", two, "--ref", two), "given twice")
    refused(seq2seq("evaluate", "--hyp", two, "--ref", three), "2 hypotheses", "3 references")
    refused(seq2seq("evaluate", "--hyp", empty, "--ref", empty), "nothing to score")
    missing = seq2seq("evaluate", "--hyp", two, "--ref", str(tmp_path / "none"))
    refused(missing, "none: no such file")
    assert "recipe" not in missing.err
    refused(seq2seq("evaluate", "--hyp", two, "--ref", two, "--metric", "wer"), "no metric 'wer'")
    refused(seq2seq("evaluate", "--hyp", two, "--ref", two, "--language", "german"), "--language german: must be")


BAD = """\
name: x
data:
  src: en
  tgt: de
  train: {builtin: cldr}
  valid: {builtin: cldr}
sed: 3
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "none.yaml"], "none.yaml: no such recipe; see recipes/"),
        (["validate", "bad.yaml"], "bad.yaml:7: sed: unknown key; did you mean `seed`?"),
        (["evaluate", "--hyp", "latin", "--ref", "latin"], "latin:1: not UTF-8"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_exit_code_of_a_real_process(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "latin").write_bytes(b"\xe4\n")
    command = [sys.executable, "-m", "seq2seq", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    refused(Result(process.returncode, process.stdout, process.stderr), words)


def test_misuse_of_options_ends_with_exit_code_2_too() -> None:
    """typer's own messages: a usage line and a box."""
    for arguments in (["run"], ["transalte"], ["validate", "--foo"], ["translate", "x", "--n-best", "0"]):
        result = seq2seq(*arguments)
        assert result.code == 2 and result.out == "" and "Traceback" not in result.err, result


@pytest.mark.parametrize(
    "content",
    ["[]", '{"name": "toy"}', *(f'{{"name": "toy", "stages": {s}}}' for s in ("[]", '{"prepare": {}}', '{"x": 3}'))],
)
def test_manifests_of_another_shape(recipe: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    refused(seq2seq("plan", str(recipe), f"output_dir={tmp_path}"), "manifest.json: damaged", "--force")


def test_a_run_folder_that_cannot_be_made(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    result = seq2seq("prepare", str(recipe), f"output_dir={tmp_path}/file/run")
    refused(result, "output_dir: ", "file/run: Not a directory; name a folder")


@pytest.mark.parametrize("content", ["[]", "null", '"x"'])
def test_a_config_that_is_no_object(run: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    refused(seq2seq("translate", str(tmp_path)), "damaged: config.json holds no object")
