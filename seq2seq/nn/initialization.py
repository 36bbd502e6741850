"""First weights."""

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar

import torch
from torch import Tensor, nn

from seq2seq import recipe

_zeros = ContextVar("zeros", default=False)


@contextlib.contextmanager
def only_zeros() -> Iterator[None]:
    """Models made inside begin with zeros, which costs nothing: trained weights are read into them next."""
    token = _zeros.set(True)
    try:
        yield
    finally:
        _zeros.reset(token)


def initialize(model: nn.Module, config: recipe.Initializer | None) -> None:
    """Set the weights of embeddings and linear layers (recurrent cells set their own, as their recipe says).

    Args:
        config: how; None: embeddings normal with deviation 1/sqrt(size), linear layers as Glorot & Bengio 2010.
            Padding's embedding and biases are 0.
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            normal = recipe.NormalInitializerConfig(kind="normal", deviation=module.embedding_dim**-0.5)
            fill(module.weight, config or normal, module.embedding_dim)
            if module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx : module.padding_idx + 1].detach())
        elif isinstance(module, nn.Linear):
            fill(module.weight, config or recipe.PlainInitializerConfig(kind="glorot_uniform"), module.in_features)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@torch.no_grad()
def fill(weight: Tensor | None, config: recipe.KernelInitializer, hidden_size: int, scale: float = 1.0) -> None:
    """Fill a weight [gates * hidden, inputs] or bias [gates * hidden] as a recipe says; None: do nothing.

    Args:
        scale: a cell's `kernel_scale`, for the kind variance_preserving.
    """
    if weight is None or weight.numel() == 0:
        return
    config = recipe.PlainInitializerConfig(kind="zeros") if _zeros.get() else config
    if isinstance(config, recipe.UniformInitializerConfig):
        bound = config.range if config.range is not None else 1 / math.sqrt(hidden_size)
        nn.init.uniform_(weight, -bound, bound)
    elif isinstance(config, recipe.NormalInitializerConfig):
        if config.kind == "normal":
            nn.init.normal_(weight, 0, config.deviation)
        else:
            _truncated_normal(weight, config.deviation)
    elif isinstance(config, recipe.ConstantInitializerConfig):
        nn.init.constant_(weight, config.value)
    elif isinstance(config, recipe.MatrixInitializerConfig):
        _fill_matrix(weight, config, hidden_size)
    elif isinstance(config, recipe.VarianceScalingInitializerConfig):
        _scale_variance(weight if weight.dim() > 1 else weight.unsqueeze(1), config)
    elif isinstance(config, recipe.VariancePreservingInitializerConfig):
        bound = math.sqrt(3 * scale / weight.shape[-1])
        nn.init.uniform_(weight, -bound, bound)
    elif config.kind == "zeros":
        nn.init.zeros_(weight)
    elif config.kind == "ones":
        nn.init.ones_(weight)
    else:
        _fill_by_fan(weight if weight.dim() > 1 else weight.unsqueeze(1), config.kind)


def _fill_matrix(weight: Tensor, config: recipe.MatrixInitializerConfig, hidden_size: int) -> None:
    if config.kind == "orthogonal":
        nn.init.orthogonal_(weight if weight.dim() > 1 else weight.unsqueeze(1), config.gain)
        return
    blocks = weight.reshape(-1, hidden_size, weight.shape[-1] if weight.dim() > 1 else 1)
    one = config.gain * torch.eye(*blocks.shape[1:], dtype=weight.dtype)
    weight.copy_(one.expand_as(blocks).reshape(weight.shape))


def _fill_by_fan(weight: Tensor, kind: str) -> None:
    if kind.startswith("lecun"):
        uniform = recipe.VarianceScalingInitializerConfig(kind="variance_scaling", distribution="uniform")
        normal = recipe.VarianceScalingInitializerConfig(kind="variance_scaling", distribution="truncated_normal")
        _scale_variance(weight, uniform if kind == "lecun_uniform" else normal)
    elif kind == "glorot_uniform":
        nn.init.xavier_uniform_(weight)
    elif kind == "glorot_normal":
        nn.init.xavier_normal_(weight)
    elif kind == "he_uniform":
        nn.init.kaiming_uniform_(weight, nonlinearity="relu")
    else:
        nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _scale_variance(weight: Tensor, config: recipe.VarianceScalingInitializerConfig) -> None:
    outputs, inputs = weight.shape
    fan = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[config.mode]
    deviation = math.sqrt(config.scale / fan)
    if config.distribution == "uniform":
        nn.init.uniform_(weight, -math.sqrt(3) * deviation, math.sqrt(3) * deviation)
    elif config.distribution == "untruncated_normal":
        nn.init.normal_(weight, 0, deviation)
    else:
        _truncated_normal(weight, deviation / 0.87962566103423978)  # what cutting leaves of the deviation


def _truncated_normal(weight: Tensor, deviation: float) -> None:
    """A normal distribution cut at two deviations."""
    nn.init.trunc_normal_(weight, 0, deviation, -2 * deviation, 2 * deviation)
