"""sacreBLEU's resampling: intervals of one system, and paired tests of several against the first.

Its random seed is sacreBLEU's: 12345, or what the environment's SACREBLEU_SEED says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest, Result

TestKind = Literal["bs", "ar"]
"""Paired bootstrap resampling (Koehn 2004), or approximate randomization (Riezler and Maxwell 2005)."""


@dataclass(frozen=True)
class SystemResult:
    """One system by one metric.

    Attributes:
        mean: of the bootstrap resamples; None under approximate randomization.
        half_width: of their middle 95 %.
        p_value: of the difference from the first system; None for that one.
    """

    value: float
    mean: float | None
    half_width: float | None
    p_value: float | None


def paired_test(
    systems: Sequence[tuple[str, Sequence[str]]],
    references: Sequence[Sequence[str]],
    metrics: Mapping[str, Metric],
    kind: TestKind = "bs",
    samples: int = 0,
) -> dict[str, tuple[str, list[SystemResult]]]:
    """Each metric's signature, and its result for each system; the first system is what the others are compared with.

    Args:
        systems: names and translations.
        references: one list of lines for each translator.
        samples: resamples or trials; 0: sacreBLEU's defaults, 1,000 and 10,000.
    """
    found: dict[str, tuple[str, list[SystemResult]]] = {}
    for metric, computer in metrics.items():  # one by one: BLEU and spBLEU have the same name there
        test = PairedTest(list(systems), {metric: computer}, references, test_type=kind, n_samples=samples)
        signatures, results = test()
        ((name, signature),) = signatures.items()
        of_systems = [cast(Result, result) for result in results[name]]
        found[metric] = (
            str(signature),
            [SystemResult(float(r.score), _float(r.mean), _float(r.ci), _float(r.p_value)) for r in of_systems],
        )
    return found


def p_over_pairs(pairs: Sequence[tuple[SystemResult, SystemResult]]) -> float | None:
    """The largest p of several pairs of systems, as of trainings that differ in their seed; 1 where they disagree on
    which of the two is better; None where nothing was tested.
    """
    gains = [other.value - first.value for first, other in pairs]
    values = [other.p_value for _, other in pairs if other.p_value is not None]
    if not values:
        return None
    return max(values) if min(gains) > 0 or max(gains) < 0 else 1.0


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)
