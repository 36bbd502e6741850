"""The notebook's cells run, with less data: it is cut off, goes on, and shows its report."""

import _thread
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from seq2seq.training.trainer import Trainer

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"
SMALLER = {
    '"pairs": 40_000': '"pairs": 3000',
    '"pairs": 500': '"pairs": 30',
    '"vocab_size": 2000': '"vocab_size": 600',
    '"hidden_size": 256': '"hidden_size": 32',
    '"hidden_size": 128': '"hidden_size": 16',
    '"size": 128': '"size": 16',
    '"max_epochs": 2': '"max_epochs": 60, "max_steps": 40',
}


class Never:
    """A timer that does not go off: the interruption comes at a known step."""

    def __init__(self, *_: Any) -> None: ...
    def start(self) -> None: ...
    def cancel(self) -> None: ...


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is displayed, where there may be no IPython."""
    found: list[Any] = []
    display = ModuleType("IPython.display")
    display.display = found.append  # type: ignore[attr-defined]
    display.HTML = str  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return found


def test_all_cells_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shown: list[Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells[0] == "%pip install -q seq2seq"
    source = "\n#\n".join(cells[1:])
    for whole, less in SMALLER.items():
        assert whole in source
        source = source.replace(whole, less)
    monkeypatch.setattr("threading.Timer", Never)
    own, steps = Trainer.train_step, list[int]()

    def interrupted(self: Trainer, batches: Any) -> Any:
        steps.append(self.state.step)
        if len(steps) == 25:
            _thread.interrupt_main()
        return own(self, batches)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    names: dict[str, Any] = {}
    exec(source, names)
    assert "cut off\n" in capsys.readouterr().out
    assert steps == list(range(40))
    assert names["run"].scores["cldr"]["bleu"].value >= 0
    page, translation, attention = shown
    assert "<iframe" in page and "&quot;" in page
    assert "Monday" in translation._repr_html_() and "<" in attention._repr_html_()
