"""The target side: from embedded target tokens and a memory to attentional states."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seq2seq import recipe
from seq2seq.nn import input_feeding
from seq2seq.nn.attention import make_attention
from seq2seq.nn.cells import LstmCell, State
from seq2seq.nn.encoder import Memory
from seq2seq.nn.stack import NO_MASKS, DecoderStack, Masks


@dataclass(frozen=True)
class DecoderState:
    """What a hypothesis carries from step to step; each sentence of a batch has the same number of them (the beam)."""

    layers: list[State]
    """By layer; each tensor [batch, beam, hidden]."""
    fed: Float[Tensor, "batch beam fed"] | None
    """What the last step saw (attentional state or context), where it is fed back."""
    history: Float[Tensor, "batch beam src_len"] | None
    """Where the steps before looked, where the attention depends on it."""
    attention: Float[Tensor, "batch beam src_len"] | None
    """The last step's weights over the source."""

    def select(self, rows: Int[Tensor, "kept beam"]) -> "DecoderState":
        """The state of other hypotheses, each named by its row (sentence * beam + place in the beam)."""

        def pick(part: Tensor) -> Tensor:
            return part.flatten(0, 1).index_select(0, rows.flatten()).view(*rows.shape, part.shape[-1])

        layers = [tuple(pick(part) for part in state) for state in self.layers]
        fed, history = (None if part is None else pick(part) for part in (self.fed, self.history))
        return DecoderState(layers, fed, history, None)


class Readout(nn.Module):
    """The attentional state x', from the inputs x that the recipe names, joined.

    none: x (Sutskever et al. 2014: the state); linear: W x + b; tanh: tanh(W x + b) (Luong et al. 2015, equation 5);
    maxout: the larger of each pair of W x + b (Bahdanau et al. 2015, appendix A.2.2; Goodfellow et al. 2013).

    Args:
        sizes: of each input.
    """

    def __init__(self, config: recipe.DecoderConfig, sizes: dict[str, int], output_size: int) -> None:
        super().__init__()
        self.kind, self.inputs = config.readout.kind, config.readout_inputs
        self.weight = None
        if self.kind != "none":
            rows = output_size * (2 if self.kind == "maxout" else 1)
            self.weight = nn.Linear(sum(sizes[name] for name in self.inputs), rows)

    def forward(self, **inputs: Tensor | None) -> Float[Tensor, "batch time output"]:
        parts = [part for name in self.inputs if (part := inputs[name]) is not None]
        x = torch.cat([part.to(parts[0].dtype) for part in parts], -1)
        if self.weight is None:
            return x
        x = self.weight(x)
        if self.kind == "maxout":
            x = x.unflatten(-1, (-1, 2)).amax(-1)
        return torch.tanh(x) if self.kind == "tanh" else x


