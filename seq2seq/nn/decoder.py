"""The target side: from embedded target tokens and a memory to attentional states."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn.attention import make_attention
from seq2seq.nn.cells import State
from seq2seq.nn.encoder import Memory
from seq2seq.nn.stack import DecoderStack, Masks


@dataclass(frozen=True)
class DecoderState:
    """What a hypothesis carries from step to step; each sentence of a batch has the same number of them (the beam)."""

    layers: list[State]
    """By layer; each tensor [batch, beam, hidden]."""
    fed: Float[Tensor, "batch beam output"] | None
    """The last attentional state, where it is fed back."""
    attention: Float[Tensor, "batch beam src_len"] | None
    """The last step's weights over the source."""

    def select(self, rows: Int[Tensor, "kept beam"]) -> "DecoderState":
        """The state of other hypotheses, each named by its row (sentence * beam + place in the beam)."""

        def pick(part: Tensor) -> Tensor:
            return part.flatten(0, 1).index_select(0, rows.flatten()).view(*rows.shape, part.shape[-1])

        layers = [tuple(pick(part) for part in state) for state in self.layers]
        return DecoderState(layers, None if self.fed is None else pick(self.fed), None)


class Decoder(nn.Module):
    """Recurrent layers, attention queried by the top one, and the attentional state.

    a_t = tanh(W [h_t; context_t]) (Luong et al. 2015, equation 5). Without attention it is
    tanh(W h_t), or h_t itself where the sizes agree (Sutskever et al. 2014).
    """

    def __init__(self, section: recipe.Model, output_size: int) -> None:
        super().__init__()
        decoder, memory_size = section.decoder, section.memory_size
        self.feeding = decoder.input_feeding
        self.stack = DecoderStack(decoder, section.embedding.size + (output_size if self.feeding else 0))
        self.attention = make_attention(decoder.attention, decoder.hidden_size, memory_size)
        combined = decoder.hidden_size + (memory_size if self.attention else 0)
        self.combine = nn.Linear(combined, output_size) if self.attention or combined != output_size else None
        self.output_size = output_size

    @property
    def states(self) -> int:
        """Tensors of a layer's state."""
        return self.stack.cells[0].states

    def keys(self, outputs: Float[Tensor, "batch src_len memory"]) -> Tensor:
        """The encoder's outputs as the scores need them."""
        return outputs if self.attention is None else self.attention.keys(outputs)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first token, one hypothesis a sentence."""
        fed = None
        if self.feeding:
            fed = memory.outputs.new_zeros(memory.outputs.shape[0], 1, self.output_size)
        layers = [tuple(part.unsqueeze(1) for part in state) for state in memory.first]
        return DecoderState(layers, fed, None)

    def forward(
        self, embedded: Float[Tensor, "batch tgt_len embedding"], memory: Memory
    ) -> Float[Tensor, "batch tgt_len output"]:
        """Teacher forcing: every position's attentional state from the reference's tokens before it.

        Without input feeding no position waits for the attention of the one before: each layer
        runs once over the sequence, and all attention is one product.
        """
        if not self.feeding:
            hidden = self.stack(embedded, memory.first, self.stack.masks(embedded))
            return self._attend(hidden, memory)[0]
        state, masks = self.start(memory), self.masks(embedded)
        outputs = []
        for t in range(embedded.shape[1]):
            output, state = self.step(embedded[:, t : t + 1], state, memory, masks)
            outputs.append(output)
        return torch.cat(outputs, 1)

    def step(
        self, embedded: Float[Tensor, "batch beam embedding"], state: DecoderState, memory: Memory, masks: Masks = None
    ) -> tuple[Float[Tensor, "batch beam output"], DecoderState]:
        """One token of every hypothesis: its attentional state, and the next state."""
        x = embedded if state.fed is None else torch.cat([embedded, state.fed.to(embedded.dtype)], -1)
        hidden, layers = self.stack.step(x, state.layers, masks)
        output, weights = self._attend(hidden, memory)
        return output, DecoderState(layers, output if self.feeding else None, weights)

    def masks(self, embedded: Float[Tensor, "batch time embedding"]) -> Masks:
        """Dropout masks that hold for all steps of a sentence."""
        return self.stack.masks(embedded)

    def _attend(self, hidden: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        weights = None
        if self.attention is not None:
            context, weights = self.attention(hidden, memory.keys, memory.outputs, memory.padding)
            hidden = torch.cat([hidden, context.to(hidden.dtype)], -1)
        return (hidden if self.combine is None else torch.tanh(self.combine(hidden))), weights
