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
        self.normalizer = torch.logsumexp(values if values.dtype == torch.double else values.float(), -1)
        if normalizer is not None:
            self.normalizer = normalizer
        values[..., : BOS + 1] = -torch.inf  # <pad> and <s>
        values[..., UNK] = -torch.inf

    def top(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows, beam, _ = self.values.shape
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
        self.model, self.device = model, device

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


def top_k(
    values: Float[Tensor, "rows width"], k: int, block: int = 64
) -> tuple[Float[Tensor, "rows k"], Int[Tensor, "rows k"]]:
    """`values.topk(k)`, in two passes where that is faster: the k best are in the k blocks of the largest maxima."""
    width = values.shape[-1]
    blocks = -(-width // block)
    if blocks < 4 * k or values.device.type != "cpu":
        return tuple(values.topk(k, -1))  # type: ignore[return-value]
    whole = width // block * block
    body, rest = values[:, :whole].unflatten(-1, (-1, block)), values[:, whole:]
    chosen = body.amax(-1).topk(k, -1).indices
    inside = body.gather(1, chosen.unsqueeze(-1).expand(-1, -1, block)).flatten(1)
    best, places = torch.cat([inside, rest], -1).topk(k, -1)
    tokens = chosen.gather(1, (places // block).clamp_max(k - 1)) * block + places % block
    return best, torch.where(places < k * block, tokens, whole + places - k * block)
