"""Optimizers and schedules of the learning rate: sections of `training`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seq2seq.recipe.base import Config, Count, Factor, LearningRate, Positive, Rate, named


class AdamConfig(Config):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"] = "adam"
    learning_rate: LearningRate = 0.002
    """Learning rate at its highest, after the warm-up; the schedule lowers it."""
    betas: Annotated[list[Rate], Field(min_length=2, max_length=2)] = [0.9, 0.98]
    """Decay of the running means of the gradient and of its square."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8
    """Added to the root of the mean square, so that small gradients make small steps."""


class AdamWConfig(AdamConfig):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"]  # type: ignore[assignment]
    weight_decay: Factor = 0.01
    """Each step makes every weight smaller by this share of it, times the learning rate."""


class SgdConfig(Config):
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    learning_rate: LearningRate = 0.5
    """Learning rate at its highest, after the warm-up; the schedule lowers it."""
    momentum: Rate = 0.0
    """Share of the last step that is made again; 0: none."""


class AdadeltaConfig(Config):
    """Adadelta (Zeiler 2012), as Cho et al. 2014 and Bahdanau et al. 2015 trained."""

    kind: Literal["adadelta"]
    learning_rate: LearningRate = 1.0
    """Learning rate at its highest, after the warm-up; 1 is the paper's algorithm."""
    rho: Rate = 0.95
    """Decay of the running means of the squares of gradients and steps."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-6
    """Added to both means: the first steps are the gradient times its root."""


class RmspropConfig(Config):
    """RMSprop (Tieleman & Hinton 2012)."""

    kind: Literal["rmsprop"]
    learning_rate: LearningRate = 0.001
    """Learning rate at its highest, after the warm-up; the schedule lowers it."""
    rho: Rate = 0.9
    """Decay of the running mean of the gradient's square."""
    momentum: Rate = 0.0
    """Share of the last step that is made again; 0: none."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-8
    """Added to the root of the mean square."""


class AdagradConfig(Config):
    """Adagrad (Duchi et al. 2011): the gradient over the root of the sum of its squares so far."""

    kind: Literal["adagrad"]
    learning_rate: LearningRate = 0.01
    """Learning rate at its highest, after the warm-up; the schedule lowers it."""
    initial: Factor = 0.0
    """What the sum of squares begins with: the larger, the smaller the first steps."""
    epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-10
    """Added to the root of the sum."""


_Optimizer = Annotated[
    AdamConfig | AdamWConfig | SgdConfig | AdadeltaConfig | RmspropConfig | AdagradConfig, Field(discriminator="kind")
]
AnyOptimizer = Annotated[_Optimizer, named(_Optimizer, AdamConfig)]


class SwitchConfig(Config):
    """Another optimizer from a step on (Adam, then SGD: GNMT, Wu et al. 2016)."""

    after_steps: Positive
    """Steps with the first optimizer."""
    optimizer: AnyOptimizer
    """The one from then on; the schedule goes on with its learning rate."""


class ConstantScheduleConfig(Config):
    """The same rate at every step, after the warm-up."""

    kind: Literal["constant"]
    warmup_steps: Count = 0
    """Steps over which the rate grows linearly from 0."""


class InverseSqrtScheduleConfig(Config):
    """Falls as 1/sqrt(step) after the warm-up (Vaswani et al. 2017)."""

    kind: Literal["inverse_sqrt"]
    warmup_steps: Positive | None = None
    """Steps over which the rate grows linearly from 0; null: a tenth of the training's steps, 1,000 at most."""


class CosineScheduleConfig(Config):
    """Falls along half a cosine from the rate to `final` times the rate at the last step (Loshchilov & Hutter 2017)."""

    kind: Literal["cosine"] = "cosine"
    warmup_steps: Count | None = None
    """Steps over which the rate grows linearly from 0; null: a tenth of the training's steps, 300 at most."""
    final: Rate = 0.02
    """What is left of the rate at the end, as a share of it."""


class PlateauScheduleConfig(Config):
    """Falls by `factor` when the early-stopping metric has not improved for `patience` validations."""

    kind: Literal["plateau"]
    warmup_steps: Count = 0
    """Steps over which the rate grows linearly from 0."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by."""
    patience: Count = 2
    """Validations without a new best that are waited for."""


class ExponentialScheduleConfig(Config):
    """Falls by `factor` again and again from some point on: halved each half epoch after 5 (Sutskever et al. 2014),
    each epoch after 8 (Luong et al. 2015)."""

    kind: Literal["exponential"]
    warmup_steps: Count = 0
    """Steps over which the rate grows linearly from 0."""
    unit: Literal["epochs", "steps"] = "epochs"
    """What `after` and `every` count."""
    after: Annotated[float, Field(ge=0, le=1e9)] = 5.0
    """Where the rate begins to fall."""
    every: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    """How long the rate takes to fall by `factor`."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by."""
    staircase: bool = True
    """At once, at `after` and each time that `every` has passed since; false: little by little from `after` on."""
    final: Rate = 0.0
    """What is left of the rate at the least, as a share of it."""


_Schedule = Annotated[
    ConstantScheduleConfig
    | InverseSqrtScheduleConfig
    | CosineScheduleConfig
    | PlateauScheduleConfig
    | ExponentialScheduleConfig,
    Field(discriminator="kind"),
]
AnySchedule = Annotated[_Schedule, named(_Schedule, CosineScheduleConfig)]
