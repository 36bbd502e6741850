"""Writes the text of a recipe that trained models have to write: translations by teachers, sources for target text."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seq2seq.console import progress, say
from seq2seq.data.preparation import batches
from seq2seq.data.sources import sources_of
from seq2seq.data.sources.base import Pair
from seq2seq.data.sources.synthetic import SyntheticSource
from seq2seq.decoding.resume import Partial
from seq2seq.evaluation.metrics import sentence_bleu
from seq2seq.recipe import DataConfig
from seq2seq.recipe.sources import BackTranslateSourceConfig, TeacherSourceConfig

if TYPE_CHECKING:
    import torch

    from seq2seq.decoding.translation import Translation
    from seq2seq.decoding.translator import Translator

ROWS = 512
"""Texts that are translated before any translation is kept."""


def generate(data: DataConfig, device: torch.device) -> None:
    """Write what has not been written yet; what an interruption has left is resumed.

    Raises:
        UserError: a model or a text cannot be read.
    """
    for source in sources_of(data):
        if isinstance(source, SyntheticSource) and not source.cache.exists():
            _generate(source, device)


def _generate(source: SyntheticSource[Any], device: torch.device) -> None:
    total = sum(1 for _ in source.texts())
    config = source.config
    n_best = config.n_best if isinstance(config, TeacherSourceConfig) else 1
    translator = _translator(source, n_best, device)
    source.cache.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(source.cache, "unfinished")
    with partial.opened() as (stream, done), progress(source.key, total, done) as advance:
        begun = f", after {done:,} that an interruption has left" if done else ""
        say(f"{source.key}: {total:,} texts are translated{begun}")
        for rows in batches(itertools.islice(source.texts(), done, None), ROWS):
            for row, found in zip(rows, translator.translate([text for text, _ in rows], n_best), strict=True):
                pairs = [source.pair(row[0], text) for text in _chosen(source, row, found)]
                stream.write(json.dumps(pairs, ensure_ascii=False).encode() + b"\n")
            stream.flush()
            advance(len(rows))
    partial.finish()


def _translator(source: SyntheticSource[Any], n_best: int, device: torch.device) -> Translator:
    from seq2seq.bundle import load_bundle  # noqa: PLC0415 - loads torch
    from seq2seq.decoding.ensemble import ensemble_of  # noqa: PLC0415
    from seq2seq.decoding.translator import Translator, check_n_best  # noqa: PLC0415
    from seq2seq.recipe.file import override_decoding  # noqa: PLC0415

    config = source.config
    models = [load_bundle(run, device) for run in config.runs]
    loaded = models[0] if len(models) == 1 else ensemble_of(models, config.runs, [])
    decoding = loaded.config.decoding
    if isinstance(config, BackTranslateSourceConfig) and config.sampling is not None:
        decoding = override_decoding(decoding, {"beam_size": 1, "sampling": config.sampling.model_dump()})
    elif n_best > decoding.beam_size:
        decoding = override_decoding(decoding, {"beam_size": n_best})
    check_n_best(n_best, decoding)
    return Translator(loaded, decoding, batch_size=32 if device.type == "cpu" else 256)


def _chosen(source: SyntheticSource[Any], row: Pair, found: Translation) -> Sequence[str]:
    """The translations that become pairs: none of a blank text."""
    texts = [candidate.text for candidate in found.candidates if candidate.text.strip()]
    if not isinstance(source.config, TeacherSourceConfig) or not source.config.interpolate:
        return texts
    return [max(texts, key=lambda text: sentence_bleu([text], [row[1]], source.tgt)[0])] if texts else []
