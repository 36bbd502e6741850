"""A layer: one cell run over time in one direction, with dropout of its recurrence.

Padding never changes a result: positions outside a sentence are stepped over, wherever they are.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq import recipe
from seq2seq.nn.cells import Cell, ElementwiseCell, LstmCell, State, TransitionGruCell, make_cell
from seq2seq.nn.cells.base import Mask

Order = Int[Tensor, "time batch"]


@dataclass(frozen=True)
class SequenceMask:
    """Which positions of a batch belong to its sentences, and the orders in which they are read."""

    mask: Bool[Tensor, "time batch"]
    lengths: Int[Tensor, " batch"]
    forward: Order | None
    """Where each position to be read stands; None: where it is. Positions outside come last."""
    backward: Order
    back_from_forward: Order | None
    """Where each position's output stands among those read."""
    back_from_backward: Order

    @classmethod
    def of_lengths(cls, lengths: Int[Tensor, " batch"], time: int) -> "SequenceMask":
        """Sentences that begin at position 0, each at least one token long."""
        positions = torch.arange(time, device=lengths.device).unsqueeze(1)
        mask = positions < lengths
        backward = torch.where(mask, lengths - 1 - positions, positions)  # its own inverse
        return cls(mask, lengths, None, backward, None, backward)

    @classmethod
    def of_mask(cls, mask: Bool[Tensor, "time batch"]) -> "SequenceMask":
        """Sentences whose positions lie anywhere.

        Raises:
            ValueError: a sentence has no position at all.
        """
        lengths = mask.sum(0)
        plain = cls.of_lengths(lengths, len(mask))
        if plain.shortest == 0:
            raise ValueError("a sentence without any position inside")
        forward = (~mask).to(torch.uint8).argsort(dim=0, stable=True)
        backward = forward.gather(0, plain.backward)
        back = forward.argsort(0), backward.argsort(0)  # the inverse of a permutation sorts it
        return cls(mask, lengths, forward, backward, *back)

    @functools.cached_property
    def shortest(self) -> int:
        """Of the lengths. Asked for on its own: an exported graph has no such number before it runs."""
        return int(self.lengths.min())


