"""The running mean by hand, and by what it must keep."""

import torch
from torch import nn

from seq2seq import recipe
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.running_mean import RunningMean


def test_running_mean_of_constant_weights_is_constant_and_forgets_the_start() -> None:
    model = nn.Linear(2, 2)
    mean = RunningMean(model, 0.99)
    with torch.no_grad():
        model.weight.fill_(5.0)
    for step in range(1, 2000):
        mean.update(model, step)
    torch.testing.assert_close(mean.weights["weight"], model.weight.detach())


def test_a_mean_that_has_diverged_is_applied_and_taken_back() -> None:
    """Telling of it is the health checks' task; a training does not end in an error of reading models."""
    model = Seq2Seq(recipe.ModelConfig(), 9, 9, 0)
    mean, own = RunningMean(model, 0.99), model.output.weight.detach().clone()
    for weight in mean.weights.values():
        weight.fill_(float("nan"))
    with mean.applied_to(model):
        assert model.output.weight.isnan().all()
    assert torch.equal(model.output.weight, own)
