"""Attention equals its equations, and gives padding exactly nothing."""

import pytest
import torch

from seq2seq import recipe
from seq2seq.nn.attention import AdditiveAttention, GeneralAttention, make_attention

KINDS = ["bahdanau", "luong_dot", "luong_general", "luong_concat"]


def attention(kind: str, size: int = 6):  # type: ignore[no-untyped-def]
    section = recipe.Decoder.model_validate({"attention": {"kind": kind}}).attention
    return make_attention(section, size, size)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_weighs_exactly_zero_and_rows_sum_to_one(kind: str) -> None:
    layer, memory, queries = attention(kind), torch.randn(3, 5, 6), torch.randn(3, 4, 6)
    padding = torch.zeros(3, 1, 5)
    padding[0, 0, 2:] = padding[2, 0, 4:] = -torch.inf
    context, weights = layer(queries, layer.keys(memory), memory, padding)
    assert (weights[0, :, 2:] == 0).all() and (weights[2, :, 4:] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4))
    torch.testing.assert_close(context, torch.einsum("bqs,bsm->bqm", weights, memory))


def test_scores_equal_their_equations() -> None:
    memory, queries, none = torch.randn(1, 5, 6), torch.randn(1, 2, 6), torch.zeros(1, 1, 5)
    dot, general, concat = (attention(kind) for kind in ("luong_dot", "luong_general", "luong_concat"))
    for i in range(2):
        for j in range(5):
            q, m = queries[0, i], memory[0, j]
            torch.testing.assert_close(dot.score(queries, dot.keys(memory), none)[0, i, j], q @ m)
            assert isinstance(general, GeneralAttention)
            expected = q @ general.weight.weight @ m
            torch.testing.assert_close(general.score(queries, general.keys(memory), none)[0, i, j], expected)
            assert isinstance(concat, AdditiveAttention)
            both = torch.cat([concat.query_weight.weight, concat.memory_weight.weight], 1)  # Luong's W of [q; m]
            expected = concat.score_weight.weight[0] @ torch.tanh(both @ torch.cat([q, m]))
            torch.testing.assert_close(concat.score(queries, concat.keys(memory), none)[0, i, j], expected)


def test_none_is_none() -> None:
    assert attention("none") is None
