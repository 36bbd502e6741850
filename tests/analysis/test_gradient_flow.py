"""Gradients through time equal what autograd and theory say; the recall task is what it claims to be."""

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F

from seq2seq.analysis import gradient_flow, recall
from seq2seq.analysis.gradient_flow import Settings, gradient_norms, scale_recurrence
from seq2seq.analysis.plots import cell_label
from seq2seq.recipe.file import read_cell
from tests.command_line import seq2seq

SMALL = Settings(hidden_size=8, length=12)


def model(cell: str, hidden_size: int = 8) -> recall.RecallModel:
    torch.manual_seed(1)
    return recall.RecallModel(read_cell(cell, "test"), hidden_size).double()


@pytest.mark.parametrize("radius", [0.7, 1.0, 1.3])
def test_a_linear_rotation_multiplies_the_gradient_by_its_radius(radius: float) -> None:
    made = model("{kind: rnn, activation: identity, recurrent_initializer: orthogonal}")
    scale_recurrence(made.layer.cell, radius)
    norms, _ = gradient_norms(made, 12, seed=1)
    for k, norm in enumerate(norms):
        assert norm == pytest.approx(norms[0] * radius**k, rel=1e-6)
    assert -1 / gradient_flow.half_life(norms) == pytest.approx(math.log2(radius), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "minlstm", "sru"])
def test_norms_equal_those_of_a_sequence_cut_at_t(cell: str) -> None:
    """The other way: run up to t, make the state a leaf, run on from it on the fused kernel."""
    made, length, back = model(cell), 12, 5
    whole, h_alone = gradient_norms(made, length, seed=3, count=4)
    generator = torch.Generator().manual_seed(3 + 7)
    words, _ = recall.sentences(4, length, generator)
    targets = torch.randint(10, (4,), generator=generator)
    x = made.embedding(words)
    _, state = made.layer(x[:-back])
    leaf = tuple(part.detach().requires_grad_() for part in state)
    outputs, _ = made.layer(x[-back:], leaf)
    loss = F.cross_entropy(made.choice(outputs[-1]), targets, reduction="sum")
    gradients = torch.autograd.grad(loss, leaf, allow_unused=True, materialize_grads=True)
    assert whole[back] == pytest.approx(torch.cat(gradients, -1).norm(dim=-1).mean().item(), rel=1e-9)
    assert h_alone[back] == pytest.approx(gradients[0].norm(dim=-1).mean().item(), rel=1e-9)


def test_the_simple_rnn_forgets_what_the_lstm_keeps() -> None:
    """With torch's first weights: vanishing, slower vanishing, and explosion with a large radius (the lecture)."""
    settings = Settings(length=40)
    rnn, lstm, gru = (
        gradient_norms(
            model(f"{{kind: {kind}, kernel_initializer: uniform, recurrent_initializer: uniform}}", 64), 40, 1
        )[0]
        for kind in ("rnn", "lstm", "gru")
    )
    assert rnn[40] / rnn[0] < 1e-6
    assert lstm[40] / lstm[0] > 1e3 * rnn[40] / rnn[0]
    assert gru[40] / gru[0] > 10 * rnn[40] / rnn[0]
    exploding = gradient_flow.spectral_radius(1.5, settings)
    assert exploding[40] > 1e6 * exploding[0]


def test_sentences_hold_the_noun_once_and_far_enough_back() -> None:
    words, nouns = recall.sentences(20, 9, torch.Generator().manual_seed(1))
    for column, noun in zip(words.T.tolist(), nouns.tolist(), strict=True):
        text = [recall.WORDS[i] for i in column]
        assert text[:6] == recall.OPENING and text[-4:] == recall.CLOSING
        assert text[6] == recall.NOUNS[noun]
        assert len(text) - 7 == 9
        assert not set(text[7:]) & set(recall.NOUNS)


def test_a_gru_learns_to_recall_and_an_untrained_one_guesses() -> None:
    torch.manual_seed(1)
    made = recall.RecallModel(read_cell("gru", "test"), 32)
    assert recall.accuracy(made, 6, seed=1) < 0.3
    course = recall.train(made, longest=6, steps=150, seed=1, rate=0.005)
    assert recall.accuracy(made, 6, seed=1) > 0.9
    assert len(course.losses) == len(course.gradient_norms) == 150
    assert course.losses[-1] < 0.5 < course.losses[0]


def test_clipping_tames_an_exploding_network() -> None:
    settings = Settings(hidden_size=32, steps=120)
    wild, clipped = (gradient_flow.clipping(norm, settings) for norm in (None, 1.0))
    assert max(wild.gradient_norms) > 100
    assert wild.failed and len(wild.losses) < 120 and not clipped.failed
    assert sum(clipped.losses[-20:]) < sum(clipped.losses[:20])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("gru", "gru"),
        ("{kind: rnn, activation: relu, recurrent_initializer: identity}", "rnn (relu, identity)"),
        ("{kind: lstm, use_bias: false}", "lstm (use_bias False)"),
    ],
)
def test_cells_are_named_as_people_write_them(text: str, label: str) -> None:
    assert cell_label(text) == label


def test_the_command_writes_json_and_a_plot_the_same_each_time(tmp_path: Path) -> None:
    cells = ("--cell", "gru", "--cell", "{kind: gru, reset: before}")
    sizes = ("--steps", "2", "--hidden-size", "4", "--output")
    for folder in ("a", "b"):
        done = seq2seq("analyze", "gradients", *cells, *sizes, str(tmp_path / folder))
        assert done.code == 0, done.err
    study = json.loads((tmp_path / "a" / "gradients.json").read_text())
    assert [one["cell"] for one in study["cells"]] == ["gru", "{kind: gru, reset: before}"]
    assert all(len(one["at_first"]) == len(one["trained"]) == 65 for one in study["cells"])
    assert ElementTree.parse(tmp_path / "a" / "gradients.svg").getroot().tag.endswith("svg")
    again = json.loads((tmp_path / "b" / "gradients.json").read_text())
    for one in study["cells"] + again["cells"]:
        del one["seconds"]
    assert study == again


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("gruu", "not 'gruu'; did you mean `gru`?"),
        ("{kind: gru, reset: befor}", "cell.reset: must be one of before, after, not 'befor'; did you mean `before`?"),
        ("{kind: lstm", "not valid YAML"),
        ("3", "cell: must be a section with a `kind`, not 3"),
    ],
)
def test_bad_cells_are_told_as_in_a_recipe(cell: str, message: str) -> None:
    done = seq2seq("analyze", "gradients", "--cell", cell)
    assert done.code == 2 and done.err.startswith(f"error: --cell {cell}: ") and message in done.err, done.err


def test_how_a_gradient_falls_is_said_in_words() -> None:
    norms = {"halves in 2.0 steps": [0.5 ** (k / 2) for k in range(9)], "vanishes at once": [1e-40] * 9}
    for words, at_first in {**norms, "does not fall": [1.0] * 9}.items():
        one = gradient_flow.CellStudy("gru", at_first, [], [2.0**k for k in range(9)], {4: 1.0}, 0.0)
        assert f"gru: the gradient {words} before training, does not fall after it;" in gradient_flow.summary(one)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = seq2seq("analyze", "gradients", "--output", f"{tmp_path}/file/x")
    assert done.code == 2 and "--output" in done.err and "name a folder" in done.err
