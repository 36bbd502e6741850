"""Attention: how well each source position answers a query, and the mean of the memory by that.

Padding's scores are -inf, so its weights are exactly zero. Some attentions also see where the
steps before looked (`history`); those take one query at a time.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq import recipe

Queries = Float[Tensor, "batch queries query_size"]
Keys = Float[Tensor, "batch src_len key_size"]
Scores = Float[Tensor, "batch queries src_len"]
Memory = Float[Tensor, "batch src_len memory"]
Padding = Float[Tensor, "batch 1 src_len"]
"""0, or -inf on padding: to be added to scores."""


class Attention(nn.Module):
    """The weighted mean of the memory, the weights a softmax of `score`."""

    follows = False
    """Whether the scores depend on where the steps before looked."""

    def keys(self, memory: Memory) -> Keys:
        """The part of the scores that depends on the source alone: computed once a sentence."""
        return memory

    def score(self, queries: Queries, keys: Keys, padding: Padding, history: Scores | None = None) -> Scores:
        """A score for each query and source position, `padding` added."""
        raise NotImplementedError

    def forward(
        self, queries: Queries, keys: Keys, memory: Memory, padding: Padding, history: Scores | None = None
    ) -> tuple[Float[Tensor, "batch queries memory"], Scores]:
        """The context vector of each query, and its weights over the source (each row sums to 1)."""
        weights = torch.softmax(self.score(queries, keys, padding, history), -1)
        return torch.bmm(weights.to(memory.dtype), memory), weights

    def follow(self, history: Scores, weights: Scores) -> Scores:
        """The history for the next step. The first step's is zeros."""
        return weights


class LastStateAttention(Attention):
    """All weight on the last position: the fixed summary of Cho et al. 2014 (section 2.2)."""

    def score(self, queries: Tensor, keys: Tensor, padding: Tensor, history: Tensor | None = None) -> Tensor:
        following = torch.cat([padding[..., 1:], torch.full_like(padding[..., :1], -torch.inf)], -1)
        last = (padding == 0) & (following != 0)
        return torch.where(last, 0.0, -torch.inf).to(padding.dtype).expand(-1, queries.shape[1], -1)


class DotAttention(Attention):
    """Luong et al. 2015, equation 8, dot: score(q, m) = q . m"""

    def score(self, queries: Tensor, keys: Tensor, padding: Tensor, history: Tensor | None = None) -> Tensor:
        return torch.baddbmm(padding.to(queries.dtype), queries, keys.transpose(1, 2).to(queries.dtype))


