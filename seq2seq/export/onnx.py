"""Writing graphs as ONNX files, by torch's exporter and ONNX Runtime's quantizer."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from seq2seq.errors import UserError
from seq2seq.export.graphs import EncoderGraph, StepGraph, exportable, named_parts
from seq2seq.nn.seq2seq import Seq2Seq

BATCH, BEAM, SRC_LEN, COUNT = 3, 4, 7, 5
"""Sizes of the inputs that a graph is traced with; all different, none of them is kept."""


def write_graphs(model: Seq2Seq, files: tuple[Path, Path]) -> None:
    """Export a model's two graphs in fp32.

    Args:
        files: of the encoder, and of the decoder's step.

    Raises:
        UserError: the exporter cannot write one of them.
    """
    model = exportable(model)
    src = torch.full((BATCH, SRC_LEN), 3)
    lengths = torch.tensor([SRC_LEN, SRC_LEN - 2, 1])
    with torch.no_grad():
        memory = model.encode(src, lengths)
        source, state = named_parts(memory, model.start(memory))
    names = [*source, *state]
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    _write(
        EncoderGraph(model), (src, lengths), (free, {0: torch.export.Dim.DYNAMIC}), ["src", "lengths"], names, files[0]
    )
    wide = {name: part.expand(-1, BEAM, *part.shape[2:]).contiguous() for name, part in state.items()}
    following = [f"next.{name}" for name in state]
    _write(
        StepGraph(model),
        (torch.full((BATCH, BEAM), 3), COUNT, source, wide),
        (free, torch.export.Dim.DYNAMIC, {name: _free(name) for name in source}, {name: _free(name) for name in wide}),
        ["tokens", "count", *names],
        [
            "logits",
            "normalizer",
            "best",
            "words",
            *following,
            *(["attention"] if model.decoder.attention is not None else []),
        ],
        files[1],
    )


def quantize(fp32: Path, int8: Path) -> None:
    """The same graph with int8 weights in its products, each row with a scale of its own; inputs are quantized as
    they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - slow to import

    with _quiet():
        quantize_dynamic(fp32, int8, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)


def _free(name: str) -> dict[int, Any]:
    axes = {"outputs": (0, 1), "keys": (0, 1), "padding": (0, 2), "history": (0, 1, 2)}.get(name, (0, 1))
    return dict.fromkeys(axes, torch.export.Dim.DYNAMIC)


def _write(
    graph: torch.nn.Module,
    inputs: tuple[Any, ...],
    free: tuple[Any, ...],
    input_names: list[str],
    output_names: list[str],
    path: Path,
) -> None:
    with _quiet(), torch.no_grad():
        try:
            program = torch.export.export(graph, inputs, dynamic_shapes=free, strict=False)
            exported = torch.onnx.export(program, input_names=input_names, output_names=output_names, verbose=False)
        except Exception as error:  # of a cell of the user's own, of an operator that ONNX lacks: they have no class
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise UserError(
                f"{path.stem}: this model cannot be exported: {type(cause).__name__}: "
                f"{str(cause).strip().splitlines()[0][:300]}; a cell of your own must consist of torch's operations"
            ) from error
        assert exported is not None
        exported.save(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes to its developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
