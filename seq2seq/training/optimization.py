"""Optimizers, and the schedules of the learning rate and of teacher forcing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from seq2seq import recipe


def make_optimizer(config: recipe.AnyOptimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer that a recipe names, in torch's fused form where there is one on every device."""
    rate = config.learning_rate
    match config:
        case recipe.SgdConfig():
            return torch.optim.SGD(parameters, rate, momentum=config.momentum, fused=True)
        case recipe.AdadeltaConfig():
            return torch.optim.Adadelta(parameters, rate, config.rho, config.epsilon)
        case recipe.RmspropConfig():
            return torch.optim.RMSprop(parameters, rate, config.rho, config.epsilon, momentum=config.momentum)
        case recipe.AdagradConfig():
            start = config.initial
            return torch.optim.Adagrad(parameters, rate, initial_accumulator_value=start, eps=config.epsilon)
    betas = (config.betas[0], config.betas[1])
    if isinstance(config, recipe.AdamWConfig):
        decay = config.weight_decay
        return torch.optim.AdamW(parameters, rate, betas, config.epsilon, weight_decay=decay, fused=True)
    return torch.optim.Adam(parameters, rate, betas, config.epsilon, fused=True)


def warmup_steps(schedule: recipe.AnySchedule, total_steps: int) -> int:
    """Steps of the warm-up: where the recipe leaves it open, a tenth of the training, `LONGEST_WARMUP` at most."""
    if schedule.warmup_steps is not None:
        return schedule.warmup_steps
    return max(1, min(LONGEST_WARMUP[schedule.kind], total_steps // 10))


LONGEST_WARMUP = {"cosine": 300, "inverse_sqrt": 1000}
"""Steps, however long the training, by the kind of schedule."""


def rate_factor(schedule: recipe.AnySchedule, step: int, total_steps: int, epochs: float) -> float:
    """What the learning rate is multiplied by at a step.

    Args:
        step: the one to come, from 1.
        total_steps: of the whole training.
        epochs: done before the step, with their fraction.
    """
    warmup = warmup_steps(schedule, total_steps)
    if step <= warmup:
        return step / warmup
    if isinstance(schedule, recipe.InverseSqrtScheduleConfig):
        return math.sqrt(warmup / step)
    if isinstance(schedule, recipe.CosineScheduleConfig):
        done = min(1.0, (step - warmup) / max(1, total_steps - warmup))
        return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * done))
    if isinstance(schedule, recipe.ExponentialScheduleConfig):
        falls = ((epochs if schedule.unit == "epochs" else step - 1) - schedule.after) / schedule.every
        falls = math.floor(falls) + 1 if schedule.staircase else falls
        return max(schedule.final, schedule.factor ** max(0.0, falls))
    return 1.0


def forcing_ratio(config: recipe.AnyForcing, step: int) -> float:
    """Chance that a step of the decoder is fed the reference's token, at an optimizer step counted from 1."""
    if isinstance(config, recipe.LinearForcingConfig):
        return 1 - (1 - config.end) * min(1.0, step / config.steps)
    if isinstance(config, recipe.InverseSigmoidForcingConfig):
        return config.k / (config.k + math.exp(min(step / config.k, 700.0)))
    return config.ratio


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """The optimizer's state as named tensors (`3.exp_avg`), to be saved without pickle."""
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            if value is not None:
                yield f"{index}.{name}", torch.as_tensor(value)


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer the state of `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
