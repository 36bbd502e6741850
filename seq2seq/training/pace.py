"""How long a training will take, told once, as soon as its speed is known."""

from __future__ import annotations

SLOW_STEPS = 3
"""First steps of a session, which make kernels and fill caches: they are no measure of the rest."""
MEASURED = 5.0
"""Seconds of steps after those that an estimate is made from."""


class Pace:
    """The speed of a session's steps."""

    def __init__(self) -> None:
        self._steps, self._seconds, self._told = -SLOW_STEPS, 0.0, False

    def after(self, seconds: float, steps_left: int) -> str | None:
        """Note a step; gives the estimate when it can be made, once.

        Args:
            seconds: that the step took.
            steps_left: of the training, at the most.
        """
        self._steps += 1
        if self._steps > 0:
            self._seconds += seconds
        if self._told or self._seconds < MEASURED or steps_left == 0:
            return None
        self._told = True
        each = self._seconds / self._steps
        return (
            f"plan: about {duration(steps_left * each)} for the remaining {steps_left:,} steps, at {1 / each:.3g} "
            "steps a second; validations come on top"
        )


def duration(seconds: float) -> str:
    """As one would say it: `40 seconds`, `26 minutes`, `3.5 hours`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} second{'s' * (round(seconds) > 1)}"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"
