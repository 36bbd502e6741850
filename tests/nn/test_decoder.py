"""The decoder's parts by their equations, and every combination of its options at work."""

import itertools

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.cells import TransitionGruCell
from seq2seq.nn.decoder import Readout
from seq2seq.nn.seq2seq import Seq2Seq
from tests.nn.test_seq2seq import ATTENTIONS

SRC, LENGTHS = torch.tensor([[5, 6, 7, 8, 4], [9, 5, 6, 0, 0]]), torch.tensor([5, 3])
TGT = torch.tensor([[1, 5, 6, 7], [1, 4, 9, 0]])


def model(**decoder: object) -> Seq2Seq:
    torch.manual_seed(0)
    config = {
        "embedding": {"size": 8, "tie": "none"},
        "encoder": {"hidden_size": 4},
        "decoder": {"hidden_size": 8, **decoder},
    }
    return Seq2Seq(recipe.ModelConfig.model_validate(config), 11, 11, 0).double()


@pytest.mark.parametrize(("attend", "layers"), [("top", 1), ("top", 2), ("first", 2), ("within", 2), ("previous", 1)])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_valid_combination_trains_and_decodes(attention: str, attend: str, layers: int) -> None:
    worked = 0
    for connections, feeding in itertools.product(("plain", "residual", "highway", "dense"), (False, True)):
        cell = "transition_gru" if attend == "within" else "lstm"
        keys = {"attention": attention, "attend": attend, "layers": layers, "cell": cell}
        try:
            made = model(**keys, connections=connections, input_feeding=feeding)
        except ValidationError:
            continue
        states = made(SRC, LENGTHS, TGT).states
        made.logits(states).logsumexp(-1).sum().backward()
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in made.parameters())
        made.eval()
        memory = made.encode(SRC, LENGTHS)
        logits, _ = made.step(TGT[:, :1], made.start(memory), memory)
        torch.testing.assert_close(logits, made.logits(made(SRC, LENGTHS, TGT).states)[:, :1])
        worked += 1
    impossible = (attention == "none" and attend != "top") or (attention, attend) == ("luong_dot", "first")
    assert bool(worked) != impossible


def readout(kind: str, *inputs: str) -> tuple[Readout, dict[str, Tensor], Tensor]:
    """A readout, inputs of different sizes, and those that it should see, joined."""
    torch.manual_seed(0)
    config = recipe.DecoderConfig.model_validate({"readout": {"kind": kind, "inputs": list(inputs) or None}})
    sizes = {"state": 3, "previous_state": 4, "context": 5, "token": 2}
    given = {name: torch.randn(2, 1, size) for name, size in sizes.items()}
    names = inputs or (("state", "context", "token") if kind == "maxout" else ("state", "context"))
    return Readout(config, sizes, 6), given, torch.cat([given[name] for name in names], -1)


@pytest.mark.parametrize("inputs", [(), ("previous_state", "token", "context"), ("context", "state")], ids=str)
def test_readouts_equal_their_equations(inputs: tuple[str, ...]) -> None:
    made, given, x = readout("none", *inputs)
    assert torch.equal(made(**given), x)
    for kind in ("linear", "tanh", "maxout"):
        made, given, x = readout(kind, *inputs)
        assert made.weight is not None
        sums = x @ made.weight.weight.T + made.weight.bias
        expected = {"linear": sums, "tanh": sums.tanh(), "maxout": torch.maximum(sums[..., ::2], sums[..., 1::2])}
        torch.testing.assert_close(made(**given), expected[kind])
        assert made(**given).shape == (2, 1, 6)


