"""What a run tells of its model in the model's card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seq2seq.bundle import count_weights, load_config
from seq2seq.data.tokenization import load_tokenizers
from seq2seq.evaluation.report import RunReport, buckets_by_length
from seq2seq.export.card import RunFacts, run_card
from seq2seq.languages import language_name
from seq2seq.pipeline.manifest import Manifest
from seq2seq.recipe import Recipe
from seq2seq.recipe.reader import write_yaml
from seq2seq.recipe.start import KEY as START
from seq2seq.run_folder import RunFolder

SECTIONS = {"seed", "tokenizer", "model", "training", "decoding"}
"""Of the recipe: the others name files of the machine that the model was trained on."""


def card_of(recipe: Recipe, folder: RunFolder, manifest: Manifest, report: RunReport) -> str:
    """The text of model/README.md."""
    scores = {test_set.name: test_set.scores for test_set in report.test_sets}
    text = write_yaml(_without_folders(recipe.model_dump(include=SECTIONS)))
    facts = RunFacts(recipe.report.license, scores, _data(manifest, report.audit), _limits(report), text)
    src, tgt = load_tokenizers(folder.model)
    return run_card(load_config(folder.model), count_weights(folder.model), (len(src), len(tgt)), facts)


def _without_folders(sections: dict[str, Any]) -> dict[str, Any]:
    """Runs are named as they are, not where they lie on the machine."""
    for section, key in (("tokenizer", "run"), ("training", "start_from")):
        run = sections[section].get(key)
        if run is not None and not run.startswith("hf:"):
            sections[section][key] = Path(run).name
    return sections


def _data(manifest: Manifest, audit: dict[str, Any]) -> list[tuple[str, str]]:
    """Training pairs read, dropped and kept; contents of all sources by their hashes."""
    train = audit["train"]
    dropped = ", ".join(f"{count:,} {why.replace('_', ' ')}" for why, count in train["dropped"].items() if count)
    rows = [("training pairs", f"{train['read']:,} read, {train['kept']:,} kept; dropped: {dropped or 'none'}")]
    sources: dict[str, str] = {}
    if (start := manifest.stages["train"].inputs.get(START)) is not None:
        sources["starts from the weights"] = start
    for stage in ("prepare", "translate", "evaluate"):
        inputs = manifest.stages[stage].inputs.items() if stage in manifest.stages else ()
        sources |= {key: value for key, value in inputs if key.startswith("data.") and "(" in key}
    return rows + [(key, f"sha256 {value}" if len(value) == 64 else value) for key, value in sources.items()]


def _limits(report: RunReport) -> list[str]:
    """Lengths that it is worst at, what it was trained on at most, and the last warnings of its training."""
    found = []
    for test_set in report.test_sets:
        buckets, unit = buckets_by_length(test_set, report)
        if len(buckets) > 1:
            worst = min(buckets, key=lambda bucket: bucket.bleu)
            found.append(f"{test_set.name}: worst at sources of {worst.span} {unit} (BLEU {worst.bleu:.1f})")
    lengths = report.audit["train"].get("src") or {}
    if "max" in lengths:
        language = language_name(report.src)
        found.append(f"trained on {language} sentences of at most {lengths['max']} tokens")
    if report.robustness is not None:
        found += [f"robustness suite, {one.told()}" for one in report.robustness.findings]
    last = max((step for step, _ in report.warnings), default=0)
    return found + [f"at training step {step:,}: {text}" for step, text in report.warnings if step == last]
