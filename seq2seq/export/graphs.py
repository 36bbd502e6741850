"""What is exported of a model: the encoder, and one step of the decoder, as modules of plain tensors.

The step ends with the best extensions of each hypothesis, so that a vocabulary's logits never leave the graph.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from seq2seq.data.tokenization import BOS, PAD, UNK
from seq2seq.decoding.model_scorer import top_of_blocks
from seq2seq.nn.cells import State
from seq2seq.nn.cells.base import Mask
from seq2seq.nn.decoder import DecoderState
from seq2seq.nn.encoder import Memory
from seq2seq.nn.layer import Layer, SequenceMask
from seq2seq.nn.packing import undo_weight_dropout
from seq2seq.nn.seq2seq import Seq2Seq

NEVER_WRITTEN = [PAD, BOS, UNK]
BLOCK, MIN_BLOCKS = 64, 32
"""The largest logits are looked for among blocks of so many, where there are enough of them."""


def exportable(model: Seq2Seq) -> Seq2Seq:
    """A copy on the CPU, in fp32, whose encoder runs over time in a form that graphs can hold."""
    model = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    # Untied: a weight that is looked up in too is not quantized.
    model.output.weight = nn.Parameter(model.output.weight.detach().clone(), requires_grad=False)
    undo_weight_dropout(model)
    for module in model.encoder.modules():
        if isinstance(module, Layer):
            module.__class__ = ScannedLayer
    return model


class ScannedLayer(Layer):
    """A layer over any number of steps: its cell's equations in a scan, whichever kernel the cell has."""

    def _run(
        self, x: Tensor, state: State, inside: SequenceMask | None, mask: Mask, whole_state: bool
    ) -> tuple[Tensor, State]:
        assert inside is not None

        def once(state: State, now: tuple[Tensor, Tensor]) -> tuple[State, Tensor]:
            projected, going = now
            following = self._advance(projected, state, mask)
            kept = (torch.where(going, new, old) for new, old in zip(following, state, strict=True))
            return tuple(kept), following[0].clone()

        final, outputs = scan(once, state, (self.cell.project(x), inside.mask.unsqueeze(-1)))
        return outputs, final


def named_parts(memory: Memory, state: DecoderState) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What goes into every step, of the source and of the hypotheses, by name; what the model lacks is not there."""
    source = {"outputs": memory.outputs, "keys": memory.keys, "padding": memory.padding}
    if memory.keys is memory.outputs:
        del source["keys"]
    parts = {f"layer{i}.{j}": part for i, layer in enumerate(state.layers) for j, part in enumerate(layer)}
    fed = {"fed": state.fed, "history": state.history}
    return source, parts | {name: part for name, part in fed.items() if part is not None}


class EncoderGraph(nn.Module):
    """Source tokens [batch, src_len] and their lengths [batch] to `named_parts`, one after the other."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(self, src: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        memory = self.model.encode(src, lengths)
        source, state = named_parts(memory, self.model.start(memory))
        return *source.values(), *state.values()


class StepGraph(nn.Module):
    """One step of every hypothesis.

    Args (of the call):
        tokens: the last of each hypothesis [batch, beam].
        count: how many extensions of each are wanted.
        source, state: of `named_parts`.

    Returns (of the call):
        the logits [batch, beam, vocab] and log sum exp of them [batch, beam], the largest logits and their tokens
        [batch, beam, count] without those that are never written, the next state's tensors, and the attention
        [batch, beam, src_len] where there is one.
    """

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Tensor, count: int, source: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> tuple[Tensor, ...]:
        output, rest = _advance(self.model, tokens, source, state)
        logits = self.model.logits(output)
        best, words = largest(logits, count + len(NEVER_WRITTEN))
        never = torch.stack([words == token for token in NEVER_WRITTEN]).any(0)
        best, places = torch.topk(best.masked_fill(never, -torch.inf), count, -1)
        return logits, _log_sum_exp(logits), best, words.gather(-1, places), *rest


class ShortStepGraph(nn.Module):
    """`StepGraph` with an output layer of some words alone.

    Args (of the call):
        shortlist: the words, without those that are never written [short].

    Returns (of the call):
        log sum exp of these words' logits, the largest of them and their tokens, and the rest as `StepGraph` does.
    """

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Tensor, count: int, shortlist: Tensor, source: Mapping[str, Tensor], state: Mapping[str, Tensor]
    ) -> tuple[Tensor, ...]:
        output, rest = _advance(self.model, tokens, source, state)
        weight, bias = (part.index_select(0, shortlist) for part in (self.model.output.weight, self.model.output.bias))
        logits = torch.nn.functional.linear(output, weight, bias)
        best, places = torch.topk(logits, count, -1)
        return _log_sum_exp(logits), best, shortlist[places], *rest


def _advance(
    model: Seq2Seq, tokens: Tensor, source: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """The attentional states; the next state's tensors, and the attention where there is one."""
    memory = Memory(source["outputs"], source.get("keys", source["outputs"]), source["padding"], [])
    size = model.decoder.states
    parts = [part for name, part in state.items() if name.startswith("layer")]
    layers = [tuple(parts[i : i + size]) for i in range(0, len(parts), size)]
    output, following = model.advance(
        tokens, DecoderState(layers, state.get("fed"), state.get("history"), None), memory
    )
    _, carried = named_parts(memory, following)
    look = [] if following.attention is None else [following.attention.clone()]
    return output, [*carried.values(), *look]


def largest(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each hypothesis, and where they stand."""
    if logits.shape[-1] // BLOCK < MIN_BLOCKS:
        return tuple(torch.topk(logits, k, -1))  # type: ignore[return-value]
    best, words = top_of_blocks(logits.flatten(0, 1), k, BLOCK)
    return best.unflatten(0, logits.shape[:2]), words.unflatten(0, logits.shape[:2])


def _log_sum_exp(logits: Tensor) -> Tensor:
    """By log softmax: ONNX Runtime's own is slow."""
    return logits[..., 0] - torch.log_softmax(logits, -1)[..., 0]
