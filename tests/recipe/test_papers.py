"""The papers' recipes are valid, with the training that this project found for little data and with the papers' own."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.recipe.file import load_recipe
from seq2seq.training.gradients import gradient_norms, starved

PAPERS = sorted((Path(__file__).parents[2] / "recipes" / "papers").glob("*.yaml"))


def papers_training(path: Path) -> list[str]:
    """The settings that the recipe's header names."""
    header = re.search(
        r"# The paper's training, as settings for the command line:\n((?:#   .*\n)+)", path.read_text(encoding="utf-8")
    )
    assert header is not None
    return shlex.split(header[1].replace("#   ", ""))


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_each_is_valid_with_either_training(path: Path) -> None:
    small, own = load_recipe(path, []), load_recipe(path, papers_training(path))
    assert small.training.optimizer != own.training.optimizer
    assert small.name == path.stem


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_no_layer_starves_of_gradient_at_first(path: Path) -> None:
    torch.manual_seed(1)
    model = Seq2Seq(load_recipe(path, []).model, 200, 200, 0)
    src, tgt = torch.randint(4, 200, (8, 10)), torch.randint(4, 200, (8, 10))
    logits = model.logits(model(src, torch.full((8,), 10), tgt).states)
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), tgt.flatten()).backward()
    norms = gradient_norms(model)
    assert norms and starved(norms) == {}
