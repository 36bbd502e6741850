"""Trainings that are whole, or broken off, to be copied."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seq2seq.training import checkpoint
from tests.forked import Forked
from tests.training.interruptions.processes import Command, arguments, copy, die_writing, learning_rates, partials


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Any:
    """More threads would only wait for each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A run folder with its data, to be copied."""
    run = tmp_path_factory.mktemp("prepared") / "run"
    code, said = Forked("prepare", *arguments(run)[1:]).end()
    assert code == 0, said
    return run


@pytest.fixture(scope="session")
def straight(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained by the real command line, without a break."""
    run = copy(prepared, tmp_path_factory.mktemp("straight"))
    code, said = Command(*arguments(run)).end()
    assert code == 0, said
    return run


@pytest.fixture(scope="session")
def killed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed when it was about to save step 90 of 120, to be copied."""
    run = copy(prepared, tmp_path_factory.mktemp("killed"))
    code, said = Forked(*arguments(run), first=partial(die_writing, 45, 1)).end()
    assert code == -signal.SIGKILL, said
    assert checkpoint.steps(run / "checkpoints")[-2:] == [86, 88] and not partials(run)
    assert learning_rates(run)[-1] < learning_rates(run)[0], "a plateau came before the break"
    return run
