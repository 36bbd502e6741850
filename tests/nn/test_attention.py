"""Attention equals its equations, and gives padding exactly nothing."""

import math

import pytest
import torch
import torch.nn.functional as F

from seq2seq import recipe
from seq2seq.nn.attention import (
    AdditiveAttention,
    Attention,
    CoverageAttention,
    GeneralAttention,
    LocalAttention,
    LocationAttention,
    MultiHeadAttention,
    make_attention,
)

KINDS: list[dict[str, object]] = [
    {"kind": "last_state"},
    {"kind": "bahdanau"},
    {"kind": "luong_dot"},
    {"kind": "luong_general"},
    {"kind": "luong_concat"},
    {"kind": "scaled_dot"},
    {"kind": "local_p", "window": 2},
    {"kind": "multi_head", "heads": 2},
    {"kind": "multi_head", "heads": 3, "score": "additive"},
    {"kind": "location", "filters": 4, "reach": 1},
    {"kind": "coverage"},
]
NONE = torch.zeros(1, 1, 5)


def attention(size: int = 6, **keys: object) -> Attention:
    torch.manual_seed(1)
    made = make_attention(recipe.DecoderConfig.model_validate({"attention": keys}).attention, size, size)
    assert made is not None
    return made


@pytest.mark.parametrize("keys", KINDS, ids=lambda keys: "-".join(map(str, keys.values())))
def test_padding_weighs_exactly_zero_and_changes_nothing(keys: dict[str, object]) -> None:
    layer, memory, queries = attention(**keys), torch.randn(3, 5, 6), torch.randn(3, 4, 6)
    padding = torch.zeros(3, 1, 5)
    padding[0, 0, 2:] = padding[2, 0, 4:] = -torch.inf
    queries = queries[:, :1] if layer.follows else queries
    history = torch.rand(3, 1, 5) * (padding == 0) if layer.follows else None
    context, weights = layer(queries, layer.keys(memory), memory, padding, history)
    assert (weights[0, :, 2:] == 0).all() and (weights[2, :, 4:] == 0).all()
    assert torch.isfinite(context).all()
    if keys["kind"] == "local_p":
        assert (weights.sum(-1) <= 1).all() and (weights.sum(-1) > 0).all()
    else:
        torch.testing.assert_close(weights.sum(-1), torch.ones(3, queries.shape[1]))
    for row, length in ((0, 2), (2, 4)):
        short = None if history is None else history[row : row + 1, :, :length]
        own = memory[row : row + 1, :length]
        alone, _ = layer(queries[row : row + 1], layer.keys(own), own, torch.zeros(1, 1, length), short)
        torch.testing.assert_close(context[row : row + 1], alone)


def test_scores_equal_their_equations() -> None:
    memory, queries = torch.randn(1, 5, 6), torch.randn(1, 2, 6)
    dot, general, concat, scaled = (
        attention(kind=kind) for kind in ("luong_dot", "luong_general", "luong_concat", "scaled_dot")
    )
    for i in range(2):
        for j in range(5):
            q, m = queries[0, i], memory[0, j]
            torch.testing.assert_close(dot.score(queries, dot.keys(memory), NONE)[0, i, j], q @ m)
            assert isinstance(general, GeneralAttention) and isinstance(scaled, GeneralAttention)
            expected = q @ general.weight.weight @ m
            torch.testing.assert_close(general.score(queries, general.keys(memory), NONE)[0, i, j], expected)
            expected = q @ scaled.weight.weight @ m / math.sqrt(6)
            torch.testing.assert_close(scaled.score(queries, scaled.keys(memory), NONE)[0, i, j], expected)
            assert isinstance(concat, AdditiveAttention)
            both = torch.cat([concat.query_weight.weight, concat.memory_weight.weight], 1)  # Luong's W of [q; m]
            expected = concat.score_weight.weight[0] @ torch.tanh(both @ torch.cat([q, m]))
            torch.testing.assert_close(concat.score(queries, concat.keys(memory), NONE)[0, i, j], expected)


def test_last_state_is_the_last_real_position() -> None:
    padding = torch.tensor([[[0.0, 0, 0]], [[0, -torch.inf, -torch.inf]]])
    memory = torch.randn(2, 3, 6)
    context, _ = attention(kind="last_state")(torch.randn(2, 2, 6), memory, memory, padding)
    assert torch.equal(context, torch.stack([memory[0, 2], memory[1, 0]]).unsqueeze(1).expand(-1, 2, -1))


