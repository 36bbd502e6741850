"""What the encoder hands to the decoder: projected outputs, and first states."""

import pytest
import torch

from seq2seq import recipe
from seq2seq.nn.encoder import Encoder, Memory

LENGTHS = torch.tensor([5, 3])


def run(bridge: str, **encoder: object) -> tuple[Encoder, Memory, torch.Tensor]:
    """An encoder with a bridge, the memory that it makes of some inputs, and those inputs."""
    torch.manual_seed(0)
    keys = {"embedding": {"size": 6}, "encoder": {"hidden_size": 4, **encoder}, "bridge": bridge}
    config = recipe.ModelConfig.model_validate(keys | {"decoder": {"layers": 2, "hidden_size": 3}})
    made, x = Encoder(config, 2).double(), torch.randn(2, 5, 6, dtype=torch.double)
    return made, made(x, LENGTHS, lambda outputs: outputs), x


@pytest.mark.parametrize("direction", ["bidirectional", "bidirectional_alternating", "backward"])
@pytest.mark.parametrize("bridge", ["project", "project_backward", "project_mean"])
def test_first_states_are_projections_of_their_source(bridge: str, direction: str) -> None:
    made, memory, _ = run(bridge, direction=direction, layers=2)
    outputs = memory.outputs
    last = torch.stack([outputs[row, length - 1] for row, length in enumerate(LENGTHS.tolist())])
    letters = {"bidirectional": "fb", "bidirectional_alternating": "bf", "backward": "b"}[direction]
    halves = [outputs[:, 0, 4 * i : 4 * i + 4] if letter == "b" else last[:, 4 * i : 4 * i + 4]
              for i, letter in enumerate(letters)]  # fmt: skip
    source = {
        "project": torch.cat(halves, -1),
        "project_backward": halves[letters.index("b")],
        "project_mean": torch.stack([outputs[row, :length].mean(0) for row, length in enumerate(LENGTHS.tolist())]),
    }
    values = made.bridge.weight(source[bridge]).chunk(4, -1)
    expected = [(values[0].tanh(), values[1]), (values[2].tanh(), values[3])]
    torch.testing.assert_close(memory.first, expected)


@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_projection_acts_on_outputs_and_on_the_last_state(activation: str) -> None:
    made, memory, x = run("project", projection={"size": 7, "activation": activation})
    assert made.projection is not None
    act = {"tanh": torch.tanh, "identity": lambda x: x}[activation]
    outputs, finals = made.stack(x, LENGTHS)
    expected = act(made.projection.weight(outputs))
    expected[1, 3:] = 0
    torch.testing.assert_close(memory.outputs, expected)
    values = made.bridge.weight(act(made.projection.weight(finals[-1][0]))).chunk(4, -1)
    torch.testing.assert_close(memory.first[1], (values[2].tanh(), values[3]))