class Decoder(nn.Module):
    """Recurrent layers, attention queried by one of their states, and the readout."""

    def __init__(self, config: recipe.ModelConfig) -> None:
        super().__init__()
        decoder, context_size, embedding = config.decoder, config.memory_size, config.embedding.size
        self.attend, self.feeding = decoder.attend, decoder.input_feeding
        self.fed_size = context_size if self.attend == "first" else config.output_size
        joined = context_size if self.attend == "previous" else self.fed_size * self.feeding
        self.inside = self.attend in ("first", "within")
        self.stack = DecoderStack(
            decoder, embedding + joined, context_size if self.inside else 0, self.attend == "within"
        )
        query_size = {"top": self.stack.output_size, "first": self.stack.sizes[1]}
        self.attention = make_attention(
            decoder.attention, query_size.get(self.attend, decoder.hidden_size), context_size
        )
        sizes = {"state": self.stack.output_size, "previous_state": decoder.hidden_size}
        sizes |= {"context": context_size, "token": embedding}
        self.readout = Readout(decoder, sizes, config.output_size)
        commonest = self.feeding and self.attend == "top" and self.readout.kind == "tanh"
        commonest = commonest and self.readout.inputs == ["state", "context"]
        self.loops = commonest and input_feeding.fits(self.stack, self.attention)
        """Whether the steps over a whole target are those of `input_feeding`."""

    @property
    def states(self) -> int:
        """Tensors of a layer's state."""
        return self.stack.layers[0].cell.states

    def keys(self, outputs: Float[Tensor, "batch src_len memory"]) -> Tensor:
        """The encoder's outputs as the scores need them."""
        return outputs if self.attention is None else self.attention.keys(outputs)

    def start(self, memory: Memory) -> DecoderState:
        """The state before the first token, one hypothesis a sentence."""
        batch, src_len, _ = memory.outputs.shape
        fed = memory.outputs.new_zeros(batch, 1, self.fed_size) if self.feeding else None
        follows = self.attention is not None and self.attention.follows
        history = torch.zeros_like(memory.padding).expand(batch, 1, src_len) if follows else None
        layers = [tuple(part.unsqueeze(1) for part in state) for state in memory.first]
        return DecoderState(layers, fed, history, None)

    def forward(
        self,
        embedded: Float[Tensor, "batch tgt_len embedding"],
        memory: Memory,
        with_attention: bool = False,
    ) -> tuple[Float[Tensor, "batch tgt_len output"], Float[Tensor, "batch tgt_len src_len"] | None]:
        """Teacher forcing: every position's attentional state from the reference's tokens before it.

        Where no position waits for the attention of the one before, each layer runs once over
        the sequence, and all attention is one product. Else it goes step by step.

        Args:
            with_attention: the attention's weights are wanted; else the steps are free to take the fastest way.

        Returns:
            the attentional states, and the attention's weights, with their gradient; None where there are none, or the
            fastest way does not give them.
        """
        state, masks = self.start(memory), self.masks(embedded)
        waits = self.attend in ("previous", "within") or "previous_state" in self.readout.inputs
        if state.fed is None and state.history is None and not waits:
            view = AttentionStep(self, memory, None)
            hidden, _ = self.stack(embedded, memory.first, masks, view if self.inside else None)
            output = self._read(hidden, None, view, embedded)
            return output, view.weights
        if self.loops and not with_attention:
            cell, readout = self.stack.layers[0].cell, self.readout.weight
            assert isinstance(cell, LstmCell) and readout is not None
            return input_feeding.attentional_states(cell, readout, embedded, memory, masks), None
        outputs, weights = [], []
        for t in range(embedded.shape[1]):
            output, state = self.step(embedded[:, t : t + 1], state, memory, masks)
            outputs.append(output)
            weights.append(state.attention)
        return torch.cat(outputs, 1), joined(weights)

    def step(
        self,
        embedded: Float[Tensor, "batch beam embedding"],
        state: DecoderState,
        memory: Memory,
        masks: Masks = NO_MASKS,
    ) -> tuple[Float[Tensor, "batch beam output"], DecoderState]:
        """One token of every hypothesis: its attentional state, and the next state."""
        view = AttentionStep(self, memory, state.history)
        previous = state.layers[-1][0]
        fed = view(previous) if self.attend == "previous" else state.fed
        x = embedded if fed is None else torch.cat([embedded, fed.to(embedded.dtype)], -1)
        hidden, layers = self.stack.step(x, state.layers, masks, view if self.inside else None)
        output = self._read(hidden, masks.drop(previous, len(layers)), view, embedded)
        following = (view.context if self.attend == "first" else output) if self.feeding else None
        return output, DecoderState(layers, following, view.followed(), view.weights)

    def masks(self, embedded: Float[Tensor, "batch time embedding"]) -> Masks:
        """Dropout masks that hold for all steps of a sentence."""
        return self.stack.masks(embedded)

    def _read(self, hidden: Tensor, previous: Tensor | None, view: "AttentionStep", embedded: Tensor) -> Tensor:
        if self.attend == "top" and self.attention is not None:
            view(hidden)
        output: Tensor = self.readout(state=hidden, previous_state=previous, context=view.context, token=embedded)
        return output


def joined(weights: list[Tensor | None]) -> Tensor | None:
    """The attention's weights of consecutive steps, [batch, 1, src_len] each, as one tensor; None: there are none."""
    given = [part for part in weights if part is not None]
    return torch.cat(given, 1) if given else None


class AttentionStep:
    """One look at the memory: the context, and the weights that made it."""

    def __init__(self, decoder: Decoder, memory: Memory, history: Tensor | None) -> None:
        self.attention, self.memory, self.history = decoder.attention, memory, history
        self.context: Tensor | None = None
        self.weights: Tensor | None = None

    def __call__(self, queries: Tensor) -> Tensor:
        """The context of these queries, [batch, queries, memory]."""
        assert self.attention is not None
        memory = self.memory
        self.context, self.weights = self.attention(queries, memory.keys, memory.outputs, memory.padding, self.history)
        return self.context

    def followed(self) -> Tensor | None:
        """The history for the next step."""
        if self.attention is None or self.history is None or self.weights is None:
            return None
        return self.attention.follow(self.history, self.weights)
