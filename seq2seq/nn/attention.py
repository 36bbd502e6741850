"""Attention: how well each source position answers a query, and the mean of the memory by that.

Padding's scores are -inf, so its weights are exactly zero.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq import recipe

Queries = Float[Tensor, "batch queries query_size"]
Keys = Float[Tensor, "batch src_len key_size"]
Scores = Float[Tensor, "batch queries src_len"]


class Attention(nn.Module):
    """The weighted mean of the memory, the weights a softmax of `score`."""

    def keys(self, memory: Float[Tensor, "batch src_len memory"]) -> Keys:
        """The part of the scores that depends on the source alone: computed once a sentence."""
        raise NotImplementedError

    def score(self, queries: Queries, keys: Keys, padding: Float[Tensor, "batch 1 src_len"]) -> Scores:
        """A score for each query and source position; `padding` (0, or -inf on padding) is added."""
        raise NotImplementedError

    def forward(
        self,
        queries: Queries,
        keys: Keys,
        memory: Float[Tensor, "batch src_len memory"],
        padding: Float[Tensor, "batch 1 src_len"],
    ) -> tuple[Float[Tensor, "batch queries memory"], Scores]:
        """The context vector of each query, and its weights over the source (each row sums to 1)."""
        weights = torch.softmax(self.score(queries, keys, padding), -1)
        return torch.bmm(weights.to(memory.dtype), memory), weights


class DotAttention(Attention):
    """Luong et al. 2015, equation 8, dot: score(q, m) = q . m"""

    def keys(self, memory: Tensor) -> Tensor:
        return memory

    def score(self, queries: Tensor, keys: Tensor, padding: Tensor) -> Tensor:
        return torch.baddbmm(padding.to(queries.dtype), queries, keys.transpose(1, 2).to(queries.dtype))


class GeneralAttention(DotAttention):
    """Luong et al. 2015, equation 8, general: score(q, m) = q . W m"""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        self.weight = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.weight(memory)
        return keys


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

    def score(self, queries: Tensor, keys: Tensor, padding: Tensor) -> Tensor:
        hidden = torch.tanh(self.query_weight(queries).unsqueeze(2) + keys.unsqueeze(1))
        scores: Tensor = self.score_weight(hidden).squeeze(-1)
        return scores + padding


def make_attention(section: recipe.AnyAttention, query_size: int, memory_size: int) -> Attention | None:
    """The attention that a recipe names; None for `none`."""
    if isinstance(section, recipe.BahdanauAttention):
        return AdditiveAttention(query_size, memory_size, section.size or query_size)
    if section.kind == "luong_concat":
        return AdditiveAttention(query_size, memory_size, query_size)
    if section.kind == "luong_general":
        return GeneralAttention(query_size, memory_size)
    return DotAttention() if section.kind == "luong_dot" else None
