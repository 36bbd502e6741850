"""A torch model as a scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.batching import pad
from seq2seq.data.tokenization import BOS, UNK
from seq2seq.nn.decoder import DecoderState
from seq2seq.nn.encoder import Memory
from seq2seq.nn.packing import packed
from seq2seq.nn.seq2seq import Seq2Seq


@runtime_checkable
class Model(Protocol):
    """What searching needs of a model (see `nn.seq2seq.Seq2Seq`)."""

    def encode(self, src: Tensor, src_lengths: Tensor) -> Memory: ...
    def start(self, memory: Memory) -> DecoderState: ...
    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState]: ...


@dataclass(frozen=True)
class ModelState:
    """A batch's memory and its hypotheses' state."""

    memory: Memory
    decoder: DecoderState

    @property
    def attention(self) -> np.ndarray | None:
        """Where the last step looked [sentences, beam, src_len]."""
        looked = self.decoder.attention
        return None if looked is None else looked.float().cpu().numpy()

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> ModelState:
        device = self.memory.outputs.device
        memory = self.memory
        if sentences is not None:
            memory = memory.select(torch.from_numpy(sentences).to(device))
        return ModelState(memory, self.decoder.select(torch.from_numpy(rows).to(device)))


class TorchLogits:
    """Logits in a tensor, on any device; what leaves it is small.

    Args:
        values: taken over, and changed.
        normalizer: of these values; None: to be computed.
    """

    def __init__(
        self, values: Float[Tensor, "open beam vocab"], normalizer: Float[Tensor, "open beam"] | None = None
    ) -> None:
        self.values = values
        self.normalizer = log_sum_exp(values) if normalizer is None else normalizer
        values[..., : BOS + 1] = -torch.inf  # <pad> and <s>
        values[..., UNK] = -torch.inf

    def top(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows, beam, vocab = self.values.shape
        k = min(k, vocab)
        best, tokens = top_k(self.values.flatten(0, 1), k)
        best = best.view(rows, beam, k).double() - self.normalizer.unsqueeze(-1)
        return best.cpu().numpy(), tokens.view(rows, beam, k).cpu().numpy()

    def take(self, parents: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        device = self.values.device
        rows, at, which = torch.arange(len(parents))[:, None], torch.from_numpy(parents), torch.from_numpy(tokens)
        rows, at, which = rows.to(device), at.to(device), which.to(device)
        taken: np.ndarray = (self.values[rows, at, which].double() - self.normalizer[rows, at]).cpu().numpy()
        return taken

    def log_probabilities(self) -> np.ndarray:
        found: np.ndarray = (self.values - self.normalizer.unsqueeze(-1)).cpu().numpy()
        return found

    def copy(self) -> TorchLogits:
        return TorchLogits(self.values.clone(), self.normalizer)


class ModelScorer:
    """Scores tokens with a torch model, where its weights are.

    Args:
        model: in eval mode.
        device: that it is on.
    """

    def __init__(self, model: Model, device: torch.device) -> None:
        self.model, self.device = packed(model) if isinstance(model, Seq2Seq) else model, device

    @torch.no_grad()
    def start(self, sources: Sequence[Sequence[int]]) -> ModelState:
        src, lengths = pad(sources)
        memory = self.model.encode(src.to(self.device), lengths.to(self.device))
        return ModelState(memory, self.model.start(memory))

    @torch.no_grad()
    def step(self, tokens: np.ndarray, state: ModelState) -> tuple[TorchLogits, ModelState]:
        ids = torch.from_numpy(np.ascontiguousarray(tokens)).to(self.device)
        logits, following = self.model.step(ids, state.decoder, state.memory)
        return TorchLogits(logits), ModelState(state.memory, following)


def log_sum_exp(values: Float[Tensor, "*rows vocab"]) -> Float[Tensor, "*rows"]:
    """Of logits, by the kernel of log softmax, which takes half the time of torch.logsumexp on a CPU."""
    values = values if values.dtype == torch.double else values.float()
    return values[..., -1] - torch.log_softmax(values, -1)[..., -1]


def top_k(
    values: Float[Tensor, "rows width"], k: int, block: int = 64
) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
    """`values.topk(k)`, in two passes where that is faster: the k best are in the k blocks of the largest maxima."""
    width = values.shape[-1]
    blocks = -(-width // block)
    if blocks < 4 * k or values.device.type != "cpu":
        return tuple(values.topk(k, -1))  # type: ignore[return-value]
    return top_of_blocks(values, k, block)


def top_of_blocks(
    values: Float[Tensor, "rows width"], k: int, block: int
) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
    """`values.topk(k)` in two passes; sizes may be those of a graph that is being exported."""
    rows, width = values.shape
    blocks = width // block
    whole = blocks * block
    body = values[:, :whole].unflatten(-1, (blocks, block))
    chosen = body.amax(-1).topk(torch.sym_min(k, blocks), -1).indices
    first = torch.arange(rows).unsqueeze(-1) * blocks
    inside = body.flatten(0, 1).index_select(0, (chosen + first).flatten()).reshape(rows, -1)
    best, places = torch.cat([inside, values[:, whole:]], -1).topk(k, -1)
    starts = torch.nn.functional.pad(chosen * block, (0, 1), value=whole)
    return best, starts.gather(1, places // block) + places % block
