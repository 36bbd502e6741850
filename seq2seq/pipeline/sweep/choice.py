"""Which values a search tries next: optuna's tree-structured Parzen estimator, from what the trials before came to."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.errors import UserError
from seq2seq.recipe.sweep import RangeConfig

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

DIGITS = 4
"""Significant digits of numbers that are not whole."""

Space = Mapping[str, RangeConfig | Sequence[Any]]
"""By key, a range or the values that are chosen from."""


@dataclass(frozen=True)
class Tried:
    """A trial as the choice sees it.

    Attributes:
        score: None: it is still running.
    """

    values: Mapping[str, Any]
    score: float | None


def check_optuna() -> None:
    """Raises UserError where it is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise UserError("a search (--trials) needs optuna; install with: pip install 'seq2seq[optuna]'")


def next_values(space: Space, tried: Sequence[Tried], number: int, seed: int, lower_is_better: bool) -> dict[str, Any]:
    """The values of the trial with this number. They depend on the arguments alone, so that a search that was
    interrupted goes on as it would have.

    Args:
        tried: those with values outside of the space are left out.
    """
    import optuna  # noqa: PLC0415 - an extra

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {key: _distribution(of) for key, of in space.items()}
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(seed=drawn, constant_liar=True)
    study = optuna.create_study(direction="minimize" if lower_is_better else "maximize", sampler=sampler)
    study.add_trials([found for one in tried if (found := _trial(one, space, distributions)) is not None])
    chosen = study.ask(distributions).params
    return {key: _value(space[key], chosen[key]) for key in space}


def _distribution(of: RangeConfig | Sequence[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: PLC0415

    if not isinstance(of, RangeConfig):
        return CategoricalDistribution(range(len(of)))
    if of.is_whole:
        return IntDistribution(int(of.low), int(of.high), of.log, int(of.step or 1))
    return FloatDistribution(float(of.low), float(of.high), of.log, None if of.step is None else float(of.step))


def _value(of: RangeConfig | Sequence[Any], chosen: Any) -> Any:
    if not isinstance(of, RangeConfig):
        return of[chosen]
    if of.is_whole:
        return chosen
    if of.step is not None:
        return float(f"{chosen:.12g}")
    return min(max(float(f"{chosen:.{DIGITS}g}"), float(of.low)), float(of.high))


def _trial(one: Tried, space: Space, distributions: Mapping[str, BaseDistribution]) -> FrozenTrial | None:
    """As optuna keeps it; None: its values lie outside of the space."""
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415

    params = {}
    for key, of in space.items():
        value = one.values.get(key)
        if not isinstance(of, RangeConfig):
            written = [json.dumps(choice, sort_keys=True) for choice in of]
            if (text := json.dumps(value, sort_keys=True)) not in written:
                return None
            value = written.index(text)
        elif not isinstance(value, int | float) or not of.low <= value <= of.high:
            return None
        params[key] = value
    state = TrialState.RUNNING if one.score is None else TrialState.COMPLETE
    return create_trial(state=state, value=one.score, params=params, distributions=dict(distributions))
