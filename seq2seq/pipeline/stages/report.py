"""The stage `report`: one page about the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.errors import UserError
from seq2seq.files import file_hash, read_jsonl, write_text
from seq2seq.pipeline.manifest import Inputs, Manifest, digest
from seq2seq.pipeline.stage import Context, Stage
from seq2seq.pipeline.stages.evaluate import read_previous, read_scores, read_test_set
from seq2seq.recipe import Recipe
from seq2seq.recipe.start import model_folder
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:
    from seq2seq.evaluation.compare import Comparison
    from seq2seq.evaluation.report import RunReport


class Report(Stage):
    """Writes report.html, report.md and the model's README.md."""

    name = "report"
    needs = ("evaluate",)
    code_version = 6

    def inputs(self, recipe: Recipe) -> Inputs:
        """The title, the licence, translations of runs that are compared, the robustness suite where it has run: all
        else is what other stages left."""
        inputs = {"name": recipe.name, "report.license": recipe.report.license}
        for i, path in enumerate(recipe.report.compare_to):
            other, key = RunFolder(Path(path)), f"report.compare_to.{i}"
            if not other.recipe.exists():
                raise UserError(f"{key}: {path}: no run folder; run its recipe first, or remove it from the list")
            files = sorted(file for file in other.translations.glob("*") if file.is_file())
            inputs[key] = digest({file.name: file_hash(file) for file in files})
        robustness = RunFolder(Path(recipe.output_dir)).robustness
        if robustness.exists():
            inputs["robustness suite"] = file_hash(robustness)
        return inputs

    def run(self, context: Context) -> list[Path]:
        """Write the page, its Markdown, and the model's card."""
        from seq2seq.evaluation.page import to_html
        from seq2seq.evaluation.report import to_markdown
        from seq2seq.pipeline.model_card import card_of

        content, html, markdown = gather(context), context.folder.html, context.folder.report / "report.md"
        card = context.folder.model / "README.md"
        write_text(html, to_html(content))
        write_text(markdown, to_markdown(content))
        write_text(card, card_of(context.recipe, context.folder, context.manifest, content))
        return [html, markdown, card]


def gather(context: Context) -> RunReport:
    """What the report tells."""
    from seq2seq.bundle import count_weights
    from seq2seq.data.test_sets import audit_of_test_sets
    from seq2seq.evaluation.confidence import described_error
    from seq2seq.evaluation.explorer import Detail
    from seq2seq.evaluation.report import RunReport, TestSetReport
    from seq2seq.pipeline.comparison import rarity_in
    from seq2seq.pipeline.robustness import read_robustness

    recipe, folder = context.recipe, context.folder
    test_sets = []
    for name, scores in read_scores(folder).items():
        sources, hypotheses, references = read_test_set(folder, name, recipe.data.tgt)
        details = [Detail.from_record(record) for record in read_jsonl(folder.details(name))]
        known = rarity_in(folder, recipe.data.src, name)
        test_sets.append(TestSetReport(name, sources, hypotheses, references, scores, details, known))
    log = read_jsonl(folder.log)
    audit = json.loads((folder.data / "audit.json").read_text(encoding="utf-8"))
    audit["test"] = audit_of_test_sets(folder.data)
    facts = _facts(context.manifest, count_weights(folder.model), log)
    for one in test_sets:
        confidences = json.loads((folder.translations / f"{one.name}.confidence.json").read_text(encoding="utf-8"))
        facts.append((f"Confidence, {one.name}", described_error(confidences, one.hypotheses, one.references)))
    text = folder.recipe.read_text(encoding="utf-8")
    return RunReport(
        recipe.name, recipe.data.src, recipe.data.tgt, facts, text, log, audit, test_sets,
        warnings=_warnings(log),
        repeat=f"seq2seq run {folder.recipe} output_dir={folder.root}-again",
        comparisons=_comparisons(recipe, folder),
        changes=_changes(recipe, folder),
        previous=read_previous(folder),
        robustness=read_robustness(folder),
    )  # fmt: skip


def _changes(recipe: Recipe, folder: RunFolder) -> list[Comparison]:
    """This run beside the one that its training started from, on each test set."""
    from seq2seq.bundle import load_config
    from seq2seq.evaluation.compare import TestSet, compare

    start, tgt, found = recipe.training.start_from, recipe.data.tgt, []
    if start is None or not folder.start_translations.exists():
        return []
    origin = load_config(model_folder(start)).name
    for name in recipe.data.test:
        sources, after, references = read_test_set(folder, name, tgt)
        _, before, _ = read_test_set(folder, name, tgt, folder.start_translations)
        systems = [(f"{origin} (before)", before), (f"{recipe.name} (after)", after)]
        test_set = TestSet(name, sources, [references], systems, recipe.data.src, tgt)
        found.append(compare(test_set, recipe.evaluation.metrics, comet=recipe.evaluation.comet_folder))
    return found


def _comparisons(recipe: Recipe, folder: RunFolder) -> list[Comparison]:
    """This run beside those that the recipe names, on each test set that all have translated."""
    from seq2seq.evaluation.compare import compare
    from seq2seq.pipeline.comparison import read_run, read_test_sets
    from seq2seq.recipe.file import load_recipe

    if not recipe.report.compare_to:
        return []
    others = [read_run(path, load_recipe(path)) for path in recipe.report.compare_to]
    sets = read_test_sets([(f"{folder.root} (this run)", recipe, folder), *others])
    return [compare(one, recipe.evaluation.metrics, comet=recipe.evaluation.comet_folder) for one in sets]


def _warnings(log: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Signs of ill health by step: those of validations, and of each layer that starves of gradient, once."""
    from seq2seq.training.gradients import warnings_of

    found, starved = [], set[str]()
    for record in log:
        found += [(record["step"], text) for text in record.get("warnings", [])]
        for layer, text in warnings_of(record.get("gradient_norms", {})).items():
            if layer not in starved:
                found.append((record["step"], text))
            starved.add(layer)
    return found


def _facts(manifest: Manifest, parameters: int, log: list[dict[str, Any]]) -> list[tuple[str, str]]:
    stages = manifest.stages
    train, last = stages["train"], log[-1]
    best = [record for record in log if record.get("best")][-1]
    bleu = f"BLEU {best['bleu']:.2f}, " if "bleu" in best else ""
    facts = [
        ("Weights", f"{parameters:,}"),
        ("Training", f"{last['step']:,} steps, {last['epoch']:.1f} epochs, {last['seconds'] / 60:.1f} minutes"),
        ("Best model", f"step {best['step']:,}: validation {bleu}loss {best['loss']:.3f}"),
        ("Whole run", f"{sum(stage.seconds for stage in stages.values()) / 60:.1f} minutes"),
        ("Peak memory", f"{max(stage.peak_memory_mib for stage in stages.values()):,} MiB"),
        ("Machine", train.machine),
        ("Command", train.command),
    ]
    facts += [("Warning", warning) for warning in best.get("warnings", [])]
    return facts + list(train.versions.items())
