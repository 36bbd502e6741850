"""Exported graphs compute what the model does: every cell, attention, stack and bridge, step by step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from seq2seq.data.tokenization import BOS, PAD
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.export.graphs import BLOCK, largest
from seq2seq.nn.cells.base import ACTIVATIONS
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.recipe import ModelConfig
from seq2seq.runtime.folder import graphs
from seq2seq.runtime.scorer import OnnxScorer

pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
VOCAB = 40
LSTM = {"kind": "lstm", "peephole": True, "coupled": True, "layer_norm": True}
GRU_BEFORE = {"kind": "gru", "reset": "before", "layer_norm": True}
CONDITIONAL = {"kind": "transition_gru", "transitions": 2}
MODELS: list[dict[str, Any]] = [
    {"encoder": {"cell": "lstm"}, "decoder": {"cell": "lstm", "input_feeding": True}},
    {
        "encoder": {"cell": LSTM, "direction": "bidirectional_alternating", "layers": 2, "zoneout": 0.1},
        "decoder": {"cell": CONDITIONAL, "attend": "within", "attention": "bahdanau", "readout": "maxout"},
        "bridge": "project_mean",
    },
    {
        "encoder": {"cell": "gru", "weight_dropout": 0.2, "recurrent_dropout": 0.2, "direction": "backward"},
        "decoder": {"cell": "rnn", "attend": "previous", "attention": {"kind": "local_p", "window": 2}},
        "bridge": "project_backward",
    },
    {
        "encoder": {"cell": "minlstm", "layers": 2, "connections": "dense"},
        "decoder": {
            "cell": "mingru",
            "layers": 2,
            "connections": "residual",
            "attend": "first",
            "attention": "location",
        },
        "bridge": "zero",
    },
    {
        "encoder": {"cell": GRU_BEFORE, "layers": 2, "direction": "alternating", "hidden_size": 16},
        "decoder": {"cell": "gru", "layers": 2, "attention": "coverage", "hidden_size": 16},
        "bridge": "copy",
    },
]
MORE: list[dict[str, Any]] = [
    *({"encoder": {"cell": cell}, "decoder": {"cell": cell, "attention": attention}}
      for cell, attention in zip(
          ["rnn", "lstm", LSTM, "gru", GRU_BEFORE, CONDITIONAL, "sru", {"kind": "sru", "peephole": False}, "ssru"],
          ["none", "last_state", "luong_dot", "luong_general", "luong_concat", "scaled_dot", "local_p", "coverage",
           {"kind": "multi_head", "heads": 2}], strict=True)),
    {
        "encoder": {"cell": "sru", "layers": 2, "connections": "highway", "projection": {"size": 12}},
        "decoder": {"cell": "ssru", "attention": {"kind": "multi_head", "heads": 2, "score": "additive"}},
    },
    {"encoder": {"direction": "bidirectional_first", "layers": 3}, "decoder": {"layers": 2, "connections": "dense"}},
    {
        "encoder": {"direction": "forward", "layers": 2, "connections": "residual"},
        "decoder": {"connections": "highway", "layers": 2},
    },
    {"decoder": {"readout": {"kind": "linear", "inputs": ["state", "previous_state", "context", "token"]}}},
    {"decoder": {"attend": "first", "layers": 2, "input_feeding": True, "zoneout": 0.2}},
]  # fmt: skip


@pytest.fixture(autouse=True)
def without_shape_checks() -> Iterator[None]:
    """A check of shapes would fix them in the graph."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def make(config: dict[str, Any]) -> Seq2Seq:
    sizes = {"embedding": {"size": 10}, "encoder": {"hidden_size": 8}, "decoder": {"hidden_size": 16}}
    merged = {key: {**sizes.get(key, {}), **value} if isinstance(value, dict) else value
              for key, value in (sizes | config).items()}  # fmt: skip
    torch.manual_seed(1)
    return Seq2Seq(ModelConfig.model_validate(merged), VOCAB, VOCAB, PAD).eval()


