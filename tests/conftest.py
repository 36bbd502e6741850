"""What all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.browsing import browser  # noqa: F401 - a fixture
from tests.toy import write_toy

if os.environ.get("CHECKED_SHAPES"):  # shapes in signatures hold at run time: a test of its own, since it takes long
    install_import_hook(["seq2seq.nn", "seq2seq.decoding", "seq2seq.training.loss"], "beartype.beartype")

settings.register_profile("unhurried", deadline=None)  # machines are noisy
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `slow` look closer at what others look at too: minutes, for those who ask for them."""
    for item in items:
        if item.get_closest_marker("slow") and "EVERY_TEST" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="slow: set EVERY_TEST=1"))


@pytest.fixture(scope="session")
def multi30k() -> Path:
    """The folder of the real text, where there is one."""
    folder = Path(os.environ.get("MULTI30K", Path(__file__).parents[2] / "shared/data/multi30k"))
    if not (folder / "train.en").exists():
        pytest.skip(f"no Multi30k in {folder}: set MULTI30K to the folder that holds train.en, train.de")
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good recipe with its data."""
    return write_toy(tmp_path_factory.mktemp("good"), train=50)
