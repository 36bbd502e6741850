"""First weights as Keras 3 has them: the same numbers, or numbers of the same distribution."""

from typing import Any

import pytest
import torch

pytest.importorskip("keras", reason="keras is not installed: pip install 'keras>=3.8'")

from torch import Tensor

from seq2seq import recipe
from seq2seq.nn.layer import Layer
from tests.nn.test_keras_parity import Options, as_ours, close, keras, weights


def initialized(theirs: Options, ours: Options) -> list[dict[str, Tensor]]:
    """The first weights of LSTMs of 32 units with 16 inputs: Keras's and ours."""
    keras.utils.set_random_seed(1)
    layer = keras.layers.LSTM(32, **theirs)
    layer.build((1, 1, 16))
    made = Layer(recipe.StackConfig.model_validate({"cell": {"kind": "lstm", **ours}, "hidden_size": 32}), 16)
    return [as_ours(layer.cell, [weight.detach() for weight in weights(layer)]), made.cell.state_dict()]


@pytest.mark.parametrize(
    ("kind", "options", "theirs", "deviation"),
    [
        ("glorot_uniform", {}, "glorot_uniform", (2 / 144) ** 0.5),
        ("glorot_normal", {}, "glorot_normal", (2 / 144) ** 0.5),
        ("he_uniform", {}, "he_uniform", (2 / 16) ** 0.5),
        ("he_normal", {}, "he_normal", (2 / 16) ** 0.5),
        ("uniform", {"range": 0.3}, keras.initializers.RandomUniform(-0.3, 0.3), 0.3 / 3**0.5),
        ("lecun_uniform", {}, "lecun_uniform", (1 / 16) ** 0.5),
        ("lecun_normal", {}, "lecun_normal", (1 / 16) ** 0.5),
        ("normal", {"deviation": 0.2}, keras.initializers.RandomNormal(stddev=0.2), 0.2),
        ("truncated_normal", {"deviation": 0.2}, keras.initializers.TruncatedNormal(stddev=0.2), 0.2 * 0.8796),
        ("variance_scaling", {"scale": 6.0}, keras.initializers.VarianceScaling(6.0), (6 / 16) ** 0.5),
        *(
            (
                "variance_scaling",
                {"scale": 2.0, "mode": mode, "distribution": distribution},
                keras.initializers.VarianceScaling(2.0, mode, distribution),
                (2 / fan) ** 0.5,
            )
            for mode, fan in (("fan_in", 16), ("fan_out", 128), ("fan_avg", 72))
            for distribution in ("truncated_normal", "untruncated_normal", "uniform")
        ),
    ],
)
def test_random_initializers(kind: str, options: Options, theirs: Any, deviation: float) -> None:
    for made in initialized({"kernel_initializer": theirs}, {"kernel_initializer": {"kind": kind, **options}}):
        kernel = made["kernel"]
        assert abs(kernel.std() / deviation - 1) < 0.08 and abs(kernel.mean()) < 0.1 * deviation
        kind = str(options.get("distribution", kind))
        assert kind != "truncated_normal" or kernel.abs().max() < 2.28 * deviation  # 2 deviations of the uncut normal
        assert "uniform" not in kind or 0.97 < kernel.abs().max() / (3**0.5 * deviation) <= 1


@pytest.mark.parametrize("forget_bias", [0.0, 1.0])
def test_exact_initializers(forget_bias: float) -> None:
    both = {"kernel_initializer": "ones", "recurrent_initializer": "orthogonal"}
    theirs, ours = initialized({**both, "unit_forget_bias": forget_bias == 1}, {**both, "forget_bias": forget_bias})
    for made in (theirs, ours):
        matrix = made.pop("recurrent_kernel")
        torch.testing.assert_close(matrix.T @ matrix, torch.eye(32), atol=1e-5, rtol=0)
    close(dict(ours), theirs)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ({"kind": "constant", "value": 0.3}, keras.initializers.Constant(0.3)),
        ({"kind": "identity", "gain": 0.5}, keras.initializers.Identity(0.5)),
        ({"kind": "orthogonal", "gain": 1.5}, keras.initializers.Orthogonal(1.5)),
    ],
)
def test_matrix_initializers(kind: Options, theirs: Any) -> None:
    """A simple RNN's square W_h: the same, or of the same product with itself."""
    layer = keras.layers.SimpleRNN(16, recurrent_initializer=theirs)
    layer.build((1, 1, 8))
    cell = {"kind": "rnn", "recurrent_initializer": kind}
    ours = Layer(recipe.StackConfig.model_validate({"cell": cell, "hidden_size": 16}), 8)
    found, expected = ours.cell.recurrent_kernel.detach(), layer.cell.recurrent_kernel.value.detach()
    torch.testing.assert_close(found @ found.T, expected @ expected.T, atol=1e-5, rtol=1e-5)
