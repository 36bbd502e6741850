"""Each topology of docs/topologies learns: held-out scores, well above what needs no memory."""

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[1] / "docs" / "topologies"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are slower on several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scores(script: str) -> dict[str, float]:
    """What the script's `main` returns."""
    measured: dict[str, float] = runpy.run_path(str(FOLDER / script))["main"]()
    return measured


def test_one_to_one() -> None:
    measured = scores("one_to_one.py")  # asserts by itself that it equals a feed-forward network
    assert measured["accuracy"] > 0.85
    assert measured["baseline"] < 0.5


def test_many_to_one() -> None:
    measured = scores("classifier.py")
    assert measured["accuracy"] > 0.85
    assert measured["baseline"] < 0.4


def test_one_to_many() -> None:
    assert scores("generator.py")["exact"] > 0.9


def test_many_to_many_aligned() -> None:
    measured = scores("tagger.py")
    assert measured["bidirectional"] > 0.94
    assert measured["bidirectional"] > measured["forward"] + 0.04
    assert measured["forward"] > measured["baseline"] + 0.2


def test_many_to_many_shifted() -> None:
    measured = scores("language_model.py")
    assert measured["stateful"] < 4
    assert measured["stateful"] < 0.9 * measured["stateless"]
    assert measured["stateless"] < 0.3 * measured["unigram"]


def test_many_to_many_unaligned() -> None:
    measured = scores("translator.py")
    assert measured["exact"] > 0.9
    assert measured["baseline"] < 0.1
