"""Batches of sentences of like length, under a budget of tokens, in an order that can be taken up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq.data.alignment import as_targets
from seq2seq.data.tokenization import BOS, PAD

POOL = 50
"""Batches that are sorted by length together: enough for little padding, few enough for a random order."""

Ints = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Sentence pairs as padded tokens; every sentence ends with </s>."""

    src: Tensor
    """[batch, src_len]"""
    src_lengths: Tensor
    """[batch] tokens of each source, </s> included."""
    tgt_input: Tensor
    """[batch, tgt_len] <s> and the target without its </s>."""
    tgt_output: Tensor
    """[batch, tgt_len] the target."""
    tgt_tokens: int
    """Target tokens, padding left out."""
    alignment: Tensor | None = None
    """[batch, tgt_len, src_len] where each target token should look: a row's sum is 1, or 0 where nothing says."""

    @property
    def aligned(self) -> int:
        """Target tokens that are aligned."""
        return 0 if self.alignment is None else int(self.alignment.any(-1).sum())

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        return replace(self, **{name: t.to(device, non_blocking=True) for name, t in self._tensors().items()})

    def repeated(self, times: int) -> Batch:
        """The batch some times over, row after row."""
        tensors = {name: torch.cat([tensor] * times) for name, tensor in self._tensors().items()}
        return self if times == 1 else replace(self, **tensors, tgt_tokens=times * self.tgt_tokens)

    def split(self, parts: int) -> list[Batch]:
        """About so many smaller batches, of at least a sentence each."""
        size = max(1, len(self.src) // parts)
        tensors = self._tensors()
        pieces = zip(*(tensor.split(size) for tensor in tensors.values()), strict=True)
        smaller = [replace(self, **dict(zip(tensors, piece, strict=True))) for piece in pieces]
        return [replace(part, tgt_tokens=int((part.tgt_output != PAD).sum())) for part in smaller]

    def _tensors(self) -> dict[str, Any]:
        """By name; each with a row a sentence."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


def pad(sequences: Sequence[Sequence[int] | Ints]) -> tuple[Tensor, Tensor]:
    """Token lists as one tensor [batch, longest], padded behind, and their lengths [batch]."""
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    padded = np.full((len(sequences), int(lengths.max())), PAD, dtype=np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded), torch.from_numpy(lengths)


def collate(src: Sequence[Ints], tgt: Sequence[Ints], links: Sequence[npt.NDArray[np.int32]] | None = None) -> Batch:
    """A batch from token lists that end with </s>.

    Args:
        links: of each pair's tokens, by alignment; None: they are not aligned.
    """
    src_padded, src_lengths = pad(src)
    tgt_output, tgt_lengths = pad(tgt)
    alignment = None if links is None else as_targets(links, tgt_output.shape[1], src_padded.shape[1])
    return Batch(src_padded, src_lengths, shifted(tgt_output), tgt_output, int(tgt_lengths.sum()), alignment)


def shifted(tgt_output: Tensor) -> Tensor:
    """What the decoder is fed before it writes each token [batch, tgt_len]: <s>, then the tokens before."""
    # Where a shorter sentence's </s> is shifted in, padding stands in its output: it is never scored.
    return torch.cat([torch.full_like(tgt_output[:, :1], BOS), tgt_output[:, :-1]], 1)


@dataclass(frozen=True)
class Plan:
    """Which pairs make up which batch: batch i is order[starts[i]:starts[i + 1]]."""

    order: Ints
    starts: Ints

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> Ints:
        return self.order[self.starts[i] : self.starts[i + 1]]


def plan_epoch(
    src_lengths: Ints,
    tgt_lengths: Ints,
    tokens: int,
    seed: int,
    epoch: int,
    weights: npt.NDArray[np.float64] | None = None,
    ascending: bool = False,
) -> Plan:
    """The batches of an epoch, the same for the same seed and epoch.

    Args:
        src_lengths, tgt_lengths: tokens of each pair's sides [pairs].
        tokens: the budget: sentences times the longest side's tokens. A longer sentence stands alone.
        weights: how often each pair is seen, on average [pairs]; None: once.
        ascending: batches of short sentences first, not in random order.
    """
    random = np.random.default_rng([seed, epoch])
    indices = np.arange(len(src_lengths), dtype=np.int32)
    if weights is not None:
        whole = np.floor(weights)
        indices = np.repeat(indices, (whole + (random.random(len(weights)) < weights - whole)).astype(np.int64))
    random.shuffle(indices)
    longest = np.maximum(src_lengths, tgt_lengths)
    pool = max(1, int(POOL * tokens / max(1.0, float(longest.mean()))))
    batches: list[Ints] = []
    for start in range(0, len(indices), pool):
        batches += _cut(_by_length(indices[start : start + pool], src_lengths, tgt_lengths, random), longest, tokens)
    order = random.permutation(len(batches))
    if ascending:
        order = order[np.argsort([longest[batches[i]].max() for i in order], kind="stable")]
    shuffled = [batches[i] for i in order]
    starts = np.cumsum([0, *(len(batch) for batch in shuffled)])
    return Plan(np.concatenate(shuffled) if shuffled else indices, starts)


def plan_in_order_of_length(src_lengths: Ints, tgt_lengths: Ints, tokens: int) -> Plan:
    """Batches of all pairs from short to long, without chance: for validation and scoring."""
    order = np.lexsort((src_lengths, tgt_lengths))
    batches = _cut(order, np.maximum(src_lengths, tgt_lengths), tokens)
    return Plan(order, np.cumsum([0, *(len(batch) for batch in batches)]))


def _by_length(indices: Ints, src_lengths: Ints, tgt_lengths: Ints, random: np.random.Generator) -> Ints:
    """Sorted by target length, then source length; among equals in random order."""
    chance = random.random(len(indices))
    return indices[np.lexsort((chance, src_lengths[indices], tgt_lengths[indices]))]


def _cut(ordered: Ints, longest: Ints, tokens: int) -> list[Ints]:
    """Consecutive runs of `ordered`, each within the budget."""
    batches, start, widest = [], 0, 0
    for i, length in enumerate(longest[ordered].tolist()):
        widest = max(widest, length)
        if i > start and widest * (i + 1 - start) > tokens:
            batches.append(ordered[start:i])
            start, widest = i, length
    if start < len(ordered):
        batches.append(ordered[start:])
    return batches
