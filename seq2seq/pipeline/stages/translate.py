"""The stage `translate`: every test set, by the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.data.sources import fingerprints, references_alone
from seq2seq.decoding.confidence import FILE as CONFIDENCE
from seq2seq.files import new_folder, write_json, write_text
from seq2seq.pipeline.kept_translations import KeptTranslations
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage
from seq2seq.pipeline.stages.train import bundle_config, decoding_inputs
from seq2seq.recipe import Recipe
from seq2seq.recipe.start import model_folder
from seq2seq.run_folder import RunFolder

if TYPE_CHECKING:
    from seq2seq.bundle import Bundle
    from seq2seq.decoding.translation import Translation
    from seq2seq.decoding.translator import Translator

ALTERNATIVES = 2
"""Further translations of each sentence that are kept for the report, where the beam holds so many."""
APPLIED = ("beam_size", "length_penalty")
"""Keys of `decoding` that may be written into a trained model."""
READ_AT_ONCE = 1000
"""Sentences whose attention is held in memory."""


class Translate(Stage):
    """Writes a file of translations for each test set, and a record of how each was written."""

    name = "translate"
    needs = ("train",)
    code_version = 3

    def inputs(self, recipe: Recipe) -> Inputs:
        """How translations are searched for; the contents of the test sets, but for their references."""
        tests = fingerprints(recipe.data, "test").items()
        return decoding_inputs(recipe) | {k: value for k, value in tests if not references_alone(k)}

    def mismatches(self, recipe: Recipe, folder: RunFolder) -> list[str]:
        """Settings written into the model after the recipe's (pipeline/applied.py)."""
        try:
            own = json.loads((folder.model / "config.json").read_text(encoding="utf-8"))["decoding"]
        except (OSError, ValueError, KeyError, TypeError):  # loading the model tells
            return []
        found = {key: [json.dumps(each.get(key)) for each in (own, recipe.decoding.model_dump())] for key in APPLIED}
        return [
            f"model/config.json has decoding.{key} {theirs}, the recipe {ours}"
            for key, (theirs, ours) in found.items()
            if theirs != ours
        ]

    def run(self, context: Context) -> list[Path]:
        """Fill the folder `translations`."""
        from seq2seq.bundle import load_bundle
        from seq2seq.console import say
        from seq2seq.data.preparation import PreparedPairs
        from seq2seq.data.test_sets import update_test_sets
        from seq2seq.decoding.translator import Translator
        from seq2seq.evaluation.confidence import calibrate

        recipe, folder = context.recipe, context.folder
        write_json(folder.model / "config.json", bundle_config(recipe).model_dump())
        loaded = load_bundle(folder.model, context.processes.device)
        if recipe.task == "language_model":
            with new_folder(folder.translations):
                return [folder.translations]
        update_test_sets(recipe.data, (loaded.src_tokenizer, loaded.tgt_tokenizer), folder.data, say)
        confidence = calibrate(loaded, PreparedPairs(folder.data / "valid.arrow"))
        confidence.save(folder.model)
        translator = Translator(replace(loaded, confidence=confidence))
        start = _start(context, loaded)
        kept = KeptTranslations(context.inputs[self.name], folder.model, folder.translations)
        with new_folder(folder.translations) as partial:
            due = [name for name in recipe.data.test if not kept.take(name, partial)]
            if len(due) < len(recipe.data.test):
                say(f"translated already: {', '.join(name for name in recipe.data.test if name not in due)}")
            for name in due:
                sources = PreparedPairs(folder.test_set(name)).src_texts()
                files = _write(recipe, loaded, translator.translate(sources, _alternatives(recipe) + 1), partial / name)
                if start is not None:
                    files.append(partial / folder.start_translations.name / files[0].name)
                    write_text(files[-1], _text(start.translate(sources)))
                kept.note(name, partial, files)
            kept.write(partial)
        return [folder.translations, folder.model / CONFIDENCE]


def _write(recipe: Recipe, loaded: Bundle, found: list[Translation], path: Path) -> list[Path]:
    """A test set's translations, and how each was written, in files that begin with `path`; they are returned."""
    text, details, confidence = (
        path.with_name(f"{path.name}.{ending}") for ending in (recipe.data.tgt, "details.jsonl", "confidence.json")
    )
    write_text(text, _text(found))
    with open(details, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in _details(loaded, found))
    best = [one.candidates[0] for one in found]
    write_json(confidence, [[c.confidence, *c.word_confidences] for c in best])
    return [text, details, confidence]


def _text(translations: list[Translation]) -> str:
    return "".join(one.text + "\n" for one in translations)


def _start(context: Context, loaded: Bundle) -> Translator | None:
    """The model that training started from, searched in the same way, for what it was before; None: there is none."""
    from seq2seq.bundle import load_bundle
    from seq2seq.decoding.translator import Translator

    start = context.recipe.training.start_from
    if start is None or not context.recipe.data.test:
        return None
    return Translator(load_bundle(model_folder(start), context.processes.device), loaded.config.decoding)


def _alternatives(recipe: Recipe) -> int:
    decoding = recipe.decoding
    return 0 if decoding.sampling or decoding.mbr else min(ALTERNATIVES, decoding.beam_size - 1)


def _details(loaded: Bundle, translations: list[Translation]) -> Iterator[dict[str, Any]]:
    """A record for each sentence: its score and alternatives; how sure of each word the model was, where it looked.

    A blank line, and one that was translated in pieces, has no `reading`.
    """
    from seq2seq.data.tokenization import EOS
    from seq2seq.decoding.scoring import score_and_look
    from seq2seq.evaluation.attention import reading

    tokenizers, languages = (loaded.src_tokenizer, loaded.tgt_tokenizer), (loaded.config.src, loaded.config.tgt)
    for start in range(0, len(translations), READ_AT_ONCE):
        part = translations[start : start + READ_AT_ONCE]
        chosen = [i for i, one in enumerate(part) if one.pieces == 1]
        sources = loaded.src_tokenizer.encode_batch([part[i].source for i in chosen])
        targets = [list(part[i].candidates[0].tokens) for i in chosen]
        ended = [[[*tokens, EOS] for tokens in side] for side in (sources, targets)]
        looks = score_and_look(loaded.model, ended[0], ended[1])
        read: dict[int, dict[str, Any]] = {}
        for i, *tokens, (logs, weights) in zip(chosen, sources, targets, looks, strict=True):
            found = None if weights is None else weights.numpy()
            read[i] = asdict(reading(tokenizers, languages, (tokens[0], tokens[1]), logs, found))
        for i, one in enumerate(part):
            best, *others = one.candidates
            yield {
                "score": round(best.score, 4),
                "log_probability": round(best.log_probability, 4),
                "unknown": one.unknown,
                "alternatives": [[other.text, round(other.score, 4)] for other in others],
                "reading": read.get(i),
            }
