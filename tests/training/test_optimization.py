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
    recipe.ExponentialScheduleConfig(kind="exponential", warmup_steps=10, after=1.5),
    recipe.ExponentialScheduleConfig(kind="exponential", warmup_steps=10, after=1.5, staircase=False, final=0.2),
    recipe.ExponentialScheduleConfig(kind="exponential", warmup_steps=10, unit="steps", after=40, every=20),
]
OPTIMIZERS = [
    recipe.AdamConfig(kind="adam"),
    recipe.AdamWConfig(kind="adamw"),
    recipe.SgdConfig(kind="sgd"),
    recipe.SgdConfig(kind="sgd", momentum=0.9),
    recipe.AdadeltaConfig(kind="adadelta"),
    recipe.RmspropConfig(kind="rmsprop"),
    recipe.RmspropConfig(kind="rmsprop", momentum=0.9),
    recipe.AdagradConfig(kind="adagrad", initial=0.1),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.kind)
def test_warm_up_is_linear_and_then_the_rate_never_rises(schedule: recipe.AnySchedule) -> None:
    factors = [rate_factor(schedule, step, 100, step / 25) for step in range(1, 101)]
    assert factors[:10] == [step / 10 for step in range(1, 11)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(factors[9:]))


def test_schedules_by_their_definition() -> None:
    constant, root, cosine, *_ = SCHEDULES
    assert rate_factor(constant, 1000, 100, 1) == 1
    assert math.isclose(rate_factor(root, 40, 100, 1), 0.5)
    assert math.isclose(rate_factor(cosine, 55, 100, 1), 0.02 + 0.98 / 2)
    assert math.isclose(rate_factor(cosine, 100, 100, 1), 0.02)
    assert math.isclose(rate_factor(cosine, 200, 100, 1), 0.02)


def test_exponential_decay_as_in_the_papers() -> None:
    def factors(unit: str, times: list[float], **keys: object) -> list[float]:
        schedule = recipe.ExponentialScheduleConfig.model_validate({"kind": "exponential", "unit": unit, **keys})
        if unit == "steps":
            return [rate_factor(schedule, int(time) + 1, 10**7, 0.0) for time in times]
        return [rate_factor(schedule, 10**6, 10**7, time) for time in times]

    # Sutskever et al. 2014: after 5 epochs, halved every half epoch; Luong et al. 2015: after 8, every epoch
    assert factors("epochs", [0, 4.99, 5, 5.49, 5.5, 7.25], after=5.0, every=0.5) == [1, 1, 1 / 2, 1 / 2, 1 / 4, 1 / 32]
    assert factors("epochs", [7.99, 8, 9, 11.5], after=8.0) == [1, 1 / 2, 1 / 4, 1 / 16]
    # GNMT: after 1.2 million steps, halved every 200,000
    steps = [1_199_999, 1_200_000, 1_399_999, 1_400_000]
    assert factors("steps", steps, after=1.2e6, every=2e5) == [1, 1 / 2, 1 / 2, 1 / 4]
    # RNMT+: smoothly to a floor, a hundredth in 600,000 steps
    smooth = {"after": 6e5, "every": 6e5, "factor": 0.01, "staircase": False, "final": 0.05}
    assert factors("steps", [6e5, 9e5, 12e5], **smooth) == pytest.approx([1, 0.1, 0.05])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (recipe.SgdConfig(kind="sgd", learning_rate=0.5), -0.5 * 3),
        (recipe.AdadeltaConfig(kind="adadelta", rho=0.9, epsilon=1e-4), -((1e-4 / (0.1 * 9 + 1e-4)) ** 0.5) * 3),
        (recipe.RmspropConfig(kind="rmsprop", learning_rate=0.1, rho=0.9), -0.1 * 3 / (0.1 * 9) ** 0.5),
        (recipe.AdagradConfig(kind="adagrad", learning_rate=0.1, initial=7.0), -0.1 * 3 / (7 + 9) ** 0.5),
        (recipe.AdamConfig(kind="adam", learning_rate=0.1, epsilon=1.0), -0.1 * 3 / (3 + 1)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_first_step_by_its_equation(config: recipe.AnyOptimizer, expected: float) -> None:
    weight = nn.Parameter(torch.zeros(1, dtype=torch.double))
    weight.grad = torch.full_like(weight, 3.0)
    make_optimizer(config, [weight]).step()
    assert weight.item() == pytest.approx(expected, rel=1e-6)


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
