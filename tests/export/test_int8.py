"""What is looked up in exported int8 graphs: rows of whole numbers, nearly those of the fp32 graph."""

from pathlib import Path

import numpy as np
import pytest

from seq2seq.data.tokenization import BOS, EOS
from seq2seq.runtime.folder import graphs
from seq2seq.runtime.scorer import OnnxScorer
from tests.export.test_graphs import MODELS, VOCAB, make, without_shape_checks  # noqa: F401 - a fixture

pytest.importorskip("onnxscript", reason="needs the extra [onnx]")
onnx = pytest.importorskip("onnx")


def test_each_row_is_as_near_as_its_steps_allow(tmp_path: Path) -> None:
    import onnxruntime  # noqa: PLC0415 - an extra
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    from seq2seq.export.onnx import _quantize_lookups  # noqa: PLC0415

    rng, n = np.random.default_rng(1), 3
    weights = {f"w{i}": rng.normal(0, 10.0**-i, (20, 6)).astype(np.float32) for i in range(n)}
    weights["w0"][4] = 0
    nodes = [helper.make_node("Gather", [f"w{i}", "ids"], [f"y{i}"]) for i in range(n)]
    nodes.append(helper.make_node("Identity", ["w2"], ["other"]))
    outputs = [*(f"y{i}" for i in range(n)), "other"]
    graph = helper.make_graph(
        nodes,
        "lookups",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["a", "b"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(weight, name) for name, weight in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    _quantize_lookups(model.graph)
    kinds = {one.name: one.data_type for one in model.graph.initializer}
    assert kinds["w0"] == kinds["w1"] == TensorProto.INT8 and kinds["w2"] == TensorProto.FLOAT  # read elsewhere too
    onnx.save(model, tmp_path / "lookups.onnx")
    ids = rng.integers(0, 20, (2, 7))
    found = onnxruntime.InferenceSession(tmp_path / "lookups.onnx").run(outputs, {"ids": ids})
    for i, (rows, weight) in enumerate(zip(found, weights.values(), strict=False)):
        step = np.abs(weight[ids]).max(-1, keepdims=True) / 127
        assert (np.abs(rows - weight[ids]) <= (0.501 * step if i < 2 else 0)).all()


@pytest.mark.parametrize("tie", ["all", *(pytest.param(tie, marks=pytest.mark.slow) for tie in ("none", "decoder"))])
def test_no_embedding_is_left_in_fp32(tie: str, tmp_path: Path) -> None:
    from seq2seq.export.onnx import quantize, quantize_short, write_graphs  # noqa: PLC0415 - an extra

    # The sizes are such that tied weights fit.
    config = MODELS[0] | {"embedding": {"size": 10, "tie": tie}}
    fp32, int8 = (graphs(tmp_path, precision) for precision in ("fp32", "int8"))
    write_graphs(make(config), fp32, shortlist=True)
    quantize(fp32.encoder, int8.encoder)
    quantize(fp32.step, int8.step)
    quantize_short(fp32.short, int8.short)
    for file in int8:
        graph = onnx.load(file).graph
        floats = {
            one.name for one in graph.initializer if one.data_type == 1 and len(one.dims) == 2 and one.dims[1] > 1
        }
        assert not [node.input[0] for node in graph.node if node.op_type == "Gather" and node.input[0] in floats], file
        onnx.checker.check_model(onnx.load(file))
    steps = []
    for files in (fp32, int8):
        scorer = OnnxScorer(files, VOCAB, threads=1)
        logits, _ = scorer.step(np.full((2, 1), BOS), scorer.start([[7, 8, EOS], [9, EOS]]))
        steps.append(logits.values)
    finite = np.isfinite(steps[0])
    assert (finite == np.isfinite(steps[1])).all()
    np.testing.assert_allclose(steps[0][finite], steps[1][finite], atol=0.02)
