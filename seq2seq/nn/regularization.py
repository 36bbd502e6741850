"""What a recipe asks of the cells' weights beyond the loss: penalties on them, and constraints after each step."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seq2seq import recipe
from seq2seq.nn.cells import Cell
from seq2seq.nn.layer import Layer


def penalty_of(values: Tensor, config: recipe.RegularizerConfig) -> Tensor:
    """l1 * sum |w| + l2 * sum w^2, a scalar."""
    return config.l1 * values.abs().sum() + config.l2 * values.square().sum()


def weight_penalty_of(weight: Float[Tensor, "*shape"], config: recipe.RegularizerConfig) -> Float[Tensor, ""]:
    """What a regularizer adds to the loss for a weight; rows and columns are those of W in x W, as in the recipe."""
    penalty = penalty_of(weight, config)
    if isinstance(config, recipe.MatrixRegularizerConfig):
        for factor, vectors in ((config.orthogonal_rows, weight.T), (config.orthogonal_columns, weight)):
            if factor > 0:
                penalty = penalty + factor * mean_cosine(vectors)
    return penalty


def mean_cosine(vectors: Float[Tensor, "count size"]) -> Float[Tensor, ""]:
    """The mean of |cos| over all pairs of vectors, 0 where they are orthogonal; of one vector: 0."""
    directions = nn.functional.normalize(vectors, dim=-1)
    cosines = (directions @ directions.T).abs()
    return (cosines.sum() - cosines.trace()) / max(1, len(vectors) * (len(vectors) - 1))


def weight_penalty(model: nn.Module) -> Tensor | None:
    """The sum of the penalties on the weights of a model's cells; None: there are none."""
    penalised = [(weight, regularizer) for weight, regularizer, _ in _weights(model) if regularizer is not None]
    parts = [weight_penalty_of(weight, regularizer) for weight, regularizer in penalised]
    return torch.stack(parts).sum() if parts else None


class Activity:
    """What a model's layers give in training while this is entered, for the penalties that the recipe puts on it."""

    def __init__(self, model: nn.Module) -> None:
        layers = [layer for layer in model.modules() if isinstance(layer, Layer) and layer.training]
        self.outputs: list[tuple[Layer, list[Float[Tensor, "batch time hidden"]]]] = [
            (layer, []) for layer in layers if layer.activity_regularizer is not None
        ]

    def __enter__(self) -> Activity:
        for layer, outputs in self.outputs:
            layer.listener = outputs.append
        return self

    def __exit__(self, *_: object) -> None:
        for layer, _outputs in self.outputs:
            layer.listener = None

    def penalty(self, inside: Bool[Tensor, "batch time"] | None = None) -> Tensor | None:
        """The penalties, summed over sentences (Keras: their mean); None: there are none.

        Args:
            inside: the positions that count; None: all (an encoder's outputs are zero outside the sentences).
        """
        parts = []
        for layer, outputs in self.outputs:
            if outputs and layer.activity_regularizer is not None:
                every = torch.cat(outputs, 1)
                every = every if inside is None else every * inside.unsqueeze(-1)
                parts.append(penalty_of(every, layer.activity_regularizer))
        return torch.stack(parts).sum() if parts else None


@torch.no_grad()
def constrain(model: nn.Module) -> None:
    """Impose the constraints on a model's cells, after an optimizer step."""
    for weight, _, constraint in _weights(model):
        if constraint is not None:
            weight.copy_(constrained(weight, constraint))


def constrained(weight: Tensor, config: recipe.Constraint) -> Tensor:
    """A weight [units, inputs] or a bias [units], as the constraint would have it (norms as Keras has them)."""
    if config.kind == "non_negative":
        return weight.clamp_min(0)
    norm = torch.linalg.vector_norm(weight, dim=-1, keepdim=True)
    wanted: Tensor = torch.ones_like(norm)
    if isinstance(config, recipe.MaxNormConfig):
        wanted = norm.clamp_max(config.max)
    elif isinstance(config, recipe.MinMaxNormConfig):
        wanted = torch.lerp(norm, norm.clamp(config.min, config.max), config.rate)
    result: Tensor = weight * wanted / (1e-7 + norm)
    return result


def _weights(model: nn.Module) -> Iterator[tuple[Tensor, recipe.RegularizerConfig | None, recipe.Constraint | None]]:
    """Every weight of every cell, with what its recipe says of it."""
    for cell in model.modules():
        if not isinstance(cell, Cell):
            continue
        config = cell.config
        own = dict(cell.named_parameters(recurse=False))
        if parametrize.is_parametrized(cell):
            own |= {name: cell.parametrizations[name].original for name in cell.parametrizations}  # type: ignore[index,union-attr]
        for name, weight in own.items():
            if name == "kernel":
                yield weight, config.kernel_regularizer, config.kernel_constraint
            elif name == "recurrent_kernel":
                yield weight, config.recurrent_regularizer, config.recurrent_constraint
            elif name in ("bias", "recurrent_bias"):
                yield weight, config.bias_regularizer, config.bias_constraint
