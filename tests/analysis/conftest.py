"""A run that has hardly been trained, which is enough to look inside."""

from pathlib import Path

import pytest

from seq2seq.pipeline import Runner
from tests.toy import toy_recipe

SETTINGS = (
    "training.max_steps=3",
    "model.encoder.direction=bidirectional",
    "model.encoder.cell=lstm",
    "model.encoder.hidden_size=8",
    "model.decoder.attention={kind: multi_head, heads: 2}",
)


@pytest.fixture(scope="session")
def new_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a bidirectional LSTM, a GRU and two heads."""
    folder = tmp_path_factory.mktemp("inside")
    Runner(toy_recipe(folder, *SETTINGS, train=60)).run("train")
    return folder / "run"