def test_local_p_equals_luongs_equations_9_and_10() -> None:
    layer, memory, q = attention(kind="local_p", window=2), torch.randn(1, 9, 6), torch.randn(1, 1, 6)
    assert isinstance(layer, LocalAttention)
    _, weights = layer(q, layer.keys(memory), memory, torch.zeros(1, 1, 9))
    w, v = layer.position_hidden.weight, layer.position.weight[0]
    p = (8 * torch.sigmoid(v @ torch.tanh(w @ q[0, 0]))).item()
    near = [s for s in range(9) if abs(s - p) <= 2]
    align = torch.softmax(torch.stack([q[0, 0] @ layer.weight.weight @ memory[0, s] for s in near]), 0)
    expected = torch.zeros(9)
    for weight, s in zip(align, near, strict=True):
        expected[s] = weight * math.exp(-((s - p) ** 2) / (2 * (2 / 2) ** 2))
    torch.testing.assert_close(weights[0, 0], expected)


def test_local_p_computes_in_the_dtype_of_its_model() -> None:
    layer, (memory, q) = attention(kind="local_p", window=2).double(), torch.randn(2, 1, 9, 6, dtype=torch.double)

    def context(memory: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        padding = torch.zeros(1, 1, 9, dtype=torch.double)
        found, weights = layer(q, layer.keys(memory), memory, padding)
        assert found.dtype == weights.dtype == torch.double
        return found

    assert torch.autograd.gradcheck(context, (memory.requires_grad_(), q.requires_grad_()))


def test_multi_head_equals_torchs_own() -> None:
    layer, memory, queries = attention(kind="multi_head", heads=2), torch.randn(2, 5, 6), torch.randn(2, 3, 6)
    assert isinstance(layer, MultiHeadAttention)
    theirs = torch.nn.MultiheadAttention(6, 2, bias=False, batch_first=True)
    with torch.no_grad():
        projections = (layer.query_weight, layer.key_weight, layer.value_weight)
        theirs.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
        theirs.out_proj.weight.copy_(layer.output.weight)
    padding = torch.zeros(2, 1, 5)
    padding[1, 0, 3:] = -torch.inf
    context, weights = layer(queries, layer.keys(memory), memory, padding)
    expected, their_weights = theirs(queries, memory, memory, key_padding_mask=padding[:, 0] < 0)
    torch.testing.assert_close(context, expected)
    torch.testing.assert_close(weights, their_weights)


def test_additive_heads_score_as_bahdanau_each() -> None:
    layer, memory, queries = (
        attention(kind="multi_head", heads=2, score="additive"), torch.randn(1, 5, 6), torch.randn(1, 1, 6)
    )  # fmt: skip
    assert isinstance(layer, MultiHeadAttention) and layer.score_weight is not None
    context, _ = layer(queries, layer.keys(memory), memory, NONE)
    heads = []
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        q, k, v = (
            linear(x)[0, :, part]
            for linear, x in ((layer.query_weight, queries), (layer.key_weight, memory), (layer.value_weight, memory))
        )
        weights = torch.softmax(torch.tanh(q + k) @ layer.score_weight[head, :, 0], 0)
        heads.append(weights @ v)
    torch.testing.assert_close(context[0, 0], layer.output(torch.cat(heads)))


def test_location_and_coverage_see_where_the_steps_before_looked() -> None:
    memory, q, history = torch.randn(1, 5, 6), torch.randn(1, 1, 6), torch.rand(1, 1, 5)
    location, coverage = attention(kind="location", filters=4, reach=1), attention(kind="coverage")
    assert isinstance(location, LocationAttention) and isinstance(coverage, CoverageAttention)
    padded = F.pad(history[0, 0], (1, 1))
    for s in range(5):
        f = location.filters.weight[:, 0] @ padded[s : s + 3]
        inner = location.query_weight(q[0, 0]) + location.memory_weight(memory[0, s]) + location.history_weight(f)
        expected = location.score_weight(torch.tanh(inner))[0]
        torch.testing.assert_close(location.score(q, location.keys(memory), NONE, history)[0, 0, s], expected)
        inner = coverage.query_weight(q[0, 0]) + coverage.memory_weight(memory[0, s])
        inner = inner + coverage.history_weight.weight[:, 0] * history[0, 0, s]
        expected = coverage.score_weight(torch.tanh(inner))[0]
        torch.testing.assert_close(coverage.score(q, coverage.keys(memory), NONE, history)[0, 0, s], expected)
    weights = torch.rand(1, 1, 5)
    assert torch.equal(location.follow(history, weights), weights)
    assert torch.equal(coverage.follow(history, weights), history + weights)


def test_none_is_none() -> None:
    assert make_attention(recipe.NoAttentionConfig(kind="none"), 6, 6) is None
