"""Layers over time: cells run along sequences, one above the other.

Padding never changes a result: what stands behind a sentence's end is not seen by any
position before it, and the last states are those of the sentence's own end.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq import recipe
from seq2seq.nn.cells import Cell, State, make_cell

Masks = list[Float[Tensor, "batch 1 _"]] | None


def dropout_mask(like: Tensor, batch: int, size: int, rate: float) -> Float[Tensor, "batch 1 size"]:
    """One mask for all time steps of a sentence (Gal & Ghahramani 2016), scaled so that means stay."""
    return torch.empty(batch, 1, size, device=like.device).bernoulli_(1 - rate).div_(1 - rate)


class DecoderStack(nn.Module):
    """Layers in one direction whose state can be carried from step to step."""

    def __init__(self, section: recipe.Stack, input_size: int) -> None:
        super().__init__()
        self.sizes = [input_size, *[section.hidden_size] * section.layers]
        cells = [make_cell(section.cell, size, section.hidden_size) for size in self.sizes[:-1]]
        self.cells = cast(Sequence[Cell], nn.ModuleList(cells))
        self.rate = section.dropout

    def masks(self, x: Float[Tensor, "batch time input"]) -> Masks:
        """A dropout mask for the input and one for each layer's output; None when not training."""
        if not self.training or self.rate == 0:
            return None
        return [dropout_mask(x, x.shape[0], size, self.rate) for size in self.sizes]

    def forward(
        self, x: Float[Tensor, "batch time input"], state: list[State], masks: Masks = None
    ) -> Float[Tensor, "batch time hidden"]:
        """The whole sequence, each layer on its fused kernel."""
        x = x if masks is None else x * masks[0]
        for layer, cell in enumerate(self.cells):
            outputs, _ = cell.sequence(x.transpose(0, 1), state[layer])
            x = outputs.transpose(0, 1)
            x = x if masks is None else x * masks[layer + 1]
        return x

    def step(
        self, x: Float[Tensor, "batch beam input"], state: list[State], masks: Masks = None
    ) -> tuple[Float[Tensor, "batch beam hidden"], list[State]]:
        """One step of every layer: the top layer's output and the next state."""
        x = x if masks is None else x * masks[0]
        following = []
        for layer, cell in enumerate(self.cells):
            following.append(cell.step(cell.project(x), state[layer]))
            x = following[-1][0]
            x = x if masks is None else x * masks[layer + 1]
        return x, following


class EncoderStack(nn.Module):
    """Layers over a whole padded batch, in one direction or both."""

    def __init__(self, section: recipe.Encoder, input_size: int) -> None:
        super().__init__()
        directions = 2 if section.bidirectional else 1
        self.sizes = [input_size, *[section.hidden_size * directions] * section.layers]
        layers = [
            nn.ModuleList(make_cell(section.cell, size, section.hidden_size) for _ in range(directions))
            for size in self.sizes[:-1]
        ]
        self.layers = cast(Sequence[Sequence[Cell]], nn.ModuleList(layers))
        self.rate = section.dropout

    def forward(
        self, x: Float[Tensor, "batch src_len input"], lengths: Int[Tensor, " batch"], whole_state: bool
    ) -> tuple[Float[Tensor, "batch src_len hidden"], list[State]]:
        """Every position's output (zero on padding), and each layer's last state, the directions joined.

        Args:
            lengths: tokens of each sentence, at least 1.
            whole_state: give every tensor of the last states, not h alone (needs the slower packed kernel on a CPU).
        """
        x = x.transpose(0, 1)
        positions = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
        inside = (positions < lengths).unsqueeze(-1)
        backwards = torch.where(positions < lengths, lengths - 1 - positions, positions)
        finals = []
        x = self._drop(x, self.sizes[0])
        for layer in self.layers:
            runs = [_run(layer[0], x, lengths, whole_state)]
            if len(layer) > 1:
                outputs, state = _run(layer[1], _reorder(x, backwards), lengths, whole_state)
                runs.append((_reorder(outputs, backwards), state))
            x = torch.cat([outputs for outputs, _ in runs], -1)
            x = self._drop(x, x.shape[-1])
            finals.append(tuple(torch.cat(parts, -1) for parts in zip(*[state for _, state in runs], strict=True)))
        return torch.where(inside, x, 0).transpose(0, 1), finals

    def _drop(self, x: Float[Tensor, "time batch size"], size: int) -> Float[Tensor, "time batch size"]:
        if not self.training or self.rate == 0:
            return x
        return x * dropout_mask(x, x.shape[1], size, self.rate).transpose(0, 1)


def _reorder(x: Float[Tensor, "time batch size"], order: Int[Tensor, "time batch"]) -> Float[Tensor, "time batch size"]:
    return x[order, torch.arange(x.shape[1], device=x.device)]


def _run(
    cell: Cell, x: Float[Tensor, "time batch input"], lengths: Int[Tensor, " batch"], whole_state: bool
) -> tuple[Float[Tensor, "time batch hidden"], State]:
    """One cell over padded sentences that begin at time 0: its outputs, and the state at each sentence's end.

    The plain kernel is much faster than the packed one on a CPU, and its outputs hold h at
    every end; only the cell state of an LSTM is out of its reach.
    """
    if whole_state and cell.states > 1:
        packed, final = cell.kernel(pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False))
        outputs, _ = pad_packed_sequence(packed, total_length=x.shape[0])
        return outputs, tuple(part.squeeze(0) for part in final)
    outputs, _ = cell.sequence(x)
    return outputs, (outputs[lengths - 1, torch.arange(x.shape[1], device=x.device)],)
