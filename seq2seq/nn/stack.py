"""Stacks: layers one above the other, with what connects them and the dropout between them.

`EncoderStack` reads whole padded batches in any direction; `DecoderStack` runs forward, over a
sequence or a step at a time, from a state that can be carried on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells import State
from seq2seq.nn.cells.base import Mask
from seq2seq.nn.layer import Layer, SequenceMask, dropout_mask


class Connection(nn.Module):
    """What a layer gives on, from its input x and its output h.

    residual: x + h (He et al. 2016). highway: T * h + (1 - T) * x, T = sigma(x W + b), b = -1 at
    first (Srivastava et al. 2015). dense: [x; h] (Huang et al. 2017). Where x and h differ in
    size, residual and highway give h.
    """

    def __init__(self, kind: str, input_size: int, output_size: int) -> None:
        super().__init__()
        self.kind = kind if kind == "dense" or input_size == output_size else "plain"
        self.output_size = output_size + (input_size if kind == "dense" else 0)
        self.gate = nn.Linear(input_size, output_size) if self.kind == "highway" else None

    def forward(self, x: Float[Tensor, "*rows input"], h: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows out"]:
        if self.kind == "residual":
            return x + h
        if self.kind == "dense":
            return torch.cat([x, h.to(x.dtype)], -1)
        if self.gate is not None:
            return torch.lerp(x, h.to(x.dtype), torch.sigmoid(self.gate(x) - 1).to(x.dtype))
        return h


@dataclass(frozen=True)
class Masks:
    """Dropout masks that hold for all steps of a sentence."""

    outputs: list[Float[Tensor, "batch 1 _"] | None]
    """Of the stack's input and of each layer's output; empty: nothing is dropped."""
    recurrent: list[Float[Tensor, "batch 1 hidden"] | None]
    """Of each layer's h_{t-1}."""

    def drop(self, x: Tensor, position: int) -> Tensor:
        """x, the input (0) or a layer's output (1 and up), with some of its numbers zero."""
        mask = self.outputs[position] if self.outputs else None
        return x if mask is None else x * mask


NO_MASKS = Masks([], [])


@runtime_checkable
class Look(Protocol):
    """Attention within a stack: gives the context of queries, and keeps the last one."""

    context: Tensor | None

    def __call__(self, queries: Float[Tensor, "batch time hidden"]) -> Float[Tensor, "batch time context"]: ...


Run = Callable[[Layer, Tensor, State, Mask, Look | None], tuple[Tensor, State]]
"""A layer over its input: its outputs, and the state after them."""


class DecoderStack(nn.Module):
    """Layers in one direction whose state can be carried from step to step.

    Args:
        input_size: size of the first layer's input.
        context_size: size of the context that joins the input of every layer but the first.
        within: whether the first layer, a deep-transition GRU, looks for the context between its steps; else it is
            looked for with the first layer's output.
    """

    def __init__(
        self, config: recipe.StackConfig, input_size: int, context_size: int = 0, within: bool = False
    ) -> None:
        super().__init__()
        self.sizes, layers, connections = [input_size], [], []
        for layer in range(config.layers):
            joined, between = (context_size, 0) if layer > 0 else (0, context_size if within else 0)
            layers.append(Layer(config, self.sizes[-1] + joined, context_size=between))
            connections.append(Connection(config.connections, self.sizes[-1], config.hidden_size))
            self.sizes.append(connections[-1].output_size)
        self.layers = cast(Sequence[Layer], nn.ModuleList(layers))
        self.connections = nn.ModuleList(connections)
        self.output_size = self.sizes[-1]
        self.within = within
        self.input_rate, self.rate = input_rate(config), config.dropout

    def masks(self, x: Float[Tensor, "batch time input"]) -> Masks:
        """New dropout masks for a batch; none when not training."""
        if not self.training:
            return NO_MASKS
        hidden = [(layer.cell.hidden_size, self.rate) for layer in self.layers]
        places = [(self.sizes[0], self.input_rate), *hidden]
        outputs = [dropout_mask(x, len(x), size, rate).unsqueeze(1) if rate > 0 else None for size, rate in places]
        recurrent = [layer.recurrent_mask(x, len(x)) for layer in self.layers]
        return Masks(outputs, [None if mask is None else mask.unsqueeze(1) for mask in recurrent])

    def start(self, like: Tensor, *rows: int) -> list[State]:
        """A state of zeros for each layer, its tensors [*rows, hidden]."""
        return [layer.cell.zero_state(like, *rows) for layer in self.layers]

    def forward(
        self,
        x: Float[Tensor, "batch time input"],
        state: list[State] | None = None,
        masks: Masks | None = None,
        look: Look | None = None,
    ) -> tuple[Float[Tensor, "batch time output"], list[State]]:
        """The whole sequence, layer by layer, each fused where its cell has a kernel: outputs and last states.

        Args:
            state: of each layer before the first step; None: zeros.
            masks: dropout masks; None: new ones in training, else none.
            look: gives the context that joins the upper layers' inputs, from the first layer's output.
        """

        def over_time(layer: Layer, x: Tensor, state: State, mask: Mask, _: Look | None) -> tuple[Tensor, State]:
            h, last = layer(x.transpose(0, 1), state, mask=None if mask is None else mask.squeeze(1))
            return h.transpose(0, 1), last

        masks = self.masks(x) if masks is None else masks
        state = self.start(x, len(x)) if state is None else state
        return self._climb(over_time, x, state, masks, look)

    def step(
        self,
        x: Float[Tensor, "batch beam input"],
        state: list[State],
        masks: Masks = NO_MASKS,
        look: Look | None = None,
    ) -> tuple[Float[Tensor, "batch beam output"], list[State]]:
        """One step of every layer: the same as `forward` of a sequence of one, for every hypothesis of a beam."""

        def once(layer: Layer, x: Tensor, state: State, mask: Mask, look: Look | None) -> tuple[Tensor, State]:
            following = layer.step(x, state, mask, look)
            return following[0], following

        return self._climb(once, x, state, masks, look)

    def _climb(
        self, run: Run, x: Tensor, state: list[State], masks: Masks, look: Look | None
    ) -> tuple[Tensor, list[State]]:
        """From layer to layer: the top one's output, and the state of each."""
        x = masks.drop(x, 0)
        context, following = None, []
        for i, (layer, connection) in enumerate(zip(self.layers, self.connections, strict=True)):
            mask = masks.recurrent[i] if masks.recurrent else None
            inputs = x if context is None else torch.cat([x, context.to(x.dtype)], -1)
            h, last = run(layer, inputs, state[i], mask, look if i == 0 and self.within else None)
            following.append(last)
            x = connection(x, masks.drop(h, i + 1))
            if i == 0 and look is not None:
                context = look.context if self.within else look(x)
        return x, following


