"""Text of the target language, with sources that a model of the other direction writes (Sennrich et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seq2seq.data.lines import read_lines
from seq2seq.data.sources.base import Pair
from seq2seq.data.sources.synthetic import SyntheticSource
from seq2seq.recipe.sources import BackTranslateSourceConfig


class Source(SyntheticSource[BackTranslateSourceConfig]):
    """What the model writes becomes the source, behind the tag."""

    role_name = "back_translate"

    @property
    def name(self) -> str:
        return f"{', '.join(self.config.runs)} of {', '.join(self.config.texts)}"

    def languages(self) -> tuple[str, str]:
        return self.tgt, self.src

    def texts(self) -> Iterator[Pair]:
        for path in self.config.texts:
            for line in read_lines(Path(path), f"{self.key}.of"):
                yield line, ""

    def pair(self, text: str, translation: str) -> Pair:
        return f"{self.config.tag} {translation}".strip(), text

    def files(self) -> dict[str, Path]:
        return super().files() | {f"of ({i})": Path(path) for i, path in enumerate(self.config.texts)}

    def options(self) -> dict[str, str]:
        sampling = self.config.sampling
        return {"tag": self.config.tag, "sampling": "none" if sampling is None else sampling.model_dump_json()}
