"""The stage `export` of a recipe."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.runtime import Translator, load_exported
from tests.command_line import seq2seq
from tests.toy import write_toy

pytest.importorskip("onnxscript", reason="needs the extra [onnx]")


def test_a_recipe_exports_and_again_only_where_something_changed(tmp_path: Path) -> None:
    recipe = str(write_toy(tmp_path))
    settings = ["export={formats: [onnx-int8]}", "training.max_epochs=1", "--device", "cpu"]
    done = subprocess.run(  # a process of its own: a check of shapes would fix them in the graphs
        [sys.executable, "-m", "seq2seq", "run", recipe, *settings], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and f"exported:  {tmp_path / 'run/export'}" in done.stdout, done.stderr
    assert not list((tmp_path / "run/export").glob("step.onnx"))
    assert Translator(load_exported(tmp_path / "run/export")).translate(["one two"])[0].text
    assert "export" in json.loads((tmp_path / "run/manifest.json").read_text())["stages"]
    assert seq2seq("plan", recipe, *settings[:2]).out.splitlines()[-1] == "export     up to date"
    assert json.loads(seq2seq("run", recipe, *settings, "--json").out)["exported"] == [str(tmp_path / "run/export")]
    changed = seq2seq("plan", recipe, *settings[:2], "decoding.beam_size=3").out.splitlines()
    assert "up to date" in changed[1] and "decoding.beam_size 2 -> 3" in changed[-1]
    assert not any(line.startswith("export") for line in seq2seq("plan", recipe, settings[1]).out.splitlines())