class WeightDropout(nn.Module):
    """Drops weights of W_h, the same ones at all positions of a batch (DropConnect: Merity et al. 2018)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, weight: Tensor) -> Tensor:
        return F.dropout(weight, self.rate, self.training)


class Layer(nn.Module):
    """A cell over time.

    Args:
        config: the stack that the layer belongs to.
        input_size: size of x_t.
        reverse: read from the end of each sentence to its beginning (Keras: go_backwards).
        context_size: size of the context that a deep-transition GRU looks for between its steps; 0: it does not.
    """

    def __init__(
        self, config: recipe.StackConfig, input_size: int, reverse: bool = False, context_size: int = 0
    ) -> None:
        super().__init__()
        self.cell = make_cell(config.cell, input_size, config.hidden_size, context_size)
        self.reverse, self.zoneout, self.recurrent_dropout = reverse, config.zoneout, config.recurrent_dropout
        self.activity_regularizer = config.cell.activity_regularizer
        self.listener: Callable[[Float[Tensor, "batch time hidden"]], object] | None = None
        """Told every h_t, while `regularization.Activity` listens."""
        if config.weight_dropout > 0:
            for cell in self.cell.modules():
                if isinstance(cell, Cell) and getattr(cell, "recurrent_kernel", None) is not None:
                    parametrize.register_parametrization(
                        cell, "recurrent_kernel", WeightDropout(config.weight_dropout), unsafe=True
                    )

    def forward(
        self,
        x: Float[Tensor, "time batch input"],
        state: State | None = None,
        inside: SequenceMask | None = None,
        mask: Mask = None,
        whole_state: bool = True,
    ) -> tuple[Float[Tensor, "time batch hidden"], State]:
        """Every h_t (zero outside the sentences), and the state after each sentence's last step.

        Args:
            state: before the first step; None: zeros.
            inside: where the sentences are; None: everywhere.
            mask: of h_{t-1}, from `recurrent_mask`; None: none is dropped.
            whole_state: give every tensor of the last states, not h alone (needs a slower kernel for an LSTM on a CPU).
        """
        state = self.cell.zero_state(x, x.shape[1]) if state is None else state
        order = back = None
        if inside is not None:
            order, back = (inside.backward, inside.back_from_backward) if self.reverse else (
                inside.forward, inside.back_from_forward)  # fmt: skip
        elif self.reverse:
            x = x.flip(0)
        x = x if order is None else _reorder(x, order)
        with parametrize.cached():
            outputs, final = self._run(x, state, inside, mask, whole_state)
        if inside is not None:
            outputs = _reorder(outputs, back) if back is not None else outputs
            outputs = torch.where(inside.mask.unsqueeze(-1), outputs, 0)
        elif self.reverse:
            outputs = outputs.flip(0)
        if self.listener is not None:
            self.listener(outputs.transpose(0, 1))
        return outputs, final

    def step(
        self,
        x: Float[Tensor, "*rows input"],
        state: State,
        mask: Mask = None,
        look: Callable[[Tensor], Tensor] | None = None,
    ) -> State:
        """The next state.

        Args:
            look: gives the context of a state, where the layer has a `context_size`.
        """
        following = self._advance(self.cell.project(x), state, mask, look)
        if self.listener is not None:
            self.listener(following[0])
        return following

    def recurrent_mask(self, like: Tensor, batch: int) -> Float[Tensor, "batch hidden"] | None:
        """One mask of h_{t-1} for all steps of a sentence; None where nothing is dropped."""
        if not self.training or self.recurrent_dropout == 0:
            return None
        return dropout_mask(like, batch, self.cell.hidden_size, self.recurrent_dropout)

    def _run(
        self, x: Tensor, state: State, inside: SequenceMask | None, mask: Mask, whole_state: bool
    ) -> tuple[Tensor, State]:
        """Over sentences that begin at time 0."""
        cell = self.cell
        ragged = inside is not None and inside.shortest < len(x)
        if not cell.fused or mask is not None or self.zoneout > 0:
            return self._loop(x, state, inside if ragged else None, mask)
        if not ragged:
            return cell.sequence(x, state)
        assert inside is not None
        last = inside.lengths - 1, torch.arange(x.shape[1], device=x.device)
        if isinstance(cell, ElementwiseCell):
            outputs, every = cell.all_states(x, state)
            return outputs, tuple(part[last] for part in every)
        if isinstance(cell, LstmCell) and whole_state:
            return _packed(cell, x, state, inside.lengths)
        outputs, _ = cell.sequence(x, state)  # holds h at every end: faster than the packed kernel
        return outputs, (outputs[last],)

    def _loop(self, x: Tensor, state: State, inside: SequenceMask | None, mask: Mask) -> tuple[Tensor, State]:
        outputs = []
        for t, projected in enumerate(self.cell.project(x)):
            following = self._advance(projected, state, mask)
            outputs.append(following[0])
            if inside is not None and t >= inside.shortest:  # who has ended keeps the last state
                going = (t < inside.lengths).unsqueeze(-1)
                following = tuple(torch.where(going, new, old) for new, old in zip(following, state, strict=True))
            state = following
        return torch.stack(outputs), state

    def _advance(
        self, projected: Tensor, state: State, mask: Mask, look: Callable[[Tensor], Tensor] | None = None
    ) -> State:
        if look is None:
            following = self.cell.step(projected, state, mask)
        else:
            assert isinstance(self.cell, TransitionGruCell)
            following = self.cell.step(projected, state, mask, look)
        return following if self.zoneout == 0 else self._zone_out(state, following)

    def _zone_out(self, old: State, new: State) -> State:
        """Zoneout (Krueger et al. 2017, equation 4): numbers that stay; their mean share when not training."""
        if not self.training:
            return tuple(torch.lerp(after, before.to(after.dtype), self.zoneout)
                         for before, after in zip(old, new, strict=True))  # fmt: skip
        return tuple(
            torch.where(torch.rand_like(after) < self.zoneout, before.to(after.dtype), after)
            for before, after in zip(old, new, strict=True)
        )


def dropout_mask(like: Tensor, batch: int, size: int, rate: float) -> Float[Tensor, "batch size"]:
    """One mask for all time steps of a sentence (Gal & Ghahramani 2016), scaled so that means stay."""
    return torch.empty(batch, size, device=like.device).bernoulli_(1 - rate).div_(1 - rate)


def _reorder(x: Float[Tensor, "time batch size"], order: Order) -> Float[Tensor, "time batch size"]:
    return x[order, torch.arange(x.shape[1], device=x.device)]


def _packed(cell: LstmCell, x: Tensor, state: State, lengths: Int[Tensor, " batch"]) -> tuple[Tensor, State]:
    packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    there, back = cast(Tensor, packed.sorted_indices), cast(Tensor, packed.unsorted_indices)
    outputs, final = cell.packed_sequence(packed, tuple(part[there] for part in state))
    padded, _ = pad_packed_sequence(packed._replace(data=outputs), total_length=len(x))
    return padded, tuple(part[back] for part in final)
