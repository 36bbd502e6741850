"""What the runs of several seeds give together: mean, deviation, ensemble, and the page that tells of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from sacrebleu.metrics.base import Metric

from seq2seq.bundle import load_bundle, load_config
from seq2seq.decoding.ensemble import ensemble_of
from seq2seq.decoding.translator import Translator
from seq2seq.evaluation.metrics import Given, Score, legible, make_metric, score
from seq2seq.evaluation.page import seeds_to_html
from seq2seq.evaluation.seeds import (
    SeedsChange,
    SeedsReport,
    SeedsScore,
    change_over_seeds,
    seeds_to_markdown,
    summarize,
)
from seq2seq.evaluation.significance import paired_test
from seq2seq.files import new_folder, read_jsonl, write_json, write_text
from seq2seq.pipeline.stages.evaluate import read_scores, read_test_set
from seq2seq.recipe import Recipe
from seq2seq.recipe.start import model_folder
from seq2seq.run_folder import RunFolder


def summarize_runs(
    recipe: Recipe, folder: RunFolder, runs: Mapping[str, RunFolder], device: torch.device | None
) -> list[Path]:
    """Translate the test sets with all models together, score, write the page; returns what was made.

    Args:
        folder: of them all.
        runs: by seed, each run's.
        device: None: the CPU.
    """
    _translate_together(recipe, folder, runs, device or torch.device("cpu"))
    scores = seeds_scores(recipe, folder, runs)
    pages = {seed: f"../{run.root.name}/report/{run.html.name}" for seed, run in runs.items()}
    logs = {seed: read_jsonl(run.log) for seed, run in runs.items()}
    text, markdown = folder.recipe.read_text(encoding="utf-8"), folder.report / "report.md"
    start = recipe.training.start_from
    origin = "" if start is None else load_config(model_folder(start)).name
    languages, changes = (recipe.data.src, recipe.data.tgt), _changes(recipe, list(runs.values()))
    report = SeedsReport(recipe.name, *languages, scores, pages, logs, text, origin, changes)
    write_json(folder.scores, {name: [asdict(score) for score in of] for name, of in scores.items()})
    write_text(folder.html, seeds_to_html(report))
    write_text(markdown, seeds_to_markdown(report))
    return [folder.scores, folder.html, markdown, folder.translations]


def seeds_scores(recipe: Recipe, folder: RunFolder, runs: Mapping[str, RunFolder]) -> dict[str, list[SeedsScore]]:
    """By test set, the scores of the runs' and of the ensemble's translations."""
    first, single = next(iter(runs.values())), {seed: read_scores(run) for seed, run in runs.items()}
    return {
        name: summarize({seed: of[name] for seed, of in single.items()}, _score_together(recipe, folder, first, name))
        for name in recipe.data.test
    }


def _changes(recipe: Recipe, runs: Sequence[RunFolder]) -> list[SeedsChange]:
    """Each seed's run beside the one that its training started from, on each test set."""
    if not all(run.start_translations.exists() for run in runs):
        return []
    tgt, found = recipe.data.tgt, []
    for name in recipe.data.test:
        sources, _, _ = read_test_set(runs[0], name, tgt)
        given = Given(tgt, sources=sources, comet=recipe.evaluation.comet_folder)
        metrics: dict[str, Metric] = {metric: make_metric(metric, given) for metric in recipe.evaluation.metrics}
        of_runs = []
        for run in runs:
            _, after, references = read_test_set(run, name, tgt)
            _, before, _ = read_test_set(run, name, tgt, run.start_translations)
            systems = [(which, legible(lines, tgt)) for which, lines in (("before", before), ("after", after))]
            of_runs.append(paired_test(systems, [legible(references, tgt)], metrics))
        for metric in metrics:
            pairs = [(of[metric][1][0], of[metric][1][1]) for of in of_runs]
            found.append(change_over_seeds(name, metric, pairs))
    return found


def _score_together(recipe: Recipe, folder: RunFolder, first: RunFolder, name: str) -> list[Score]:
    sources, _, references = read_test_set(first, name, recipe.data.tgt)
    text = (folder.translations / f"{name}.{recipe.data.tgt}").read_text(encoding="utf-8")
    config = recipe.evaluation
    return score(
        text.split("\n")[:-1], references, config.metrics, recipe.data.tgt, config.bootstrap,
        sources=sources, comet=config.comet_folder,
    )  # fmt: skip


def _translate_together(recipe: Recipe, folder: RunFolder, runs: Mapping[str, RunFolder], device: torch.device) -> None:
    models = [load_bundle(run.root, device) for run in runs.values()]
    translator = Translator(ensemble_of(models, [str(run.root) for run in runs.values()], []))
    first = next(iter(runs.values()))
    with new_folder(folder.translations) as partial:
        for name in recipe.data.test:
            sources, _, _ = read_test_set(first, name, recipe.data.tgt)
            found = translator.translate(sources)
            write_text(partial / f"{name}.{recipe.data.tgt}", "".join(one.text + "\n" for one in found))