class EncoderStack(nn.Module):
    """Layers over a whole padded batch, in the directions that a recipe names.

    Side by side in a layer are one direction or two; two are joined before the next layer, or,
    where directions alternate, on top alone.
    """

    def __init__(self, config: recipe.EncoderConfig, input_size: int) -> None:
        super().__init__()
        self.output_size = config.output_size(input_size, len(config.directions[-1]))
        self.joined = config.direction != "bidirectional_alternating"
        self.sizes, layers, connections = [input_size], [], []
        for directions in config.directions:
            joined = len(directions) if self.joined else 1
            layers.append(nn.ModuleList(Layer(config, self.sizes[-1], letter == "b") for letter in directions))
            connections.append(Connection(config.connections, self.sizes[-1], config.hidden_size * joined))
            self.sizes.append(connections[-1].output_size)
        self.layers = cast(Sequence[Sequence[Layer]], nn.ModuleList(layers))
        self.connections = nn.ModuleList(connections)
        self.input_rate, self.rate = input_rate(config), config.dropout

    def forward(
        self,
        x: Float[Tensor, "batch src_len input"],
        lengths: Int[Tensor, " batch"] | None = None,
        whole_state: bool = True,
    ) -> tuple[Float[Tensor, "batch src_len output"], list[State]]:
        """Every position's output (zero on padding), and each layer's last state, the directions joined.

        Args:
            lengths: tokens of each sentence, at least 1; None: all are as long as x.
            whole_state: give every tensor of the last states, not h alone (needs a slower kernel for an LSTM on a CPU).
        """
        x = self._drop(x.transpose(0, 1), self.input_rate)
        time, batch, _ = x.shape  # not len(x), which an exported graph would keep as a constant
        lengths = torch.full((batch,), time, device=x.device) if lengths is None else lengths
        inside = SequenceMask.of_lengths(lengths, time)
        columns, finals = [x, x] if not self.joined else [x], []
        for layers, connection in zip(self.layers, self.connections, strict=True):
            ins = columns if len(columns) == len(layers) else columns * len(layers)
            runs = [self._run(layer, column, inside, whole_state) for layer, column in zip(layers, ins, strict=True)]
            outputs = [torch.cat([h for h, _ in runs], -1)] if self.joined else [h for h, _ in runs]
            columns = [connection(below, self._drop(h, self.rate)) for below, h in zip(columns, outputs, strict=True)]
            finals.append(tuple(torch.cat(parts, -1) for parts in zip(*[state for _, state in runs], strict=True)))
        outside = ~inside.mask.unsqueeze(-1)
        return torch.cat(columns, -1).masked_fill(outside, 0).transpose(0, 1), finals

    def _run(self, layer: Layer, x: Tensor, inside: SequenceMask, whole_state: bool) -> tuple[Tensor, State]:
        return layer(x, None, inside, layer.recurrent_mask(x, x.shape[1]), whole_state)  # type: ignore[no-any-return]

    def _drop(self, x: Float[Tensor, "time batch size"], rate: float) -> Float[Tensor, "time batch size"]:
        if not self.training or rate == 0:
            return x
        return x * dropout_mask(x, x.shape[1], x.shape[2], rate)


def input_rate(config: recipe.StackConfig) -> float:
    """The rate of dropout on a stack's input."""
    return config.dropout if config.input_dropout is None else config.input_dropout
