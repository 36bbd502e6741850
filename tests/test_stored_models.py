"""Models of earlier versions load, and translate as they did: they are stored here for ever."""

from pathlib import Path

import pytest
import torch

from seq2seq.bundle import load_bundle
from seq2seq.decoding.translator import Translator

STORED = Path(__file__).parent / "stored_models"
MODELS = sorted(path for path in STORED.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_it_translates_as_it_did(folder: Path) -> None:
    translator = Translator(load_bundle(folder, torch.device("cpu")))
    lines = (STORED / "source.en").read_text(encoding="utf-8").split("\n")[:-1]
    found = [translation.text for translation in translator.translate(lines)]
    assert found == (folder / "translated.de").read_text(encoding="utf-8").split("\n")[:-1]


def test_they_are_there() -> None:
    assert {folder.name for folder in MODELS} >= {"format-2-first", "format-2-byte-fallback"}
