"""The stage `evaluate`: scores of the translations."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.data.sources import fingerprints, references_alone
from seq2seq.files import write_json
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.recipe import Recipe
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:
    from seq2seq.evaluation.metrics import Score


class Evaluate(Stage):
    """Writes scores.json."""

    name = "evaluate"
    needs = ("translate",)
    code_version = 2

    def inputs(self, recipe: Recipe) -> Inputs:
        """The metrics and their intervals; the references of the test sets; COMET's model.

        Raises:
            UserError: a metric cannot be computed here: said before anything is trained.
        """
        from seq2seq.evaluation.comet import check, hash_of_model
        from seq2seq.evaluation.metrics import Given, make_metric

        own: Inputs = {}
        for metric in recipe.evaluation.metrics:
            if metric != "comet":  # whose model takes long to load
                make_metric(metric, Given(recipe.data.tgt))
        if recipe.evaluation.comet_folder is not None:
            check(recipe.evaluation.comet_folder)
            own["evaluation.comet"] = hash_of_model(recipe.evaluation.comet_folder)
        tests = fingerprints(recipe.data, "test").items()
        return flatten("evaluation", recipe.evaluation) | own | {k: value for k, value in tests if references_alone(k)}

    def run(self, context: Context) -> list[Path]:
        """Score each test set."""
        from seq2seq.console import say
        from seq2seq.data.test_sets import update_test_sets
        from seq2seq.data.tokenization import load_tokenizers

        recipe, folder = context.recipe, context.folder
        tokenizers = load_tokenizers(folder.model, recipe.data.reverse_target)
        update_test_sets(recipe.data, tokenizers, folder.data, say)
        result = _scores(recipe, folder, folder.translations)
        if folder.scores.exists() and json.loads(folder.scores.read_text(encoding="utf-8")) != result:
            folder.scores.replace(folder.previous_scores)
        write_json(folder.scores, result)
        made = [folder.scores, *(folder.test_set(name) for name in recipe.data.test)]
        folder.start_scores.unlink(missing_ok=True)
        if folder.start_translations.exists():
            write_json(folder.start_scores, _scores(recipe, folder, folder.start_translations))
            made.append(folder.start_scores)
        return made


def _scores(recipe: Recipe, folder: RunFolder, translations: Path) -> dict[str, list[dict[str, Any]]]:
    return {n: [asdict(score) for score in score_test_set(recipe, folder, n, translations)] for n in recipe.data.test}


def score_test_set(recipe: Recipe, folder: RunFolder, name: str, translations: Path | None = None) -> list[Score]:
    """The scores of a test set's translations in the run folder, or in another folder."""
    from seq2seq.evaluation.metrics import score

    sources, hypotheses, references = read_test_set(folder, name, recipe.data.tgt, translations)
    config = recipe.evaluation
    return score(
        hypotheses, references, config.metrics, recipe.data.tgt, config.bootstrap,
        sources=sources, comet=config.comet_folder,
    )  # fmt: skip


def read_scores(folder: RunFolder) -> dict[str, list[Score]]:
    """The scores of each test set; where the folder holds several seeds' runs, `SeedsScore`s."""
    return _read(folder.scores)


def read_start_scores(folder: RunFolder) -> dict[str, list[Score]]:
    """What the run that training started from scored on the same test sets; empty where there is none."""
    return _read(folder.start_scores) if folder.start_scores.exists() else {}


def _read(path: Path) -> dict[str, list[Score]]:
    from seq2seq.evaluation.metrics import Score
    from seq2seq.evaluation.seeds import SeedsScore

    def score(entry: dict[str, Any]) -> Score:
        return SeedsScore(**entry) if "by_seed" in entry else Score(**entry)

    stored = json.loads(path.read_text(encoding="utf-8"))
    return {name: [score(entry) for entry in entries] for name, entries in stored.items()}


def read_previous(folder: RunFolder) -> dict[str, dict[str, float]]:
    """What the run folder's test sets scored before they were scored again: by name and metric."""
    if not folder.previous_scores.exists():
        return {}
    stored = json.loads(folder.previous_scores.read_text(encoding="utf-8"))
    return {name: {entry["metric"]: entry["value"] for entry in entries} for name, entries in stored.items()}


def read_test_set(
    folder: RunFolder, name: str, tgt: str, translations: Path | None = None
) -> tuple[list[str], list[str], list[str]]:
    """Sources, translations (the run's, or those of another folder) and references of a test set."""
    from seq2seq.data.preparation import PreparedPairs

    pairs = PreparedPairs(folder.test_set(name))
    written = ((translations or folder.translations) / f"{name}.{tgt}").read_text(encoding="utf-8")
    return pairs.src_texts(), written.split("\n")[:-1], pairs.tgt_texts()
