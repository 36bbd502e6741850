"""The section `export`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Faults, rule


class ExportConfig(Config):
    """The model as ONNX graphs, which translate without torch."""

    formats: Annotated[list[Literal["onnx", "onnx-int8"]], Field(min_length=1)] = ["onnx", "onnx-int8"]
    """onnx: fp32, the same translations; onnx-int8: 8-bit weights, a quarter of the size and faster."""

    shortlist: bool = False
    """Look for each sentence's words among the likeliest translations of its tokens (IBM model 1 on the training data)
    and the most frequent ones: faster, and nearly the same translations, which then depend on what shares the batch."""

    @rule
    def _each_once(self) -> Faults:
        if len(set(self.formats)) != len(self.formats):
            yield "formats", "a format is named twice; name each once"
