"""The written-out loop of input feeding against stepping through autograd."""

import pytest
import torch
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.seq2seq import Seq2Seq

SRC, LENGTHS = torch.tensor([[5, 6, 7, 8, 4], [9, 5, 6, 0, 0], [4, 4, 0, 0, 0]]), torch.tensor([5, 3, 2])
TGT = torch.tensor([[1, 5, 6, 7], [1, 4, 9, 0], [1, 8, 0, 0]])


def model(dropout: float = 0.0, **decoder: object) -> Seq2Seq:
    torch.manual_seed(0)
    config = {
        "embedding": {"size": 6},
        "encoder": {"hidden_size": 4},
        "decoder": {"cell": "lstm", "hidden_size": 8, "input_feeding": True, "dropout": dropout, **decoder},
    }
    return Seq2Seq(recipe.ModelConfig.model_validate(config), 11, 11, 0).double()


def run(made: Seq2Seq, loops: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """The states, and the gradients of a random function of them."""
    assert made.decoder.loops
    made.decoder.loops = loops
    made.output_dropout.p = 0.0
    torch.manual_seed(1)
    made.zero_grad()
    states = made(SRC, LENGTHS, TGT).states
    factor = torch.randn(states.shape, generator=torch.Generator().manual_seed(2), dtype=states.dtype)
    (states * factor).sum().backward()
    made.decoder.loops = True
    return states, {name: weight.grad.clone() for name, weight in made.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("attention", ["luong_general", "luong_dot", "scaled_dot"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dropout": 0.4},
        {"dropout": 0.4, "input_dropout": 0.0},
        {"input_dropout": 0.4},
        {"weight_dropout": 0.3},
        {"cell": {"kind": "lstm", "use_bias": False}},
    ],
)
def test_it_equals_the_steps_forward_and_backward(attention: str, settings: dict[str, object]) -> None:
    made = model(attention=attention, **settings).train()  # type: ignore[arg-type]
    (states, gradients), (stepped, others) = run(made, True), run(made, False)
    torch.testing.assert_close(states, stepped)
    assert gradients.keys() == others.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], msg=lambda text, name=name: f"{name}: {text}")


def test_whoever_asks_for_the_attention_gets_it() -> None:
    made = model(attention="luong_general").eval()
    embedded, memory = torch.randn(3, 4, 6, dtype=torch.double), made.encode(SRC, LENGTHS)
    states, nothing = made.decoder(embedded, memory)
    same, attention = made.decoder(embedded, memory, with_attention=True)
    torch.testing.assert_close(same, states)
    assert nothing is None
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 4, dtype=torch.double))


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 2},
        {"cell": "gru"},
        {"cell": {"kind": "lstm", "peephole": True}},
        {"cell": {"kind": "lstm", "activity_regularizer": {"l2": 1.0}}},
        {"zoneout": 0.1},
        {"recurrent_dropout": 0.1},
        {"readout": "maxout"},
        {"readout": "linear"},
        {"readout": {"kind": "tanh", "inputs": ["state", "context", "token"]}},
        {"connections": "dense"},
        {"attention": "bahdanau"},
        {"attention": "local_p"},
        {"input_feeding": False},
    ],
)
def test_other_decoders_step(settings: dict[str, object]) -> None:
    assert not model(**settings).decoder.loops  # type: ignore[arg-type]


def test_bf16_is_near_fp32() -> None:
    made = model().float().train()
    exact, _ = run(made, True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states, gradients = run(made, True)
        _, others = run(made, False)
    torch.testing.assert_close(states.float(), exact, atol=0.02, rtol=0.02)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], atol=0.05, rtol=0.1)
