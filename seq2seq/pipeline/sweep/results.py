"""What a sweep's runs have come to, read from their folders."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from sacrebleu.metrics.base import Metric

from seq2seq.bundle import count_weights
from seq2seq.evaluation.metrics import Given, Score, make_metric
from seq2seq.evaluation.seeds import SeedsScore
from seq2seq.evaluation.significance import SystemResult, p_over_pairs, paired_test
from seq2seq.evaluation.sweep import Cell, RowResult
from seq2seq.files import read_jsonl
from seq2seq.pipeline.seeds import of_seed
from seq2seq.pipeline.stages.evaluate import read_scores, read_test_set
from seq2seq.pipeline.sweep.grid import Row
from seq2seq.recipe import Recipe
from seq2seq.run_folder import RunFolder

MOST_RESAMPLES = 1000


def results_of(rows: Sequence[Row], folder: Path) -> list[RowResult]:
    """Sizes, times and scores of each row, tested against the first.

    Args:
        folder: the sweep's, from which the addresses of pages count.
    """
    scores = [read_scores(RunFolder(Path(row.recipe.output_dir))) for row in rows]
    found = []
    tested = {name: _tested(rows, name) for name in (scores[0] if scores else {})}
    for i, (row, of_row) in enumerate(zip(rows, scores, strict=True)):
        runs = _folders(row.recipe)
        lasts = [read_jsonl(run.log) for run in runs]
        speeds = [r["tokens_per_second"] for log in lasts for r in log if r.get("kind") == "train"]
        cells = {
            (name, score.metric): _cell(score, tested.get(name, {}).get(i, []))
            for name, of_set in of_row.items()
            for score in of_set
        }
        found.append(
            RowResult(
                label=row.label,
                page=os.path.relpath(RunFolder(Path(row.recipe.output_dir)).html, folder),
                parameters=count_weights(runs[0].model),
                seconds=statistics.fmean(log[-1]["seconds"] for log in lasts),
                tokens_per_second=statistics.median(speeds) if speeds else 0.0,
                cells=cells,
            )
        )
    return found


def _folders(recipe: Recipe) -> list[RunFolder]:
    recipes = [recipe] if recipe.seeds is None else [of_seed(recipe, seed) for seed in recipe.seeds]
    return [RunFolder(Path(one.output_dir)) for one in recipes]


Tests = list[tuple[dict[str, SystemResult], dict[str, SystemResult]]]
"""Of each pair of runs with the same seed: by metric, the first row's result and the other's."""


def _tested(rows: Sequence[Row], name: str) -> dict[int, Tests]:
    """By number of the row, its runs against the first row's on a test set; rows that have another one are left out."""
    recipe = rows[0].recipe
    samples = min(recipe.evaluation.bootstrap, MOST_RESAMPLES) or MOST_RESAMPLES
    found: dict[int, Tests] = {i: [] for i in range(1, len(rows))}
    for number, first in enumerate(_folders(recipe)):
        sources, lines, references = read_test_set(first, name, recipe.data.tgt)
        given = Given(recipe.data.tgt, sources=sources, comet=recipe.evaluation.comet_folder)
        metrics: dict[str, Metric] = {metric: make_metric(metric, given) for metric in recipe.evaluation.metrics}
        systems, chosen = [("first", lines)], []
        for i, row in enumerate(rows[1:], start=1):
            runs = _folders(row.recipe)
            if name not in row.recipe.data.test or len(runs) <= number:
                continue
            _, theirs, same = read_test_set(runs[number], name, row.recipe.data.tgt)
            if same == references:
                systems.append((str(i), theirs))
                chosen.append(i)
        if not chosen:
            continue
        results = paired_test(systems, [references], metrics, "bs", samples)
        for at, i in enumerate(chosen, start=1):
            base = {metric: of[0] for metric, (_, of) in results.items()}
            found[i].append((base, {metric: of[at] for metric, (_, of) in results.items()}))
    return found


def _cell(score: Score, tests: Tests) -> Cell:
    pairs = [(base[score.metric], other[score.metric]) for base, other in tests if score.metric in other]
    several = score if isinstance(score, SeedsScore) else None
    return Cell(
        metric=score.metric,
        value=score.value,
        deviation=several.deviation if several else None,
        by_seed=several.by_seed if several else {},
        ensemble=several.ensemble if several else None,
        signature=score.signature,
        p_value=p_over_pairs(pairs),
    )
