"""The running mean by hand, and by what it must keep."""

import torch
from torch import nn

from seq2seq.training.running_mean import RunningMean


def test_running_mean_of_constant_weights_is_constant_and_forgets_the_start() -> None:
    model = nn.Linear(2, 2)
    mean = RunningMean(model, 0.99)
    with torch.no_grad():
        model.weight.fill_(5.0)
    for step in range(1, 2000):
        mean.update(model, step)
    torch.testing.assert_close(mean.weights["weight"], model.weight.detach())
