"""An exported model's graphs in ONNX Runtime, as a scorer for `seq2seq.decoding.search`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.data.tokenization import PAD
from seq2seq.decoding.scorer import NumpyLogits
from seq2seq.errors import UserError

SOURCE = ("outputs", "keys", "padding")
"""Names of what the decoder knows of the source, [batch, ...]; all else that goes from step to step is of a hypothesis,
[batch, beam, size]."""
NEVER_WRITTEN = 3
"""Tokens that a step leaves out of the best ones: <pad>, <s>, <unk>."""

Value = Any
"""An OrtValue: an array where ONNX Runtime has it, copied to numpy when it is asked for."""


@dataclass(frozen=True)
class OnnxState:
    """What a batch's hypotheses carry from step to step."""

    source: Mapping[str, Value]
    carried: Mapping[str, Value]
    look: Value | None = None
    """Where the last step looked."""

    @property
    def attention(self) -> np.ndarray | None:
        """Where the last step looked [sentences, beam, src_len]; None: the model has no attention."""
        return None if self.look is None else np.asarray(self.look.numpy())

    def select(self, rows: np.ndarray, sentences: np.ndarray | None) -> OnnxState:
        source = self.source
        if sentences is not None:
            source = {name: _value(part.numpy()[sentences]) for name, part in source.items()}
        return OnnxState(source, {name: _value(_rows(part.numpy())[rows]) for name, part in self.carried.items()})


class OnnxLogits(NumpyLogits):
    """Logits that stay in the graph's memory; the best of them are known, unless others ask for all and change them.

    Args:
        whole: all of them.
        best, words: the largest of each hypothesis, and their tokens [sentences, beam, count].
        scorer: is told how many are wanted of the next step.
    """

    def __init__(self, whole: Value, normalizer: np.ndarray, best: np.ndarray, words: np.ndarray, scorer: OnnxScorer):
        self._values: np.ndarray | None = None
        self.normalizer, self._whole, self._best, self._words, self._scorer = normalizer, whole, best, words, scorer

    @property
    def values(self) -> np.ndarray:
        if self._values is None:
            self._values = NumpyLogits(self._whole.numpy(), self.normalizer).values
        return self._values

    @values.setter
    def values(self, values: np.ndarray) -> None:
        self._values = values

    def top(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        self._scorer.expect(k)
        if self._values is not None or k > self._best.shape[-1]:
            return super().top(k)
        return self._best[..., :k].astype(np.float64) - self.normalizer[..., None], self._words[..., :k]


class OnnxScorer:
    """The encoder's graph, and that of one step of the decoder, which also finds the best extensions.

    Args:
        files: of the two graphs.
        vocab_size: of the target.
        threads: CPU threads; None: all cores.

    Raises:
        UserError: ONNX Runtime is not installed, or a file is missing or damaged.
    """

    def __init__(self, files: tuple[Path, Path], vocab_size: int, threads: int | None = None) -> None:
        self._encoder, self._step = (_session(file, threads) for file in files)
        self._encoded = [value.name for value in self._encoder.get_outputs()]
        self._needed = [value.name for value in self._step.get_inputs()]
        self._carried = [name for name in self._encoded if name not in SOURCE]
        self._stepped = ["logits", "normalizer", "best", "words", *(f"next.{name}" for name in self._carried)]
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
        values = self._encoder.run_with_ort_values(self._encoded, {"src": _value(src), "lengths": _value(lengths)})
        given = dict(zip(self._encoded, values, strict=True))
        source = {name: value for name, value in given.items() if name in SOURCE}
        return OnnxState(source, {name: given[name] for name in self._carried})

    def step(self, tokens: np.ndarray, state: OnnxState) -> tuple[OnnxLogits, OnnxState]:
        """After one more token of every hypothesis [sentences, beam]: the next one's scores, and the next state."""
        given = {"tokens": _value(tokens), "count": _value(np.array(self._count)), **state.source, **state.carried}
        inputs = {name: given[name] for name in self._needed}
        logits, normalizer, best, words, *following = self._step.run_with_ort_values(self._stepped, inputs)
        scores = OnnxLogits(logits, normalizer.numpy(), best.numpy(), words.numpy(), self)
        look = following.pop() if self._stepped[-1] == "attention" else None
        return scores, OnnxState(state.source, dict(zip(self._carried, following, strict=True)), look)


def _rows(part: np.ndarray) -> np.ndarray:
    return part.reshape(-1, part.shape[-1])


def _value(array: np.ndarray) -> Value:
    from onnxruntime import OrtValue  # noqa: PLC0415 - an extra

    return OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


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