@pytest.mark.parametrize("attend", ["top", "previous"])
def test_the_previous_state_is_that_of_the_step_before(attend: str) -> None:
    """Of the top layer; at the first step, that of the bridge. Its dropout is that of the stack's output."""
    inputs = ["previous_state", "token", "context"]
    made = model(cell="gru", layers=2, attend=attend, dropout=0.5, readout={"kind": "none", "inputs": inputs}).train()
    memory, embedded = made.encode(SRC, LENGTHS), made.tgt_embedding(TGT)
    masks, state, seen = made.decoder.masks(embedded), made.start(memory), []
    assert torch.equal(state.layers[1][0][:, 0], memory.first[1][0])
    for t in range(TGT.shape[1]):
        seen.append(state.layers[1][0])
        output, state = made.decoder.step(embedded[:, t : t + 1], state, memory, masks)
        mask = masks.outputs[2]
        assert mask is not None and (mask == 0).any()
        torch.testing.assert_close(output[..., :8], seen[-1] * mask)
        torch.testing.assert_close(output[..., 8:16], embedded[:, t : t + 1])


def test_conditional_gru_equals_nematuss() -> None:
    """Sennrich et al. 2017, section 3: s' = GRU_1(y, s), c = ATT(s'), s = GRU_2(c, s'); layers above see [s; c]."""
    made = model(cell={"kind": "transition_gru", "transitions": 2}, layers=2, attend="within", attention="bahdanau")
    memory, embedded = made.encode(SRC, LENGTHS), made.tgt_embedding(TGT)
    decoder, (states, _) = made.decoder, made.decoder(embedded, memory)
    assert decoder.attention is not None and decoder.readout.weight is not None
    first, upper = (layer.cell for layer in decoder.stack.layers)
    assert isinstance(first, TransitionGruCell)
    below, above = memory.first[0], memory.first[1]
    for t in range(TGT.shape[1]):
        (s,) = first.first.step(first.first.project(embedded[:, t]), below)
        contexts, _ = decoder.attention(s.unsqueeze(1), memory.keys, memory.outputs, memory.padding)
        c = contexts[:, 0]
        below = first.others[0].step(first.others[0].project(c), (s,))
        below = first.others[1].step(first.others[1].project(c[:, :0]), below)
        above = upper.step(upper.project(torch.cat([below[0], c], -1)), above)
        expected = torch.tanh(decoder.readout.weight(torch.cat([above[0], c], -1)))
        torch.testing.assert_close(states[:, t], expected)


@pytest.mark.parametrize("size", [4, 7])
def test_cho_2014_equals_its_appendix(size: int) -> None:
    """Appendix A.1: c = tanh(V h_N); h'_0 = tanh(V' c); c is an input of every step and of the maxout readout."""
    torch.manual_seed(0)
    keys = {
        "embedding": {"size": 6},
        "encoder": {"cell": {"kind": "gru", "reset": "before"}, "hidden_size": 5, "direction": "forward"}
        | {"projection": {"size": size}},
        "decoder": {"cell": "gru", "hidden_size": 8, "attention": "last_state", "attend": "previous"}
        | {"readout": "maxout"},
    }
    made = Seq2Seq(recipe.ModelConfig.model_validate(keys), 11, 11, 0).double()
    embedded = made._embed(made.src_embedding, SRC)
    v, v_prime = made.encoder.projection, made.encoder.bridge
    assert v is not None
    y, states = made._embed(made.tgt_embedding, TGT), made(SRC, LENGTHS, TGT).states
    layer, readout = made.decoder.stack.layers[0], made.decoder.readout.weight
    assert readout is not None
    for row, length in enumerate(LENGTHS.tolist()):
        outputs, _ = made.encoder.stack.layers[0][0](embedded[row, :length].unsqueeze(1))
        c = torch.tanh(v.weight(outputs[-1]))
        state = (torch.tanh(v_prime.weight(c)),)
        for t in range(TGT.shape[1]):
            state = layer.step(torch.cat([y[row : row + 1, t], c], -1), state)
            s = readout(torch.cat([state[0], c, y[row : row + 1, t]], -1))
            torch.testing.assert_close(states[row, t], torch.maximum(s[0, ::2], s[0, 1::2]))


def test_the_models_own_words_are_dropped_as_the_references_are() -> None:
    made = model().train()
    made.word_dropout = 1 - 1e-12
    nothing = made(SRC, LENGTHS, TGT, 0.0).states
    with torch.no_grad():
        made.tgt_embedding.weight.normal_()  # nobody sees it
    assert torch.equal(made(SRC, LENGTHS, TGT, 0.0).states, nothing)
