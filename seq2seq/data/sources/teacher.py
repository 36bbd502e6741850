"""Parallel text with a teacher's translations in place of the references (Kim & Rush 2016)."""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq.data import sources
from seq2seq.data.sources.base import DataSource, Pair
from seq2seq.data.sources.synthetic import SyntheticSource
from seq2seq.recipe.sources import AnySource, TeacherSourceConfig


class Source(SyntheticSource[TeacherSourceConfig]):
    """What the teacher writes becomes the target."""

    role_name = "teacher"

    @property
    def name(self) -> str:
        return f"{', '.join(self.config.runs)} of {self.of.name}"

    @property
    def of(self) -> DataSource[AnySource]:
        """The parallel text."""
        return sources.make_source(self.config.of, self.role, self.src, self.tgt, f"{self.key}.of")

    def languages(self) -> tuple[str, str]:
        return self.src, self.tgt

    def texts(self) -> Iterator[Pair]:
        return self.of.pairs()

    def pair(self, text: str, translation: str) -> Pair:
        return text, translation

    def options(self) -> dict[str, str]:
        of = {f"of ({label})": value for label, value in self.of.fingerprint().items()}
        return of | {"n_best": str(self.config.n_best), "interpolate": str(self.config.interpolate)}
