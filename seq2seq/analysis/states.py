"""What recurrent states hold: how long, how far in their limits, and which other words they are most like.

Gates are saturated below 0.1 and above 0.9, as Karpathy et al. 2016 count them. A unit whose gate f keeps
c_t = f_t c_{t-1} + ... has 1/e of it left after 1 / -mean(log f) steps: its memory (Tallec & Ollivier 2018 reason so).
The heat map and the nearest states are after LSTMVis (Strobelt et al. 2018).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from seq2seq.analysis.recording import Recording, recorded
from seq2seq.bundle import Bundle
from seq2seq.data.batching import shifted
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.nn.layer import Layer

LOW, HIGH = 0.1, 0.9
LONGEST_MEMORY = 1e6
"""Steps: a gate that is 1 in fp32 keeps for ever."""
UNITS, NEAREST = 48, 3
CONTEXT = 4
"""Tokens shown on either side of a near state's."""
SHORTEST, LONGEST = 6, 20
"""Tokens of the sentence that is shown."""


@dataclass(frozen=True)
class Gate:
    """Of a gate's values, over all steps and units: their mean, and the shares below LOW and above HIGH."""

    name: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Near:
    """A state like another."""

    similarity: float
    """Cosine of the two."""
    token: str
    before: str
    behind: str


@dataclass(frozen=True)
class LayerStates:
    """One layer in one direction."""

    name: str
    units: int
    gates: list[Gate]
    memory: list[float] | None
    """Steps, the units' quantiles 0.1, 0.25, 0.5, 0.75, 0.9; None: the cell has no gate that keeps."""
    mean_size: float
    """Of |h|."""
    saturated: float
    """Share of |h| above HIGH."""
    idle: float
    """Share of the units whose h is always within 0.01 of the same value."""
    shown_units: list[int]
    """Those that vary most over the sentence that is shown."""
    heat: list[list[float]]
    """Their h at each of its tokens [units, tokens]."""
    nearest: list[list[Near]]
    """For each of its tokens states of other sentences."""


@dataclass(frozen=True)
class Study:
    """What was found, by layer; the tokens of the sentence that is shown."""

    sentences: int
    src_tokens: list[str]
    tgt_tokens: list[str]
    """That the decoder reads: <s> and the reference."""
    layers: list[LayerStates]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def layers_of(bundle: Bundle) -> dict[str, Layer]:
    """By name: encoder 1 forward, encoder 1 backward, ..., decoder 1, ..."""
    found = {}
    if bundle.model.sees_source:
        for i, side_by_side in enumerate(bundle.model.encoder.stack.layers, 1):
            for layer in side_by_side:
                found[f"encoder {i} {'backward' if layer.reverse else 'forward'}"] = layer
    for i, layer in enumerate(bundle.model.decoder.stack.layers, 1):
        found[f"decoder {i}"] = layer
    return found


def study(bundle: Bundle, sources: Sequence[str], targets: Sequence[str]) -> Study:
    """Have a model read the sources and write the targets, and look at its states.

    Args:
        sources, targets: equally many texts, at least one, none blank. Of those of a length to look at, the first is
            shown.
    """
    tokens = [
        [[*ids, EOS] for ids in tokenizer.encode_batch(texts)]
        for tokenizer, texts in ((bundle.src_tokenizer, sources), (bundle.tgt_tokenizer, targets))
    ]
    read = [[BOS, *ids[:-1]] for ids in tokens[1]]
    shown = next((i for i, ids in enumerate(tokens[0]) if SHORTEST <= len(ids) <= LONGEST), 0)
    layers = layers_of(bundle)
    with contextlib.ExitStack() as stack:
        recordings = {name: stack.enter_context(recorded(layer)) for name, layer in layers.items()}
        _read_and_write(bundle, *tokens)
    names = [
        [bundle.src_tokenizer.tokens(ids) for ids in tokens[0]],
        [bundle.tgt_tokenizer.tokens(ids) for ids in read],
    ]
    found = [
        _layer(name, recording, names[name.startswith("decoder")], shown) for name, recording in recordings.items()
    ]
    return Study(len(sources), names[0][shown], names[1][shown], found)


@torch.no_grad()
def _read_and_write(bundle: Bundle, sources: Sequence[list[int]], targets: Sequence[list[int]]) -> None:
    """Sentence by sentence: no padding is among the states."""
    model, device = bundle.model, bundle.model.output.weight.device
    for source, target in zip(sources, targets, strict=True):
        src, tgt = (torch.tensor([ids], device=device) for ids in (source, target))
        model(src, torch.tensor([len(source)], device=device), shifted(tgt), with_attention=True)


def _layer(name: str, recording: Recording, names: Sequence[Sequence[str]], shown: int) -> LayerStates:
    h = torch.cat([part[0] for part in recording.states]).float().cpu().numpy()
    ends = np.cumsum([len(of) for of in names])
    start, end = int(ends[shown]) - len(names[shown]), int(ends[shown])
    units = np.sort(np.argsort(-h[start:end].std(0), kind="stable")[:UNITS])
    return LayerStates(
        name, h.shape[1], [_gate(key, _joined(recording, key)) for key in recording.gates], _memory(recording),
        float(np.abs(h).mean()), float((np.abs(h) > HIGH).mean()), float((np.ptp(h, 0) < 0.01).mean()),
        units.tolist(), h[start:end, units].T.round(3).tolist(), _nearest(h, names, start, end),
    )  # fmt: skip


def _joined(recording: Recording, gate: str) -> np.ndarray:
    """What a gate gave [steps, units]."""
    found: np.ndarray = torch.cat([part.flatten(0, -2) for part in recording.gates[gate]]).float().cpu().numpy()
    return found


def _gate(name: str, values: np.ndarray) -> Gate:
    return Gate(name, float(values.mean()), float((values < LOW).mean()), float((values > HIGH).mean()))


def _memory(recording: Recording) -> list[float] | None:
    if recording.keeping is None:
        return None
    logs = np.log(np.maximum(_joined(recording, recording.keeping).astype(np.float64), 1e-30)).mean(0)
    steps = 1 / np.maximum(-logs, 1 / LONGEST_MEMORY)
    return [round(float(q), 3) for q in np.quantile(steps, (0.1, 0.25, 0.5, 0.75, 0.9))]


def _nearest(h: np.ndarray, names: Sequence[Sequence[str]], start: int, end: int) -> list[list[Near]]:
    """For each state from `start` to `end` the most similar ones of other sentences."""
    places = [(i, j) for i, of in enumerate(names) for j in range(len(of))]
    unit = h / np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-12)
    found = []
    for row in range(start, end):
        likeness = unit @ unit[row]
        likeness[start:end] = -math.inf
        best = np.argsort(-likeness, kind="stable")[: min(NEAREST, len(h) - (end - start))]
        found.append([_near(float(likeness[i]), names[places[i][0]], places[i][1]) for i in best])
    return found


def _near(similarity: float, tokens: Sequence[str], place: int) -> Near:
    before, behind = tokens[max(0, place - CONTEXT) : place], tokens[place + 1 : place + 1 + CONTEXT]
    return Near(round(similarity, 3), tokens[place], " ".join(before), " ".join(behind))
