"""COMET (Rei et al. 2020, 2022): what a trained model thinks of translations; for a model folder that the user has."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from sacrebleu.metrics.base import Metric, Score, Signature

from seq2seq.errors import UserError
from seq2seq.files import file_hash

BATCH_SIZE = 16
CHECKPOINT = Path("checkpoints", "model.ckpt")
SCALE = 100
"""Models score from about 0 to 1; so they stand beside the others as from 0 to 100."""


class Comet(Metric):
    """A sentence has the model's score, a corpus the mean: as a metric of sacreBLEU's, whose resampling serves it too.

    Args:
        folder: as the hub has COMET's models: hparams.yaml, checkpoints/model.ckpt.
        sources: of the sentences that will be scored.

    Raises:
        UserError: COMET is not installed, or the folder holds no model that can be loaded.
    """

    def __init__(self, folder: Path, sources: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.folder, self.sources, self.model = folder, list(sources), load(folder)

    def _extract_corpus_statistics(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]] | None
    ) -> list[list[float]]:
        """Of each sentence its score, of several references the mean, and 1, which resampling adds up."""
        assert references is not None
        if len(hypotheses) != len(self.sources):
            counts = f"{len(self.sources):,} sources, but {len(hypotheses):,} hypotheses"
            raise UserError(f"comet: {counts}: they must match line by line")
        self.num_refs = len(references)
        by_reference = [self._scores(hypotheses, of_one) for of_one in references]
        return [[sum(scores) / len(scores), 1.0] for scores in zip(*by_reference, strict=True)]

    def _scores(self, hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
        import torch  # noqa: PLC0415

        lines = zip(self.sources, hypotheses, references, strict=True)
        samples = [{"src": source, "mt": hypothesis, "ref": reference} for source, hypothesis, reference in lines]
        gpus = 1 if torch.cuda.is_available() else 0
        with warnings.catch_warnings():  # Lightning's, about numbers of workers
            warnings.simplefilter("ignore")
            found = self.model.predict(samples, batch_size=BATCH_SIZE, gpus=gpus, progress_bar=False, num_workers=0)
        return [round(SCALE * float(score), 6) for score in found.scores]

    def _compute_score_from_stats(self, stats: Any) -> Score:
        return Score("COMET", float(stats[0]) / float(stats[1]))

    def _aggregate_and_compute(self, stats: Any) -> Score:
        return self._compute_score_from_stats([sum(column) for column in zip(*stats, strict=True)])

    def get_signature(self) -> Signature:
        """Name, licence and hash of the model, COMET's version."""
        signature = Signature(self.__dict__)
        name, license = described(self.folder)
        hash = hash_of_model(self.folder)[:12]
        for key, value in (("model", name), ("license", license), ("sha256", hash), ("scale", SCALE)):
            signature.update(key, value)
        signature.update("version", version("unbabel-comet"))
        return signature

    def _preprocess_segment(self, sent: str) -> str:
        return sent

    def _extract_reference_info(self, refs: Sequence[str]) -> dict[str, Any]:
        raise NotImplementedError("a model reads whole texts")

    def _compute_segment_statistics(self, hypothesis: str, ref_kwargs: dict[str, Any]) -> list[float]:
        raise NotImplementedError("a model reads many sentences at once")


def comet(folder: Path | None, sources: Sequence[str] | None) -> Comet:
    """The metric, where all that it needs is given.

    Raises:
        UserError: it is not, or as `Comet` does.
    """
    if folder is None:
        raise UserError(
            "comet needs a model's folder: set evaluation.comet, or --comet FOLDER; none is ever downloaded"
        )
    if sources is None:
        raise UserError("comet reads the sources, too: add --src FILE")
    return Comet(folder, sources)


def check(folder: Path) -> None:
    """Raises UserError where COMET is not installed, or the folder lacks a file that models have."""
    for file in (Path("hparams.yaml"), CHECKPOINT):
        if not (folder / file).is_file():
            raise UserError(f"comet: {folder}: has no {file}; name a model's folder as the hub's snapshots are")
    if importlib.util.find_spec("comet") is None:
        raise UserError("comet is not installed; install with: pip install 'seq2seq[comet]'")


@functools.lru_cache(maxsize=1)
def load(folder: Path) -> Any:
    """The model; nothing is asked of the network.

    Raises:
        UserError: COMET is not installed, or the folder holds no model that can be loaded.
    """
    check(folder)
    import comet as unbabel  # noqa: PLC0415 - an extra

    for name in ("pytorch_lightning", "sacrebleu"):  # its import has told the latter to speak
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        return unbabel.load_from_checkpoint(str(folder / CHECKPOINT), local_files_only=True)
    except Exception as error:  # whatever it, Lightning or transformers raise
        fix = "its encoder, which hparams.yaml names, has to be in the cache of the hub or a folder"
        told = " ".join(str(error).split())[:200]
        raise UserError(f"comet: {folder}: cannot be loaded: {told}; {fix}") from error


def described(folder: Path) -> tuple[str, str]:
    """The model's name, and its licence as its card says."""
    card, license = folder / "README.md", "unknown"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        head = text.split("---")[1] if text.startswith("---") else ""
        with contextlib.suppress(yaml.YAMLError, AttributeError):
            license = str((yaml.safe_load(head) or {}).get("license", license))
    return folder.resolve().name, license


def hash_of_model(folder: Path) -> str:
    """SHA-256 of its weights: gigabytes, so read again only where the file has changed."""
    found = (folder / CHECKPOINT).stat()
    return _hash(folder / CHECKPOINT, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _hash(path: Path, size: int, time: int) -> str:
    return file_hash(path)
