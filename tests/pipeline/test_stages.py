"""The stages are a graph in order, and planning them loads no torch."""

import subprocess
import sys

from seq2seq.pipeline.runner import NAMES, needed
from seq2seq.pipeline.stages import STAGES


def test_each_stage_stands_after_those_that_it_needs() -> None:
    for i, stage in enumerate(STAGES):
        assert set(stage.needs) <= set(NAMES[:i])
    assert len(set(NAMES)) == len(NAMES)


def test_what_a_stage_needs_runs_and_nothing_else() -> None:
    assert [stage.name for stage in needed("report")] == ["prepare", "train", "translate", "evaluate", "report"]
    assert [stage.name for stage in needed("train")] == ["prepare", "train"]


def test_planning_loads_no_torch() -> None:
    code = "import sys, seq2seq.pipeline; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
