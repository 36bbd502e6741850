"""Systems side by side on one test set: paired tests, where they differ, and the sentences that changed most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.errors import UserError
from seq2seq.evaluation.buckets import Bucket, Rarity, Texts, buckets
from seq2seq.evaluation.metrics import METRICS, Given, legible, make_metric, sentence_chrf
from seq2seq.evaluation.significance import SystemResult, TestKind, paired_test

SIGNIFICANT = 0.05
CHANGED_SHOWN = 5
"""Sentences in which a system is better, and as many in which it is worse, than the first."""


@dataclass(frozen=True)
class TestSet:
    """What systems are compared on; all have the same count of lines.

    Attributes:
        sources: None where they are not known.
        references: one list for each translator.
        systems: name and translations; the first is what the others are compared with.
        rarity: how the training data know the sources' words; None where that is not known.
    """

    __test__ = False  # pytest: this is no test

    name: str
    sources: list[str] | None
    references: list[list[str]]
    systems: list[tuple[str, list[str]]]
    src: str
    tgt: str
    rarity: Rarity | None = None


@dataclass(frozen=True)
class Changed:
    """A sentence that another system translates better or worse than the first; `gain` is in chrF."""

    system: str
    gain: float
    source: str
    first: str
    other: str
    reference: str


@dataclass(frozen=True)
class Comparison:
    """All that is told of one test set.

    Attributes:
        results: by metric, sacreBLEU's signature and the result of each system.
    """

    name: str
    systems: list[str]
    sentences: int
    results: dict[str, tuple[str, list[SystemResult]]]
    buckets: list[Bucket]
    changed: list[Changed]


def compare(
    test: TestSet,
    metrics: Sequence[str],
    kind: TestKind = "bs",
    samples: int = 0,
    lowercase: bool = False,
    comet: Path | None = None,
) -> Comparison:
    """Test each system against the first with sacreBLEU's paired bootstrap or approximate randomization.

    Args:
        comet: the folder of its model.

    Raises:
        UserError: fewer than two systems, a metric is unknown or cannot be computed, or the counts of lines differ.
    """
    _check(test)
    systems = [(name, list(legible(lines, test.tgt))) for name, lines in test.systems]
    references = [list(legible(lines, test.tgt)) for lines in test.references]
    given = Given(test.tgt, lowercase, test.sources, comet)
    made = {metric: make_metric(metric, given) for metric in metrics}
    results = paired_test(systems, references, made, kind, samples)
    names = [name for name, _ in systems]
    texts = Texts(test.sources, test.references[0], test.src, test.tgt, test.rarity)
    found = buckets(texts, [lines for _, lines in test.systems])
    return Comparison(test.name, names, len(references[0]), results, found, _changed(test))


def verdict(comparison: Comparison, metric: str, i: int) -> str:
    """In words, how system number `i` does beside the first."""
    first, other = comparison.results[metric][1][0], comparison.results[metric][1][i]
    label, gain, p = METRICS[metric].label, other.value - first.value, other.p_value
    assert p is not None
    if gain == 0:
        return f"{comparison.systems[i]} and {comparison.systems[0]} have the same {label}"
    if not is_significant(first, other):
        return f"{comparison.systems[i]} and {comparison.systems[0]} are not distinguishable by {label} (p = {p:.3f})"
    better = (gain < 0) == METRICS[metric].lower_is_better
    word = "better" if better else "worse"
    return f"{comparison.systems[i]} is {word} than {comparison.systems[0]} by {abs(gain):.1f} {label}, p = {p:.3f}"


def is_significant(first: SystemResult, other: SystemResult) -> bool:
    """Whether a system differs from the first at the level of 5 %; of equal scores sacreBLEU's p says nothing."""
    return other.p_value is not None and other.p_value < SIGNIFICANT and other.value != first.value


def best(comparison: Comparison, metric: str) -> int:
    """Number of the system with the best value."""
    values = [result.value for result in comparison.results[metric][1]]
    return int(np.argmin(values) if METRICS[metric].lower_is_better else np.argmax(values))


def differences(systems: Mapping[str, Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    """Keys whose values differ between systems, with the value of each; "" where one has none."""
    keys = dict.fromkeys(key for facts in systems.values() for key in facts)
    rows = [(key, [facts.get(key, "") for facts in systems.values()]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def to_plain(comparisons: Sequence[Comparison], different: Sequence[tuple[str, list[str]]]) -> dict[str, Any]:
    """For JSON."""
    return {
        "differences": dict(different),
        "test_sets": {
            one.name: {
                "systems": one.systems,
                "sentences": one.sentences,
                "metrics": {
                    metric: {
                        "signature": signature,
                        "results": [vars(result) for result in results],
                        "verdicts": [verdict(one, metric, i) for i in range(1, len(one.systems))],
                    }
                    for metric, (signature, results) in one.results.items()
                },
                "buckets": [vars(bucket) for bucket in one.buckets],
                "changed": [vars(changed) for changed in one.changed],
            }
            for one in comparisons
        },
    }


def _check(test: TestSet) -> None:
    if len(test.systems) < 2:
        raise UserError("compare: name at least two systems")
    names = [name for name, _ in test.systems]
    if len(set(names)) < len(names):
        raise UserError(f"compare: {max(names, key=names.count)} is named twice; name each system once")
    expected = len(test.references[0])
    counts = {f"reference {i}": len(lines) for i, lines in enumerate(test.references, 1)}
    counts |= {name: len(lines) for name, lines in test.systems}
    counts |= {} if test.sources is None else {"the sources": len(test.sources)}
    for name, count in counts.items():
        if count != expected:
            raise UserError(
                f"compare: {name}: {count:,} lines, but {expected:,} references: they must match line by line"
            )
    if not expected:
        raise UserError("compare: there is nothing to compare: no lines")


def _changed(test: TestSet) -> list[Changed]:
    """Of each system the sentences that gained most and lost most chrF."""
    (_, first), *others = test.systems
    reference = test.references[0]
    base, found = np.array(sentence_chrf(first, reference)), []
    for name, lines in others:
        gains = np.array(sentence_chrf(lines, reference)) - base
        order = np.argsort(-gains, kind="stable").tolist()
        chosen = dict.fromkeys([*order[:CHANGED_SHOWN], *order[-CHANGED_SHOWN:]])
        for i in (i for i in chosen if lines[i] != first[i]):
            source = "" if test.sources is None else test.sources[i]
            found.append(Changed(name, round(float(gains[i]), 1), source, first[i], lines[i], reference[i]))
    return found
