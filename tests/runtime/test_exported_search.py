"""Every option of the search does with exported models what it does with runs; what does not fit them is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Result, refused, seq2seq
from tests.decoding.test_fusion import LANGUAGE_MODEL
from tests.toy import write_toy

pytest.importorskip("onnx", reason="needs the extra [onnx]")
SOURCE = "one two three\n\nfour {name} six 7 eight\n<b>nine</b> two\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator `run` and a language model `lm`, and what is exported of each: `xrun`, `xlm`."""
    folder = tmp_path_factory.mktemp("search")
    recipe = str(write_toy(folder, train=200))
    for name, settings in (("run", []), ("lm", LANGUAGE_MODEL)):
        more = f"output_dir={folder}/{name}", "training.max_epochs=2", "--device", "cpu"
        assert seq2seq("train", recipe, *settings, *more).code == 0
        command = [sys.executable, "-m", "seq2seq", "export", f"{folder}/{name}", f"{folder}/x{name}"]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    (folder / "in").write_text(SOURCE)
    (folder / "in.tsv").write_text("one two\tacht neun\nthree\nfour\tnull\tzwei\n")
    (folder / "terms.tsv").write_text("one\tneun acht\ntwo\tnull\n")
    return folder


def translate(folder: Path, run: str, *options: str) -> Result:
    given = [option.replace("FOLDER", str(folder)) for option in options]
    given += [] if "--input" in given else ["--input", f"{folder}/in"]
    if run == "xrun":
        given = [
            option.replace(f"{folder}/lm", f"{folder}/xlm").replace(f"{folder}/run", f"{folder}/xrun")
            for option in given
        ]
    done = seq2seq("translate", f"{folder}/{run}", *given, "--output", f"{folder}/out", "--force")
    return Result(done.code, (folder / "out").read_text() if done.code == 0 else "", done.err)


def near(ours: Any, theirs: Any) -> bool:
    """The same, but for rounding."""
    if isinstance(ours, float):
        return bool(ours == pytest.approx(theirs, abs=3e-3))
    if isinstance(ours, dict):
        return [*ours] == [*theirs] and all(near(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(near, ours, theirs))
    return bool(ours == theirs)


@pytest.mark.parametrize(
    "options",
    [
        ["--alignment"],
        ["--ensemble", "FOLDER/run", "--alignment", "--weight", "2", "--weight", "1"],
        ["--keep", "placeholders", "--keep", "numbers", "--keep", "tags", "--alignment"],
        ["--input", "FOLDER/in.tsv", "--input-format", "tsv", "--beam-size", "6"],
        ["--glossary", "FOLDER/terms.tsv", "--beam-size", "6"],
        ["--language-model", "FOLDER/lm=0.5"],
        ["--language-model", "FOLDER/lm=0.5", "decoding.coverage_penalty=0.1", "decoding.require=[zwei]"],
        ["decoding.diversity={groups: 2}", "--beam-size", "4"],
        ["decoding.exclude=[zwei]", "decoding.no_repeat_ngram_size=2", "decoding.repetition_penalty=1.5"],
        ["decoding.mbr={candidates: 3}", "--beam-size", "3"],
        ["--beam-size", "1", "decoding.sampling={top_p: 0.5}"],
    ],
    ids=lambda options: " ".join(options[:4]),
)
def test_exported_models_search_as_runs_do(folder: Path, options: list[str]) -> None:
    ours, theirs = (translate(folder, run, *options, "--format", "jsonl") for run in ("xrun", "run"))
    assert ours.code == theirs.code == 0, ours.err + theirs.err
    records = [[json.loads(line) for line in found.out.splitlines()] for found in (ours, theirs)]
    assert near(*records), records
    if "--alignment" in options:
        assert records[0][0]["alignment"] and any(any(row) for row in records[0][0]["attention"])


def test_runs_that_score_too(folder: Path) -> None:
    found = []
    for run in ("xrun", "run"):
        done = translate(folder, run, "--rescore", "FOLDER/lm=0.5", "--format", "jsonl", "--beam-size", "4")
        records = [json.loads(line) for line in done.out.splitlines()]
        found.append([[list(one.get("scores", {}).values()) for one in record["n_best"]] for record in records])
    assert near(*found) and len(found[0][0][0]) == 2


def test_alignments_in_pharaohs_form_of_an_ensemble_are_those_of_its_member(folder: Path) -> None:
    alone = translate(folder, "run", "--format", "pharaoh").out
    assert len(alone.splitlines()) == 4 and "-0" in alone and alone.splitlines()[1] == ""
    for run in ("run", "xrun"):
        assert translate(folder, run, "--format", "pharaoh", "--ensemble", "FOLDER/run").out == alone


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--language-model", "LM"], ": not exported, as the model is that it is to go with; write it to a folder"),
        (["--rescore", "LM"], ": not exported, as the model is that it is to go with; write it to a folder"),
        (["--ensemble", "LM"], "--ensemble: name runs alone, or exported folders alone"),
        (["--device", "cuda"], "exported models run on the CPU"),
        (["decoding.beams=2"], "decoding.beams: unknown key; did you mean `beam_size`?"),
        (["training.max_epochs=2"], "of a trained model only keys of decoding can be set"),
        (["decoding.require=[xyz]"], "required phrase 'xyz': the model's vocabulary has no token for 'xyz'"),
        (["--glossary", "nowhere"], "decoding.glossary: nowhere: no such file"),
    ],
)
def test_what_fits_no_exported_model_is_refused_in_one_line(folder: Path, options: list[str], said: str) -> None:
    given = [option.replace("LM", f"{folder}/lm") for option in options]
    done = seq2seq("translate", f"{folder}/xrun", *given, "--input", f"{folder}/in")
    refused(done, said)
    assert done.err.count("\n") == 1


def test_a_language_model_is_no_translator(folder: Path) -> None:
    refused(
        seq2seq("translate", f"{folder}/xlm", "--input", f"{folder}/in"), "a language model, which translates nothing"
    )


def test_folders_of_earlier_versions_lack_the_newer_keys(folder: Path, tmp_path: Path) -> None:
    old = shutil.copytree(folder / "xrun", tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    del config["task"]
    for key in ("require", "glossary", "keep", "language_model", "rescore", "split", "coverage_penalty", "diversity"):
        del config["decoding"][key]
    (old / "config.json").write_text(json.dumps(config))
    out = "--input", f"{folder}/in", "--output", f"{tmp_path}/out"
    assert seq2seq("translate", str(old), *out).code == 0
    assert (tmp_path / "out").read_text() == translate(folder, "run").out
    assert seq2seq("translate", str(old), *out, "--force", "--keep", "tags").code == 0