@pytest.mark.parametrize("config", MODELS, ids=str)
def test_graphs_give_the_models_numbers(config: dict[str, Any], tmp_path: Path) -> None:
    compare(make(config), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("config", MORE, ids=str)
def test_more_graphs_give_the_models_numbers(config: dict[str, Any], tmp_path: Path) -> None:
    compare(make(config), tmp_path)


class EveryActivation(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([act(x) for act in ACTIVATIONS.values()])


def test_every_activation_is_exported(tmp_path: Path) -> None:
    import onnxruntime  # noqa: PLC0415 - an extra

    x, path = torch.linspace(-5, 5, 101), tmp_path / "activations.onnx"
    program = torch.export.export(EveryActivation(), (x,))
    exported = torch.onnx.export(program, input_names=["x"], verbose=False)
    assert exported is not None
    exported.save(path)
    (found,) = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})
    for name, ours, theirs in zip(ACTIVATIONS, EveryActivation()(x), found, strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-5, rtol=1e-5, err_msg=name)


class Largest(torch.nn.Module):
    def forward(self, logits: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return largest(logits, count)


@pytest.mark.parametrize("vocab", [40, 33 * BLOCK, 40 * BLOCK + 7])
def test_the_largest_of_many_blocks_are_the_largest(vocab: int, tmp_path: Path) -> None:
    import onnxruntime  # noqa: PLC0415 - an extra

    generator, path, some = torch.Generator().manual_seed(1), tmp_path / "largest.onnx", torch.export.Dim.DYNAMIC
    logits = torch.randn(3, 4, vocab, generator=generator)
    program = torch.export.export(Largest(), (logits, 5), dynamic_shapes=({0: some, 1: some}, some), strict=False)
    exported = torch.onnx.export(program, input_names=["logits", "count"], verbose=False)
    assert exported is not None
    exported.save(path)
    session = onnxruntime.InferenceSession(path)
    for shape, count in ((2, 5), 6), ((1, 1), 1), ((4, 3), vocab // BLOCK + 3), ((2, 2), vocab):
        logits = torch.randn(*shape, vocab, generator=generator)
        best, words = session.run(None, {"logits": logits.numpy(), "count": np.array(count)})
        np.testing.assert_array_equal(best, logits.topk(count, -1).values.numpy())
        np.testing.assert_array_equal(logits.gather(-1, torch.from_numpy(words)).numpy(), best)


def compare(model: Seq2Seq, folder: Path) -> None:
    """Both over three steps, for batches of other sizes than the traced one; the beam widens after the first step."""
    from seq2seq.export.onnx import write_graphs  # noqa: PLC0415 - an extra

    files = graphs(folder, "fp32")
    write_graphs(model, files)
    exported = OnnxScorer(files, VOCAB, threads=1)
    scorer = ModelScorer(model, torch.device("cpu"))
    generator = torch.Generator().manual_seed(2)
    for lengths in ([5, 5, 2], [1], [9, 8, 8, 3, 1]):
        sources = [torch.randint(4, VOCAB, (n,), generator=generator).tolist() for n in lengths]
        states: tuple[Any, Any] = exported.start(sources), scorer.start(sources)
        tokens = np.full((len(lengths), 1), BOS)
        for length in range(3):
            (given, state), (expected, expected_state) = (
                one.step(tokens, before) for one, before in zip((exported, scorer), states, strict=True)
            )
            best, words = given.top(6)
            expected_best, expected_words = expected.top(6)
            np.testing.assert_allclose(best, expected_best, atol=2e-5)
            every = expected.values.numpy() - expected.normalizer.numpy()[..., None]
            np.testing.assert_allclose(np.take_along_axis(every, words, -1), best, atol=2e-5)  # near ties may swap
            np.testing.assert_allclose(given.values - given.normalizer[..., None], every, atol=2e-5)
            kept = None
            if length == 0:  # from one hypothesis to two
                tokens, chosen = expected_words[:, 0, :2], np.arange(len(lengths))[:, None].repeat(2, 1)
            else:  # then without the first sentence
                kept = np.arange(min(1, len(tokens) - 1), len(tokens))
                tokens, chosen = expected_words[kept, :, 0], np.arange(tokens.size).reshape(tokens.shape)[kept]
            states = state.select(chosen, kept), expected_state.select(chosen, kept)
