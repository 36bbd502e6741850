"""The source side: from token embeddings to a memory, and from the encoder's last states to the decoder's first."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells import State
from seq2seq.nn.cells.base import ACTIVATIONS
from seq2seq.nn.stack import EncoderStack


@dataclass(frozen=True)
class Memory:
    """What the decoder may know of a batch of source sentences."""

    outputs: Float[Tensor, "batch src_len memory"]
    """The encoder's output at each position, zero on padding."""
    keys: Float[Tensor, "batch src_len key_size"]
    """The outputs as the attention's scores need them."""
    padding: Float[Tensor, "batch 1 src_len"]
    """0, or -inf on padding: to be added to scores."""
    first: list[State]
    """The decoder's first state, by layer, each tensor [batch, hidden]."""

    def select(self, rows: Int[Tensor, " kept"]) -> "Memory":
        """The memory of some of the sentences."""
        return replace(
            self,
            outputs=self.outputs[rows],
            keys=self.keys[rows],
            padding=self.padding[rows],
            first=[tuple(part[rows] for part in state) for state in self.first],
        )


class Encoder(nn.Module):
    """Recurrent layers over the source, a projection where the recipe has one, and the bridge to the decoder."""

    def __init__(self, config: recipe.ModelConfig, states: int) -> None:
        super().__init__()
        self.stack = EncoderStack(config.encoder, config.embedding.size)
        projection = config.encoder.projection
        self.projection = None if projection is None else Projection(projection, self.stack.output_size, config)
        self.bridge = Bridge(config, states)

    def forward(
        self,
        embedded: Float[Tensor, "batch src_len embedding"],
        lengths: Int[Tensor, " batch"],
        make_keys: Callable[[Tensor], Tensor],
    ) -> Memory:
        outputs, finals = self.stack(embedded, lengths, whole_state=self.bridge.kind == "copy")
        positions = torch.arange(embedded.shape[1], device=embedded.device)
        outside = (positions >= lengths.unsqueeze(1)).unsqueeze(1)
        padding = torch.zeros(outside.shape, device=embedded.device, dtype=outputs.dtype).masked_fill_(
            outside, -torch.inf
        )
        last = finals[-1][0]
        if self.projection is not None:
            outputs, last = self.projection(outputs).masked_fill(outside.transpose(1, 2), 0), self.projection(last)
        if self.bridge.kind == "project_mean":
            last = outputs.sum(1) / lengths.unsqueeze(1)
        return Memory(outputs, make_keys(outputs), padding, self.bridge(last, finals))


class Projection(nn.Module):
    """act(V h + b), of each output and of the last state: the summary c of Cho et al. 2014, appendix A.1.1."""

    def __init__(self, config: recipe.ProjectionConfig, input_size: int, model: recipe.ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Linear(input_size, model.memory_size)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, h: Float[Tensor, "*rows hidden"]) -> Float[Tensor, "*rows memory"]:
        return self.activation(self.weight(h))


class Bridge(nn.Module):
    """The decoder's first states from what the encoder ends with.

    project: h = tanh(W s), c = W' s for each decoder layer, s the top encoder layer's last h of
    all directions; project_backward: of the backward one alone (Bahdanau et al. 2015, appendix
    A.2.2); project_mean: s the mean of the encoder's outputs (Sennrich et al. 2017, section 3).
    copy: layer to layer, h to h and c to c (Sutskever et al. 2014).
    """

    def __init__(self, config: recipe.ModelConfig, states: int) -> None:
        super().__init__()
        self.kind, self.states = config.bridge, states
        self.layers, self.size = config.decoder.layers, config.decoder.hidden_size
        encoder, directions = config.encoder, config.encoder.directions[-1]
        first, size = 0, encoder.hidden_size * len(directions)
        if self.kind == "project_backward":
            first, size = directions.index("b") * encoder.hidden_size, encoder.hidden_size
        elif self.kind == "project_mean" or encoder.projection is not None:
            size = config.memory_size
        self.part = slice(first, first + size)
        if self.kind.startswith("project"):
            self.weight = nn.Linear(size, self.layers * states * self.size)

    def forward(self, last: Float[Tensor, "batch size"], finals: list[State]) -> list[State]:
        """The state of each decoder layer.

        Args:
            last: s of the equations.
            finals: the last states of the encoder's layers.
        """
        if self.kind == "copy":
            return finals
        if self.kind == "zero":
            zero = last.new_zeros(last.shape[0], self.size)
            return [(zero,) * self.states] * self.layers
        parts = self.weight(last[..., self.part]).chunk(self.layers * self.states, -1)
        groups = [parts[i : i + self.states] for i in range(0, len(parts), self.states)]
        return [(torch.tanh(h), *rest) for h, *rest in groups]
