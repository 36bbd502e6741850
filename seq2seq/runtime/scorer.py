"""An exported model's graphs in ONNX Runtime, as a scorer for `seq2seq.decoding.search`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.data.tokenization import PAD
from seq2seq.decoding.scorer import NumpyLogits
from seq2seq.errors import UserError
from seq2seq.runtime.shortlist import Shortlist

SOURCE = ("outputs", "keys", "padding")
"""Names of what the decoder knows of the source, [batch, ...]; all else that goes from step to step is of a hypothesis,
[batch, beam, size]."""
NEVER_WRITTEN = 3
"""Tokens that a step leaves out of the best ones: <pad>, <s>, <unk>."""


@dataclass(frozen=True)
class OnnxState:
    """What a batch's hypotheses carry from step to step."""

    source: Mapping[str, np.ndarray]
    carried: Mapping[str, np.ndarray]
    shortlist: np.ndarray | None = None
    """Words among which steps look for the best; None: all."""
    attention: np.ndarray | None = None
    """Where the last step looked [sentences, beam, src_len]; None: the model has no attention."""

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> OnnxState:
        source = self.source
        if sentences is not None:
            source = {name: part[sentences] for name, part in source.items()}
        carried = {name: part.reshape(-1, part.shape[-1])[rows] for name, part in self.carried.items()}
        return OnnxState(source, carried, self.shortlist)


class OnnxLogits(NumpyLogits):
    """The best logits; all of them are computed, in the same step once more, where others ask for them.

    Args:
        best, words: the largest of each hypothesis, and their tokens [sentences, beam, count].
        whole: computes all of them, and their normalizer.
        scorer: is told how many are wanted of the next step.
    """

    def __init__(
        self,
        normalizer: np.ndarray,
        best: np.ndarray,
        words: np.ndarray,
        whole: Callable[[], tuple[np.ndarray, np.ndarray]],
        scorer: OnnxScorer,
    ) -> None:
        self._values: np.ndarray | None = None
        self.normalizer, self._whole, self._best, self._words, self._scorer = normalizer, whole, best, words, scorer

    @property
    def values(self) -> np.ndarray:
        if self._values is None:
            values, self.normalizer = self._whole()
            self._values = NumpyLogits(values, self.normalizer).values
        return self._values

    @values.setter
    def values(self, values: np.ndarray) -> None:
        self._values = values

    def top(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        self._scorer.expect(k)
        if self._values is not None or k > self._best.shape[-1]:
            return super().top(k)
        return self._best[..., :k].astype(np.float64) - self.normalizer[..., None], self._words[..., :k]


class Graphs(NamedTuple):
    """The files of an exported model."""

    encoder: Path
    step: Path
    """Of the decoder, which also finds the best extensions."""
    short: Path
    """The step with an output layer of some words alone, where there is a shortlist."""


class OnnxScorer:
    """An exported model's graphs.

    Args:
        vocab_size: of the target.
        threads: CPU threads; None: all cores.
        shortlist: chooses the words among which a step looks for the best; None: all. Whoever asks for more than the
            best gets all.

    Raises:
        UserError: ONNX Runtime is not installed, or a file is missing or damaged.
    """

    def __init__(
        self, files: Graphs, vocab_size: int, threads: int | None = None, shortlist: Shortlist | None = None
    ) -> None:
        self._encoder, self._step = (_session(file, threads) for file in (files.encoder, files.step))
        self._shortlist, self._short = shortlist, _session(files.short, threads) if shortlist is not None else None
        self._encoded = [value.name for value in self._encoder.get_outputs()]
        self._needed = [value.name for value in self._step.get_inputs()]
        self._carried = [name for name in self._encoded if name not in SOURCE]
        self._stepped = ["normalizer", "best", "words", *(f"next.{name}" for name in self._carried)]
        if any(value.name == "attention" for value in self._step.get_outputs()):
            self._stepped.append("attention")
        self._most = max(1, vocab_size - NEVER_WRITTEN)
        self._count = 1

    def expect(self, k: int) -> None:
        """Have the next steps find so many of the best extensions."""
        self._count = min(k, self._most)

    def start(self, sources: Sequence[Sequence[int]]) -> OnnxState:
        """Read source sentences, tokens with </s>: a state of one hypothesis a sentence."""
        lengths = np.array([len(source) for source in sources])
        src = np.full((len(sources), lengths.max()), PAD)
        for row, tokens in zip(src, sources, strict=True):
            row[: len(tokens)] = tokens
        given = dict(zip(self._encoded, self._encoder.run(None, {"src": src, "lengths": lengths}), strict=True))
        source = {name: value for name, value in given.items() if name in SOURCE}
        shortlist = None if self._shortlist is None else self._shortlist.words(sources)
        return OnnxState(source, {name: given[name] for name in self._carried}, shortlist)

    def step(self, tokens: np.ndarray, state: OnnxState) -> tuple[OnnxLogits, OnnxState]:
        """After one more token of every hypothesis [sentences, beam]: the next one's scores, and the next state."""
        given = {"tokens": tokens, "count": np.array(self._count), **state.source, **state.carried}
        inputs = {name: given[name] for name in self._needed}
        if self._short is not None and state.shortlist is not None:
            some = {"shortlist": state.shortlist, "count": np.array(min(self._count, len(state.shortlist)))}
            normalizer, best, words, *following = self._short.run(self._stepped, inputs | some)
        else:
            normalizer, best, words, *following = self._step.run(self._stepped, inputs)
        look = following.pop() if self._stepped[-1] == "attention" else None
        scores = OnnxLogits(normalizer, best, words, lambda: self._whole(inputs), self)
        carried = dict(zip(self._carried, following, strict=True))
        return scores, OnnxState(state.source, carried, state.shortlist, look)

    def _whole(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        logits, normalizer = self._step.run(["logits", "normalizer"], inputs)
        return logits, normalizer


def _session(file: Path, threads: int | None) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError:
        raise UserError("exported models need onnxruntime; install it with: pip install onnxruntime") from None
    if not file.is_file():
        raise UserError(f"{file}: missing; export the model again")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no class in common
        reason = str(error).splitlines()[0][:200]
        raise UserError(f"{file}: this model is damaged: {reason}; export or copy it again") from None
