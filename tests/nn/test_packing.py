"""Packed weights give the numbers that oneDNN's own products give, to the bit and for any number of rows; whatever the
model, all that its decoder and output layer multiply by is packed, and the model itself is left as it was."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from seq2seq.data.tokenization import PAD
from seq2seq.device import set_up
from seq2seq.nn.packing import PackedWeight, packed
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.recipe import ModelConfig

VOCAB = 50
MODELS: list[dict[str, Any]] = [
    {"decoder": {"cell": "lstm", "input_feeding": True}},
    {"decoder": {"cell": {"kind": "gru", "reset": "before"}, "attention": "bahdanau", "weight_dropout": 0.2}},
    {"decoder": {"cell": "transition_gru", "attend": "within", "attention": {"kind": "multi_head", "heads": 2}}},
    {"decoder": {"cell": "ssru", "layers": 2, "connections": "highway", "attention": "coverage"}},
]


@pytest.fixture(autouse=True)
def onednn() -> None:
    """Unpacked products by oneDNN too, as every command has them."""
    set_up("cpu")


def make(config: dict[str, Any]) -> Seq2Seq:
    sizes = {"embedding": {"size": 10}, "encoder": {"hidden_size": 8}, "decoder": {"hidden_size": 16}}
    torch.manual_seed(1)
    merged = {key: value | config.get(key, {}) for key, value in sizes.items()}
    return Seq2Seq(ModelConfig.model_validate(merged), VOCAB, VOCAB, PAD).eval()


@torch.no_grad()
@pytest.mark.parametrize("config", MODELS, ids=str)
def test_steps_are_the_models_own_and_it_stays_as_it_was(config: dict[str, Any]) -> None:
    model = make(config)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    fast = packed(model)
    memory = model.encode(torch.tensor([[5, 6, 2], [7, 2, 0]]), torch.tensor([3, 2]))
    states = [one.start(memory).select(torch.tensor([[0] * 3, [1] * 3])) for one in (model, fast)]
    for tokens in torch.randint(4, VOCAB, (3, 2, 3)):
        (logits, states[0]), (fast_logits, states[1]) = (
            one.step(tokens, state, memory) for one, state in zip((model, fast), states, strict=True)
        )
        torch.testing.assert_close(fast_logits, logits, rtol=0, atol=1e-5)
    assert isinstance(fast.output.weight, PackedWeight) and isinstance(model.output.weight, torch.nn.Parameter)
    left = [name for name, weight in fast.decoder.named_parameters() if weight.dim() == 2 and "score" not in name]
    assert not left  # (heads' scores are no `F.linear`)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_a_rows_product_does_not_depend_on_how_many_there_are() -> None:
    generator = torch.Generator().manual_seed(1)
    for shape in ((8000, 256), (2048, 512), (37, 19)):
        weight, x = (torch.randn(size, generator=generator) for size in (shape, (200, shape[1])))
        product = PackedWeight(weight)
        whole = F.linear(x, product)  # type: ignore[arg-type]
        torch.testing.assert_close(whole, (x.double() @ weight.double().T).float(), rtol=0, atol=1e-3)
        for rows in (1, 2, 5, 7, 16, 33, 160):
            assert torch.equal(F.linear(x[:rows], product), whole[:rows])  # type: ignore[arg-type]


def test_what_cannot_be_packed_is_the_model_itself() -> None:
    model = make({}).double()
    assert packed(model) is model
