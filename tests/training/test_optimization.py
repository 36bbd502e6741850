"""Learning-rate schedules by their definition; optimizers and running means by what they must keep."""

import itertools
import math

import pytest
import torch
from torch import nn

from seq2seq import recipe
from seq2seq.training.optimization import (
    forcing_ratio,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
    rate_factor,
)

SCHEDULES = [
    recipe.ConstantScheduleConfig(kind="constant", warmup_steps=10),
    recipe.InverseSqrtScheduleConfig(kind="inverse_sqrt", warmup_steps=10),
    recipe.CosineScheduleConfig(kind="cosine", warmup_steps=10),
    recipe.PlateauScheduleConfig(kind="plateau", warmup_steps=10),
]
OPTIMIZERS = [
    recipe.AdamConfig(kind="adam"),
    recipe.AdamWConfig(kind="adamw"),
    recipe.SgdConfig(kind="sgd"),
    recipe.SgdConfig(kind="sgd", momentum=0.9),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.kind)
def test_warm_up_is_linear_and_then_the_rate_never_rises(schedule: recipe.AnySchedule) -> None:
    factors = [rate_factor(schedule, step, 100) for step in range(1, 101)]
    assert factors[:10] == [step / 10 for step in range(1, 11)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(factors[9:]))


def test_schedules_by_their_definition() -> None:
    constant, root, cosine, _ = SCHEDULES
    assert rate_factor(constant, 1000, 100) == 1
    assert math.isclose(rate_factor(root, 40, 100), 0.5)
    assert math.isclose(rate_factor(cosine, 55, 100), 0.02 + 0.98 / 2)
    assert math.isclose(rate_factor(cosine, 100, 100), 0.02)
    assert math.isclose(rate_factor(cosine, 200, 100), 0.02)


def test_forcing_by_its_definition() -> None:
    linear = recipe.LinearForcingConfig(kind="linear", end=0.2, steps=100)
    assert [forcing_ratio(linear, step) for step in (0, 50, 100, 1000)] == pytest.approx([1, 0.6, 0.2, 0.2])
    sigmoid = recipe.InverseSigmoidForcingConfig(kind="inverse_sigmoid", k=50)
    assert forcing_ratio(sigmoid, 0) == pytest.approx(50 / 51)
    assert forcing_ratio(sigmoid, round(50 * math.log(50))) == pytest.approx(0.5, abs=0.01)
    assert forcing_ratio(sigmoid, 10**9) < 1e-9
    assert recipe.TrainingConfig.model_validate(
        {"teacher_forcing": {"ratio": 0.9}}
    ).teacher_forcing == recipe.ConstantForcingConfig(ratio=0.9)


@pytest.mark.parametrize("config", OPTIMIZERS, ids=lambda s: f"{s.kind}-{getattr(s, 'momentum', '')}")
def test_an_optimizer_goes_on_from_its_tensors_to_the_bit(config: recipe.AnyOptimizer) -> None:
    def steps(model: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
        for i in range(first, last):
            optimizer.zero_grad()
            x = torch.full((2, 3), float(i))
            model(x).pow(2).sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    straight, broken = nn.Linear(3, 2), nn.Linear(3, 2)
    broken.load_state_dict(straight.state_dict())
    steps(straight, make_optimizer(config, straight.parameters()), 0, 6)
    before = make_optimizer(config, broken.parameters())
    steps(broken, before, 0, 3)
    after = make_optimizer(config, broken.parameters())
    load_optimizer_tensors(after, {name: tensor.clone() for name, tensor in optimizer_tensors(before)})
    steps(broken, after, 3, 6)
    assert torch.equal(straight.weight, broken.weight)
    assert torch.equal(straight.bias, broken.bias)
