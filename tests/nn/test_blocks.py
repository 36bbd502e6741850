"""The public encoder, attention and decoder: shapes, padding, and the arithmetic behind them."""

from typing import Any

import pytest
import torch

from seq2seq import nn
from seq2seq.errors import UserError

BATCH, SRC, TGT, SIZE = 3, 6, 4, 8
LENGTHS = torch.tensor([2, 6, 4])


@pytest.mark.parametrize("options", [{}, {"layers": 2, "cell": "gru"}, {"direction": "forward", "cell": "rnn"}])
def test_padding_changes_nothing(options: dict[str, Any]) -> None:
    torch.manual_seed(1)
    encoder = nn.Encoder(SIZE, hidden_size=5, **options).eval()
    decoder = nn.Decoder(SIZE, encoder.output_size, cell="gru", hidden_size=7).eval()
    x, y = torch.randn(BATCH, SRC, SIZE), torch.randn(BATCH, TGT, SIZE)
    memory, _ = encoder(x, LENGTHS)
    outputs, weights = decoder(y, memory, LENGTHS)
    assert memory.shape == (BATCH, SRC, encoder.output_size) and outputs.shape == (BATCH, TGT, 7)
    for i, length in enumerate(LENGTHS.tolist()):
        alone, _ = encoder(x[i : i + 1, :length])
        torch.testing.assert_close(memory[i, :length], alone[0])
        assert (memory[i, length:] == 0).all() and (weights[i, :, length:] == 0).all()
        torch.testing.assert_close(outputs[i], decoder(y[i : i + 1], alone)[0][0])


def test_general_attention_is_its_equation() -> None:
    torch.manual_seed(1)
    attention = nn.Attention("luong_general", query_size=5, memory_size=SIZE)
    (kernel,) = attention.parameters()
    queries, memory = torch.randn(BATCH, TGT, 5), torch.randn(BATCH, SRC, SIZE)
    context, weights = attention(queries, memory)
    scores = torch.einsum("bqd,dm,bsm->bqs", queries, kernel, memory)
    torch.testing.assert_close(weights, scores.softmax(-1))
    torch.testing.assert_close(context, weights @ memory)


def test_a_decoder_looks_only_back() -> None:
    torch.manual_seed(1)
    decoder = nn.Decoder(SIZE, SIZE, hidden_size=5, input_feeding=True, attention="bahdanau").eval()
    y, memory = torch.randn(1, TGT, SIZE), torch.randn(1, SRC, SIZE)
    outputs, _ = decoder(y, memory)
    later = y.clone()
    later[:, 2:] += 1
    changed, _ = decoder(later, memory)
    torch.testing.assert_close(changed[:, :2], outputs[:, :2])
    assert not torch.allclose(changed[:, 2:], outputs[:, 2:])


def test_a_decoder_begins_with_the_states_given() -> None:
    torch.manual_seed(1)
    decoder = nn.Decoder(SIZE, SIZE, cell="gru", hidden_size=5, attention="none", readout="none").eval()
    y, memory = torch.randn(BATCH, TGT, SIZE), torch.randn(BATCH, SRC, SIZE)
    outputs, weights = decoder(y, memory)
    assert weights is None
    rest, _ = decoder(y[:, 2:], memory, states=[(outputs[:, 1],)])
    torch.testing.assert_close(rest, outputs[:, 2:])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nn.Encoder(SIZE, cell="gruu"), "cell"),
        (lambda: nn.Encoder(SIZE, hiden_size=3), "hidden_size"),
        (lambda: nn.Decoder(SIZE, SIZE, attention="luong_genral"), "luong_general"),
        (lambda: nn.Attention("coverage", 3, 3), "Decoder"),
        (lambda: nn.Attention("luong_dot", 3, 4), "luong_dot"),
    ],
)
def test_bad_options_are_named(make: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()
