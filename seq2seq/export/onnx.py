"""Writing graphs as ONNX files, by torch's exporter and ONNX Runtime's quantizer."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from seq2seq.errors import UserError
from seq2seq.export.graphs import EncoderGraph, ShortStepGraph, StepGraph, exportable, named_parts
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.runtime.scorer import Graphs

BATCH, BEAM, SRC_LEN, COUNT, SHORT = 3, 4, 7, 5, 11
"""Sizes of the inputs that a graph is traced with; all different, none of them is kept."""


def write_graphs(model: Seq2Seq, files: Graphs, shortlist: bool = False) -> None:
    """Export a model's graphs in fp32.

    Args:
        shortlist: also the step with an output layer of some words alone.

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
    some = torch.export.Dim.DYNAMIC
    _write(
        EncoderGraph(model), (src, lengths), ({0: some, 1: some}, {0: some}), ["src", "lengths"], names, files.encoder
    )
    wide = {name: part.expand(-1, BEAM, *part.shape[2:]).contiguous() for name, part in state.items()}
    tokens, words = torch.full((BATCH, BEAM), 3), torch.arange(4, 4 + SHORT) % len(model.output.weight)
    free = {name: _free(name) for name in source}, {name: _free(name) for name in wide}
    given = ["normalizer", "best", "words", *(f"next.{name}" for name in state)]
    given += ["attention"] if model.decoder.attention is not None else []
    first, first_free = (tokens, COUNT), ({0: some, 1: some}, some)
    _write(
        StepGraph(model),
        (*first, source, wide),
        (*first_free, *free),
        ["tokens", "count", *names],
        ["logits", *given],
        files.step,
    )
    if shortlist:
        _write(
            ShortStepGraph(model),
            (*first, words, source, wide),
            (*first_free, {0: some}, *free),
            ["tokens", "count", "shortlist", *names],
            given,
            files.short,
        )


def quantize(fp32: Path, int8: Path) -> None:
    """The same graph with int8 weights in its products and embeddings, each row with a scale of its own; inputs are
    quantized as they come."""
    _quantize_products(fp32, int8)
    model = onnx.load(int8)
    _quantize_lookups(model.graph)
    onnx.save(model, int8)


def _quantize_products(fp32: Path, int8: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - slow to import

    with _quiet():
        quantize_dynamic(fp32, int8, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)


def quantize_short(fp32: Path, int8: Path) -> None:
    """`quantize` of a step whose output layer is of some words: its weight too, which is not a constant there."""
    _quantize_products(fp32, int8)
    model = onnx.load(int8)
    graph = model.graph
    readers = {name: node for node in graph.node for name in node.input}
    rows = {node.output[0]: node for node in graph.node if node.op_type == "Gather"}
    across = next(node for node in graph.node if node.op_type == "Transpose" and node.input[0] in rows)
    gather = rows[across.input[0]]
    product = readers[across.output[0]]
    (stored,) = (one for one in graph.initializer if one.name == gather.input[0])
    weight = numpy_helper.to_array(stored)
    whole, scale = _in_int8(weight)
    graph.initializer.extend(
        [numpy_helper.from_array(whole, "short.weight"), numpy_helper.from_array(scale, "short.steps")]
    )
    gather.input[0] = "short.weight"
    if not any(stored.name in node.input for node in graph.node):  # a small one is shared with a tied embedding
        graph.initializer.remove(stored)
    x, y = product.input[0], product.output[0]
    made = [
        helper.make_node("DynamicQuantizeLinear", [x], ["short.x", "short.step", "short.zero"]),
        helper.make_node("MatMulInteger", ["short.x", product.input[1], "short.zero"], ["short.sum"]),
        helper.make_node("Cast", ["short.sum"], ["short.float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["short.steps", gather.input[1]], ["short.chosen"]),
        helper.make_node("Mul", ["short.chosen", "short.step"], ["short.both"]),
        helper.make_node("Mul", ["short.float", "short.both"], [y]),
    ]
    at = list(graph.node).index(product)
    graph.node.remove(product)
    for place, node in enumerate(made):
        graph.node.insert(at + place, node)
    _quantize_lookups(graph)
    del graph.value_info[:]
    onnx.save(model, int8)


def _quantize_lookups(graph: onnx.GraphProto) -> None:
    """Rows that are looked up, of embeddings, in int8: a quarter of what is most of the file of a large vocabulary."""
    stored = {one.name: one for one in graph.initializer if one.data_type == TensorProto.FLOAT and len(one.dims) == 2}
    for gather in [node for node in graph.node if node.op_type == "Gather" and node.input[0] in stored]:
        name, y = gather.input[0], gather.output[0]
        if any(name in node.input for node in graph.node if node is not gather):
            continue
        whole, scale = _in_int8(numpy_helper.to_array(stored[name]))
        graph.initializer.remove(stored[name])
        graph.initializer.extend(
            [numpy_helper.from_array(whole, name), numpy_helper.from_array(scale[:, None], f"{name}.steps")]
        )
        gather.output[0] = f"{y}.whole"
        made = [
            helper.make_node("Cast", [f"{y}.whole"], [f"{y}.float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}.steps", gather.input[1]], [f"{y}.steps"]),
            helper.make_node("Mul", [f"{y}.float", f"{y}.steps"], [y]),
        ]
        at = list(graph.node).index(gather) + 1
        for place, node in enumerate(made):
            graph.node.insert(at + place, node)


def _in_int8(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers, and what each row's are multiplied by."""
    scale = np.maximum(np.abs(weight).max(1), 1e-30).astype(np.float32) / 127
    return np.rint(weight / scale[:, None]).astype(np.int8), scale


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
