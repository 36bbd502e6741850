"""The sections `attention`: how the decoder looks at the source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Size, named


class NoAttentionConfig(Config):
    """The decoder sees the source through its first state alone (Sutskever et al. 2014)."""

    kind: Literal["none"]


class LastStateAttentionConfig(Config):
    """All on the last position: the fixed summary that every step sees (Cho et al. 2014)."""

    kind: Literal["last_state"]


class BahdanauAttentionConfig(Config):
    """Additive: v . tanh(W q + U k) (Bahdanau et al. 2015, section 3.1)."""

    kind: Literal["bahdanau"]
    size: Size | None = None
    """Units of the scoring layer. Default: the decoder's hidden size."""


class LuongAttentionConfig(Config):
    """Dot q . k, general q . W k, or concat v . tanh(W [q; k]) (Luong et al. 2015, equation 8)."""

    kind: Literal["luong_dot", "luong_general", "luong_concat"] = "luong_general"


class ScaledDotAttentionConfig(Config):
    """q . W k / sqrt(size) (Vaswani et al. 2017, equation 1)."""

    kind: Literal["scaled_dot"]


class LocalAttentionConfig(Config):
    """Around a predicted position, by `general` scores (Luong et al. 2015, section 3.2, local-p)."""

    kind: Literal["local_p"]
    window: Annotated[int, Field(gt=0, le=10_000)] = 10
    """D: positions seen on each side of the predicted one."""


class MultiHeadAttentionConfig(Config):
    """Several views side by side (Vaswani et al. 2017, section 3.2.2; additive: RNMT+, Chen et al. 2018)."""

    kind: Literal["multi_head"]
    heads: Annotated[int, Field(gt=0, le=1024)] = 4
    """Views; they must divide the encoder's outputs evenly."""
    score: Literal["scaled_dot", "additive"] = "scaled_dot"
    """How each view scores."""


class LocationAttentionConfig(Config):
    """Additive, and by where the last step looked (Chorowski et al. 2015, equations 8 and 9)."""

    kind: Literal["location"]
    filters: Annotated[int, Field(gt=0, le=10_000)] = 10
    """Patterns looked for in the last step's weights."""
    reach: Annotated[int, Field(gt=0, le=1000)] = 3
    """Source positions on each side that a filter spans."""


class CoverageAttentionConfig(Config):
    """Additive, and by how much each position has been looked at so far (Tu et al. 2016; See et al. 2017, eq. 11)."""

    kind: Literal["coverage"]


_Attention = Annotated[
    NoAttentionConfig
    | LastStateAttentionConfig
    | BahdanauAttentionConfig
    | LuongAttentionConfig
    | ScaledDotAttentionConfig
    | LocalAttentionConfig
    | MultiHeadAttentionConfig
    | LocationAttentionConfig
    | CoverageAttentionConfig,
    Field(discriminator="kind"),
]
AnyAttention = Annotated[_Attention, named(_Attention, LuongAttentionConfig)]
