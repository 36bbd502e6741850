"""The stage `translate`: every test set, by the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.data.sources import fingerprints, references_alone
from seq2seq.decoding.confidence import FILE as CONFIDENCE
from seq2seq.files import new_folder, write_json, write_text
from seq2seq.pipeline.manifest import Inputs
from seq2seq.pipeline.stage import Context, Stage, flatten
from seq2seq.pipeline.stages.train import bundle_config
from seq2seq.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np

    from seq2seq.bundle import Bundle
    from seq2seq.decoding.translation import Translation
    from seq2seq.evaluation.attention import AttentionExample

ATTENTION_MAPS = 6
"""Kept of each test set, for the report."""
SENTENCES_LOOKED_AT = 200
"""For attention maps: a model without attention, or a set of long sentences, has none."""


class Translate(Stage):
    """Writes a file of translations for each test set, and where the decoder looked in some of its sentences."""

    name = "translate"
    needs = ("train",)
    code_version = 3

    def inputs(self, recipe: Recipe) -> Inputs:
        """How translations are searched for; the contents of the test sets, but for their references."""
        tests = fingerprints(recipe.data, "test").items()
        return flatten("decoding", recipe.decoding) | {k: value for k, value in tests if not references_alone(k)}

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
        update_test_sets(recipe.data, (loaded.src_tokenizer, loaded.tgt_tokenizer), folder.data, say)
        confidence = calibrate(loaded, PreparedPairs(folder.data / "valid.arrow"))
        confidence.save(folder.model)
        translator = Translator(replace(loaded, confidence=confidence))
        with new_folder(folder.translations) as partial:
            for name in recipe.data.test:
                sources = PreparedPairs(folder.test_set(name)).src_texts()
                found = translator.translate(sources)
                write_text(partial / f"{name}.{recipe.data.tgt}", "".join(one.text + "\n" for one in found))
                write_json(partial / f"{name}.attention.json", [asdict(one) for one in _attentions(loaded, found)])
                best = [one.candidates[0] for one in found]
                write_json(partial / f"{name}.confidence.json", [[c.confidence, *c.word_confidences] for c in best])
        return [folder.translations, folder.model / CONFIDENCE]


def _attentions(loaded: Bundle, translations: list[Translation]) -> list[AttentionExample]:
    """Attention maps of the first sentences that are neither trivial nor too wide to look at."""
    from seq2seq.decoding.scoring import attention_weights
    from seq2seq.evaluation.attention import attention_example

    examples: list[AttentionExample] = []
    tokenizers, languages = (loaded.src_tokenizer, loaded.tgt_tokenizer), (loaded.config.src, loaded.config.tgt)

    def weights(src: Sequence[int], tgt: Sequence[int]) -> np.ndarray | None:
        found = attention_weights(loaded.model, src, tgt)
        return None if found is None else found.numpy()

    for one in translations[:SENTENCES_LOOKED_AT]:
        example = attention_example(one.source, tokenizers, languages, one.candidates[0].tokens, weights)
        if example is not None:
            examples.append(example)
        if len(examples) == ATTENTION_MAPS:
            break
    return examples
