"""The stage `report`: one page about the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.files import write_text
from seq2seq.pipeline.manifest import Inputs, Manifest
from seq2seq.pipeline.stage import Context, Stage
from seq2seq.pipeline.stages.evaluate import read_scores, read_test_set
from seq2seq.recipe import Recipe

if TYPE_CHECKING:
    from seq2seq.evaluation.report import RunReport


class Report(Stage):
    """Writes report.html and report.md."""

    name = "report"
    needs = ("evaluate",)
    code_version = 3

    def inputs(self, recipe: Recipe) -> Inputs:
        """Nothing but the title: all else is what other stages have left."""
        return {"name": recipe.name}

    def run(self, context: Context) -> list[Path]:
        """Write the page and its Markdown."""
        from seq2seq.evaluation.page import to_html
        from seq2seq.evaluation.report import to_markdown

        content, html, markdown = gather(context), context.folder.html, context.folder.report / "report.md"
        write_text(html, to_html(content))
        write_text(markdown, to_markdown(content))
        return [html, markdown]


def gather(context: Context) -> RunReport:
    """What the report tells."""
    from seq2seq.bundle import count_weights
    from seq2seq.data.test_sets import audit_of_test_sets
    from seq2seq.evaluation.attention import AttentionExample
    from seq2seq.evaluation.confidence import described_error
    from seq2seq.evaluation.report import RunReport, TestSetReport

    recipe, folder = context.recipe, context.folder
    test_sets = []
    for name, scores in read_scores(folder).items():
        sources, hypotheses, references = read_test_set(folder, name, recipe.data.tgt)
        stored = json.loads((folder.translations / f"{name}.attention.json").read_text(encoding="utf-8"))
        attentions = [AttentionExample(**entry) for entry in stored]
        test_sets.append(TestSetReport(name, sources, hypotheses, references, scores, attentions))
    log = [json.loads(line) for line in folder.log.read_text(encoding="utf-8").split("\n") if line]
    audit = json.loads((folder.data / "audit.json").read_text(encoding="utf-8"))
    audit["test"] = audit_of_test_sets(folder.data)
    facts = _facts(context.manifest, count_weights(folder.model), log)
    for one in test_sets:
        confidences = json.loads((folder.translations / f"{one.name}.confidence.json").read_text(encoding="utf-8"))
        facts.append((f"Confidence, {one.name}", described_error(confidences, one.hypotheses, one.references)))
    text = folder.recipe.read_text(encoding="utf-8")
    return RunReport(recipe.name, recipe.data.src, recipe.data.tgt, facts, text, log, audit, test_sets)


def _facts(manifest: Manifest, parameters: int, log: list[dict[str, Any]]) -> list[tuple[str, str]]:
    stages = manifest.stages
    train, last = stages["train"], log[-1]
    best = [record for record in log if record.get("best")][-1]
    facts = [
        ("Weights", f"{parameters:,}"),
        ("Training", f"{last['step']:,} steps, {last['epoch']:.1f} epochs, {last['seconds'] / 60:.1f} minutes"),
        ("Best model", f"step {best['step']:,}: validation BLEU {best['bleu']:.2f}, loss {best['loss']:.3f}"),
        ("Whole run", f"{sum(stage.seconds for stage in stages.values()) / 60:.1f} minutes"),
        ("Peak memory", f"{max(stage.peak_memory_mib for stage in stages.values()):,} MiB"),
        ("Machine", train.machine),
        ("Command", train.command),
    ]
    facts += [("Warning", warning) for warning in best.get("warnings", [])]
    return facts + list(train.versions.items())
