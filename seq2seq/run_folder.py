"""Where each thing lies in a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class RunFolder:
    """The layout of one run."""

    root: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe: every default written out."""
        return self.root / "recipe.yaml"

    @property
    def manifest(self) -> Path:
        """By stage: what it was made from, with what, and when."""
        return self.root / MANIFEST

    @property
    def data(self) -> Path:
        """Tokenizer, prepared pairs, audit."""
        return self.root / "data"

    def test_set(self, name: str) -> Path:
        """A test set's pairs."""
        return self.data / f"test-{name}.arrow"

    @property
    def checkpoints(self) -> Path:
        """The exact state of a training, to resume from."""
        return self.root / "checkpoints"

    def checkpoint_states(self) -> list[Path]:
        """The file of numbers of each checkpoint, oldest first."""
        return sorted(self.checkpoints.glob("step-*/state.json"))

    @property
    def log(self) -> Path:
        """One JSON record a log step."""
        return self.root / "train.jsonl"

    @property
    def model(self) -> Path:
        """The bundle that translating needs."""
        return self.root / "model"

    @property
    def translations(self) -> Path:
        """One file a test set."""
        return self.root / "translations"

    def details(self, name: str) -> Path:
        """A record for each sentence of a test set: how its translation was written."""
        return self.translations / f"{name}.details.jsonl"

    @property
    def start_translations(self) -> Path:
        """Those of the run that the training started from."""
        return self.translations / "start"

    @property
    def report(self) -> Path:
        """Scores and report."""
        return self.root / "report"

    @property
    def analysis(self) -> Path:
        """What `seq2seq analyze` has found."""
        return self.root / "analysis"

    @property
    def export(self) -> Path:
        """The model as graphs."""
        return self.root / "export"

    @property
    def scores(self) -> Path:
        """The scores of each test set."""
        return self.report / "scores.json"

    @property
    def start_scores(self) -> Path:
        """Those of the run that the training started from."""
        return self.report / "start_scores.json"

    @property
    def previous_scores(self) -> Path:
        """Those before."""
        return self.report / "previous_scores.json"

    @property
    def robustness(self) -> Path:
        """What the robustness suite has found."""
        return self.report / "robustness.json"

    @property
    def html(self) -> Path:
        """The report's page."""
        return self.report / "report.html"


def folder_of_model(path: Path) -> Path:
    """Where a model lies, there or not: the folder itself where it is a model's, else that of a run."""
    return path if (path / "config.json").exists() else RunFolder(path).model