class GeneralAttention(DotAttention):
    """Luong et al. 2015, equation 8, general: score(q, m) = q . W m

    Args:
        scale: what the scores are multiplied by; 1/sqrt(size) is Vaswani et al. 2017, equation 1.
    """

    def __init__(self, query_size: int, memory_size: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Linear(memory_size, query_size, bias=False)
        self.scale = scale

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.weight(memory)
        return keys if self.scale == 1 else keys * self.scale


class LocalAttention(GeneralAttention):
    """Luong et al. 2015, section 3.2, local-p: about a predicted position.

    p = (S - 1) * sigma(v . tanh(W q)), S the sentence's length, positions counted from 0.
    Positions further than D from p weigh nothing, a position s among the others
    softmax(score) * exp(-(s - p)^2 / (2 (D/2)^2)) (equation 10).
    """

    def __init__(self, query_size: int, memory_size: int, window: int) -> None:
        super().__init__(query_size, memory_size)
        self.position_hidden = nn.Linear(query_size, query_size, bias=False)
        self.position = nn.Linear(query_size, 1, bias=False)
        self.window = window

    def forward(
        self, queries: Tensor, keys: Tensor, memory: Tensor, padding: Tensor, history: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        lengths = (padding == 0).sum(-1, keepdim=True)  # [batch, 1, 1]
        exact = torch.promote_types(queries.dtype, torch.float32)  # bf16 cannot tell position 257 from 258
        share = torch.sigmoid(self.position(torch.tanh(self.position_hidden(queries))).to(exact))
        distance = torch.arange(memory.shape[1], device=memory.device) - (lengths - 1) * share
        scores = self.score(queries, keys, padding).to(exact)
        weights = torch.softmax(scores.masked_fill(distance.abs() > self.window, -torch.inf), -1)
        weights = weights * torch.exp(-(distance**2) / (2 * (self.window / 2) ** 2))
        return torch.bmm(weights.to(memory.dtype), memory), weights


class AdditiveAttention(Attention):
    """score(q, m) = v . tanh(W q + U m): Bahdanau et al. 2015, appendix A.1.2.

    Luong's `concat`, v . tanh(W [q; m]), is the same function: W's two halves are W and U here.
    """

    def __init__(self, query_size: int, memory_size: int, size: int) -> None:
        super().__init__()
        self.query_weight = nn.Linear(query_size, size, bias=False)
        self.memory_weight = nn.Linear(memory_size, size, bias=False)
        self.score_weight = nn.Linear(size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.memory_weight(memory)
        return keys

    def score(self, queries: Tensor, keys: Tensor, padding: Tensor, history: Tensor | None = None) -> Tensor:
        features = self.query_weight(queries).unsqueeze(2) + keys.unsqueeze(1)
        if history is not None:
            features = features + self.features(history)
        scores: Tensor = self.score_weight(torch.tanh(features)).squeeze(-1)
        return scores + padding

    def features(self, history: Scores) -> Float[Tensor, "batch queries src_len size"]:
        """What the history adds inside tanh."""
        raise NotImplementedError


class LocationAttention(AdditiveAttention):
    """Chorowski et al. 2015, equations 8 and 9: v . tanh(W q + U m + V f), f the last weights convolved by F."""

    follows = True

    def __init__(self, query_size: int, memory_size: int, filters: int, reach: int) -> None:
        super().__init__(query_size, memory_size, query_size)
        self.filters = nn.Conv1d(1, filters, 2 * reach + 1, padding=reach, bias=False)
        self.history_weight = nn.Linear(filters, query_size, bias=False)

    def features(self, history: Tensor) -> Tensor:
        found = self.filters(history.flatten(0, 1).unsqueeze(1)).transpose(1, 2)
        features: Tensor = self.history_weight(found).unflatten(0, history.shape[:2])
        return features


class CoverageAttention(AdditiveAttention):
    """See et al. 2017, equation 11: v . tanh(W q + U m + w c), c the sum of all weights so far (Tu et al. 2016)."""

    follows = True

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size, query_size)
        self.history_weight = nn.Linear(1, query_size, bias=False)

    def features(self, history: Tensor) -> Tensor:
        features: Tensor = self.history_weight(history.unsqueeze(-1))
        return features

    def follow(self, history: Tensor, weights: Tensor) -> Tensor:
        return history + weights


class MultiHeadAttention(Attention):
    """Vaswani et al. 2017, section 3.2.2: each head scores and averages its own projections; their contexts are joined.

    The scores are scaled dot products, or additive (RNMT+: Chen et al. 2018). The weights
    returned are the heads' mean.
    """

    def __init__(self, query_size: int, memory_size: int, heads: int, additive: bool) -> None:
        super().__init__()
        self.heads, size = heads, memory_size // heads
        self.query_weight = nn.Linear(query_size, memory_size, bias=False)
        self.key_weight = nn.Linear(memory_size, memory_size, bias=False)
        self.value_weight = nn.Linear(memory_size, memory_size, bias=False)
        self.output = nn.Linear(memory_size, memory_size, bias=False)
        self.score_weight = nn.Parameter(torch.randn(heads, size, 1) / math.sqrt(size)) if additive else None

    def keys(self, memory: Tensor) -> Tensor:
        """Keys and values, side by side."""
        return torch.cat([self.key_weight(memory), self.value_weight(memory)], -1)

    def forward(
        self, queries: Tensor, keys: Tensor, memory: Tensor, padding: Tensor, history: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        weights, v = self.head_weights(queries, keys, padding), self._split(keys.chunk(2, -1)[1])
        context = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        return self.output(context), weights.mean(1)

    def head_weights(
        self, queries: Tensor, keys: Tensor, padding: Tensor
    ) -> Float[Tensor, "batch heads queries src_len"]:
        """Each head's weights over the source."""
        q, k = self._split(self.query_weight(queries)), self._split(keys.chunk(2, -1)[0])
        if self.score_weight is None:
            scores = q @ k.to(q.dtype).transpose(-1, -2) / math.sqrt(q.shape[-1])
        else:
            hidden = torch.tanh(q.unsqueeze(3) + k.unsqueeze(2))  # [batch, heads, queries, src_len, size]
            scores = (hidden @ self.score_weight.unsqueeze(1)).squeeze(-1)
        return torch.softmax(scores + padding.unsqueeze(1), -1)

    def _split(self, x: Float[Tensor, "batch time size"]) -> Float[Tensor, "batch heads time head_size"]:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)


def make_attention(config: recipe.AnyAttention, query_size: int, memory_size: int) -> Attention | None:  # noqa: PLR0911
    """The attention that a recipe names; None for `none`."""
    match config:
        case recipe.NoAttentionConfig():
            return None
        case recipe.LastStateAttentionConfig():
            return LastStateAttention()
        case recipe.BahdanauAttentionConfig():
            return AdditiveAttention(query_size, memory_size, config.size or query_size)
        case recipe.ScaledDotAttentionConfig():
            return GeneralAttention(query_size, memory_size, 1 / math.sqrt(query_size))
        case recipe.LocalAttentionConfig():
            return LocalAttention(query_size, memory_size, config.window)
        case recipe.LocationAttentionConfig():
            return LocationAttention(query_size, memory_size, config.filters, config.reach)
        case recipe.CoverageAttentionConfig():
            return CoverageAttention(query_size, memory_size)
        case recipe.MultiHeadAttentionConfig():
            return MultiHeadAttention(query_size, memory_size, config.heads, config.score == "additive")
    if config.kind == "luong_concat":
        return AdditiveAttention(query_size, memory_size, query_size)
    return GeneralAttention(query_size, memory_size) if config.kind == "luong_general" else DotAttention()
