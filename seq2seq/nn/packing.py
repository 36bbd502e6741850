"""A model's copy for decoding on a CPU: the same products, sooner.

oneDNN reads a weight in a layout of its own. torch's products bring it there every time, which for the few rows of a
search takes longer than the product itself. And a row's product is the same to the bit beside any number of others;
torch's own is not where MKL computes it (Intel), and may differ from oneDNN's in the last digits there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from seq2seq.nn.cells import Cell
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.recipe import CustomCellConfig


class PackedWeight:
    """A weight in oneDNN's layout, for `F.linear`; all else that is done with it is done with the plain one."""

    def __init__(self, weight: Float[Tensor, "outputs inputs"]) -> None:
        self.plain = weight
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is F.linear and not kwargs:
            x, weight, bias = (*args, None)[:3]
            return torch.ops.mkldnn._linear_pointwise(x, weight.packed, bias, "none", [], "")
        plain = [part.plain if isinstance(part, cls) else part for part in args]
        return func(*plain, **(kwargs or {}))


def packed(model: Seq2Seq) -> Seq2Seq:
    """A copy whose decoder and output layer have packed weights; all else of it is the model's own.

    The model itself where that cannot be: on a GPU, in another precision, without oneDNN.
    """
    weight = model.output.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return model
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    made = copy.deepcopy(model, shared)
    undo_weight_dropout(made.decoder)
    for module, name in _weights(made):
        plain = cast(Tensor, getattr(module, name)).detach()
        delattr(module, name)
        setattr(module, name, PackedWeight(plain))
    return made


def undo_weight_dropout(part: nn.Module) -> None:
    """Make W_h a plain weight. (torch's own way back would also take the property from the model copied from.)"""
    for cell in list(part.modules()):
        if parametrize.is_parametrized(cell, "recurrent_kernel"):
            weight = cast(Tensor, cell.recurrent_kernel).detach()
            cell.__class__ = type(cell).__mro__[1]
            del cell.parametrizations
            cell.recurrent_kernel = nn.Parameter(weight, requires_grad=False)


def _weights(model: Seq2Seq) -> Iterator[tuple[nn.Module, str]]:
    """Those that a step multiplies by, each by its module and name."""
    for module in [*model.decoder.modules(), model.output]:
        if isinstance(module, nn.Linear):
            yield module, "weight"
        elif isinstance(module, Cell) and not isinstance(module.config, CustomCellConfig):
            for name in ("kernel", "recurrent_kernel"):
                weight = getattr(module, name, None)
                if weight is not None and weight.numel():
                    yield module, name
