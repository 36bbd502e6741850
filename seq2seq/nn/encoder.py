"""The source side: from token embeddings to a memory, and from the encoder's last states to the decoder's first."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.cells import State
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
    """Recurrent layers over the source, and the bridge to the decoder."""

    def __init__(self, config: recipe.ModelConfig, states: int) -> None:
        super().__init__()
        self.stack = EncoderStack(config.encoder, config.embedding.size)
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
        return Memory(outputs, make_keys(outputs), padding, self.bridge(finals))


class Bridge(nn.Module):
    """The decoder's first states from the encoder's last ones.

    project: h = tanh(W s), c = W' s for each decoder layer, s the top encoder layer's last h
    of all directions (as Bahdanau et al. 2015, appendix A.2.2, but from both directions).
    copy: layer to layer, h to h and c to c (Sutskever et al. 2014).
    """

    def __init__(self, config: recipe.ModelConfig, states: int) -> None:
        super().__init__()
        self.kind, self.states = config.bridge, states
        self.layers, self.size = config.decoder.layers, config.decoder.hidden_size
        if self.kind == "project":
            top = config.encoder.hidden_size * len(config.encoder.directions[-1])
            self.weight = nn.Linear(top, self.layers * states * self.size)

    def forward(self, finals: list[State]) -> list[State]:
        if self.kind == "copy":
            return finals
        last = finals[-1][0]
        if self.kind == "zero":
            zero = last.new_zeros(last.shape[0], self.size)
            return [(zero,) * self.states] * self.layers
        parts = self.weight(last).chunk(self.layers * self.states, -1)
        groups = [parts[i : i + self.states] for i in range(0, len(parts), self.states)]
        return [(torch.tanh(h), *rest) for h, *rest in groups]
