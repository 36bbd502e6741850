"""The sections of `data` that name a source of parallel text."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag

from seq2seq.recipe.base import Config, Faults, PathName, rule
from seq2seq.recipe.decoding import SamplingConfig

Column = Annotated[int, Field(ge=0, le=10_000)] | Annotated[str, Field(max_length=1000)]


class SourceConfig(Config):
    """A place that parallel sentences come from."""

    weight: float = Field(default=1.0, gt=0, le=1000)
    """How often each pair is seen in an epoch, on average (2: twice; 0.5: every other epoch). Training data only."""

    def located(self, absolute: Callable[[str], str]) -> Self:
        """The same, with paths that count from the recipe's folder made absolute."""
        return self


class FilesSourceConfig(SourceConfig):
    """Two text files, one sentence a line; `.gz`, `.bz2` and `.xz` are read as they are."""

    files: PathName | list[PathName]
    """A pattern with `{lang}` in it (`corpus.{lang}`), or a list of two: the source's and the target's file."""
    alignments: PathName | None = None
    """Word alignments in the Pharaoh format, a line a pair: `0-0 1-2` links words (what stands between blanks) 0 and 0,
    1 and 2, the source's first. For `training.guided_alignment`; training data only."""

    def located(self, absolute: Callable[[str], str]) -> Self:
        files = absolute(self.files) if isinstance(self.files, str) else [absolute(file) for file in self.files]
        alignments = None if self.alignments is None else absolute(self.alignments)
        return self.model_copy(update={"files": files, "alignments": alignments})

    @rule
    def _two_files(self) -> Faults:
        if isinstance(self.files, str) and "{lang}" not in self.files:
            yield "files", "the pattern needs `{lang}` where the language goes, as in `corpus.{lang}`"
        if isinstance(self.files, list) and len(self.files) != 2:
            yield "files", f"the list needs two files, the source's and the target's, not {len(self.files)}"


class TableSourceConfig(SourceConfig):
    """A file of rows and columns."""

    src_column: Column = 0
    """The source's column: its number, from 0, or its name in the header."""
    tgt_column: Column = 1
    """The target's column: its number, from 0, or its name in the header."""
    header: bool = False
    """The first row holds the columns' names and is no pair."""

    @rule
    def _two_columns(self) -> Faults:
        if self.src_column == self.tgt_column:
            yield "tgt_column", f"the source is column {str(self.src_column)[:50]} too; name another column"

    @rule
    def _has_names(self) -> Faults:
        for key in ("src_column", "tgt_column"):
            if isinstance(getattr(self, key), str) and not self.header:
                yield key, "a column has a name in a table with a header; set header: true, or give its number, from 0"


class TsvSourceConfig(TableSourceConfig):
    """One file of tab-separated columns, without quoting."""

    tsv: PathName
    """The file."""

    def located(self, absolute: Callable[[str], str]) -> Self:
        return self.model_copy(update={"tsv": absolute(self.tsv)})


class CsvSourceConfig(TableSourceConfig):
    """One file of comma-separated columns, with quotes where a text holds a comma, a quote or a line end."""

    csv: PathName
    """The file."""
    delimiter: Literal[",", ";", "|"] = ","
    """What parts the columns."""

    def located(self, absolute: Callable[[str], str]) -> Self:
        return self.model_copy(update={"csv": absolute(self.csv)})


class JsonlSourceConfig(SourceConfig):
    """One JSON object a line."""

    jsonl: PathName
    """The file."""
    src_field: str | None = None
    """The source's field; dots reach into objects (`translation.en`). Default: the source language."""
    tgt_field: str | None = None
    """The target's field. Default: the target language."""

    def located(self, absolute: Callable[[str], str]) -> Self:
        return self.model_copy(update={"jsonl": absolute(self.jsonl)})


class HubSourceConfig(SourceConfig):
    """A data set of the Hugging Face hub, or one saved in a local folder (`save_to_disk`, or data files)."""

    hub: PathName
    """The name on the hub (`bentrevett/multi30k`), or a folder."""
    config: str | None = None
    """The configuration's name, where the data set has several."""
    split: str | None = None
    """Default: train, validation or test, by where this source stands in the recipe."""
    revision: str | None = None
    """A commit or tag of the data set, for runs that can be repeated."""
    src_field: str | None = None
    """The source's field; dots reach into objects. Default: the source language, also within `translation`."""
    tgt_field: str | None = None
    """The target's field. Default: the target language, also within `translation`."""

    def located(self, absolute: Callable[[str], str]) -> Self:
        return self.model_copy(update={"hub": absolute(self.hub)}) if os.path.exists(absolute(self.hub)) else self


class BuiltinSourceConfig(SourceConfig):
    """Phrases of the Unicode CLDR (dates, times, amounts, lists, units), made offline for any two languages."""

    builtin: Literal["cldr"]
    """The generator."""
    pairs: Annotated[int, Field(gt=0, le=10_000_000)] | None = None
    """How many sentence pairs. Default: 40,000 for training, 1,000 for validation and for a test set."""
    split: Literal["train", "valid", "test"] | None = None
    """Which of the three disjoint parts. Default: by where this source stands in the recipe."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """The random seed of the phrases. The recipe's own `seed` changes the training alone, never its data."""


PLAIN_KEYS = ("files", "tsv", "csv", "jsonl", "hub", "builtin")
SOURCE_KEYS = (*PLAIN_KEYS, "teacher", "back_translate")


def source_kind(data: Any) -> str | None:
    """Which of SOURCE_KEYS says what kind of source this is; None where none does."""
    if isinstance(data, SourceConfig):
        return next(key for key in SOURCE_KEYS if hasattr(data, key))
    return next((key for key in SOURCE_KEYS if key in data), None) if isinstance(data, dict) else None


def _one_of(keys: tuple[str, ...], what: str) -> Discriminator:
    message = f"not {what}: it needs one of the keys {', '.join(keys)}"
    return Discriminator(source_kind, custom_error_type="source_kind", custom_error_message=message)


PlainSource = Annotated[
    Annotated[FilesSourceConfig, Tag("files")]
    | Annotated[TsvSourceConfig, Tag("tsv")]
    | Annotated[CsvSourceConfig, Tag("csv")]
    | Annotated[JsonlSourceConfig, Tag("jsonl")]
    | Annotated[HubSourceConfig, Tag("hub")]
    | Annotated[BuiltinSourceConfig, Tag("builtin")],
    _one_of(PLAIN_KEYS, "a data source"),
]


class SyntheticSourceConfig(SourceConfig):
    """Text that trained models write when the data is prepared; kept, so that it is written once."""

    @property
    def runs(self) -> list[str]:
        """The models' run folders."""
        raise NotImplementedError


class TeacherSourceConfig(SyntheticSourceConfig):
    """Translations by trained models in place of the references: sequence-level distillation (Kim & Rush 2016)."""

    teacher: PathName | list[PathName]
    """The run or model folder of the teacher; of several, their ensemble translates."""
    of: PlainSource
    """The parallel text whose sources are translated."""
    n_best: Annotated[int, Field(ge=1, le=100)] = 1
    """So many translations of each source, each a pair of its own; with `interpolate` those to choose from."""
    interpolate: bool = False
    """Of the n best take the one that is closest to the reference, by sentence BLEU (Kim & Rush 2016, section 3.3)."""

    @property
    def runs(self) -> list[str]:
        return _listed(self.teacher)

    def located(self, absolute: Callable[[str], str]) -> Self:
        return self.model_copy(update={"teacher": _each(self.teacher, absolute), "of": self.of.located(absolute)})

    @rule
    def _of_sources(self) -> Faults:
        if self.of.weight != 1:
            yield "of.weight", "has no effect there; set `weight` beside `teacher`"
        if isinstance(self.of, FilesSourceConfig) and self.of.alignments is not None:
            yield "of.alignments", "has no effect, since other targets are written; remove it"
        if self.interpolate and self.n_best == 1:
            yield "interpolate", "has no effect on the best translation alone; set n_best: 5, say"
        if not self.runs:
            yield "teacher", "the list is empty; name at least one run"


class MonolingualConfig(Config):
    """Text of one language."""

    files: PathName | list[PathName]
    """Files with one sentence a line; `.gz`, `.bz2` and `.xz` are read as they are."""


class BackTranslateSourceConfig(SyntheticSourceConfig):
    """Text of the target language, with sources that a model of the other direction writes (Sennrich et al. 2016)."""

    back_translate: PathName | list[PathName]
    """The run or model folder of a translator from the target to the source language; of several their ensemble."""
    of: MonolingualConfig
    """The text of the target language."""
    sampling: SamplingConfig | None = None
    """Draw the sources by chance, which makes for richer ones (Edunov et al. 2018); null: the model's own search."""
    tag: Annotated[str, Field(max_length=100)] = "<BT>"
    """What generated sources begin with, so that the model tells them from real ones (Caswell et al. 2019); empty:
    nothing."""

    @property
    def runs(self) -> list[str]:
        return _listed(self.back_translate)

    @property
    def texts(self) -> list[str]:
        """The files."""
        return _listed(self.of.files)

    def located(self, absolute: Callable[[str], str]) -> Self:
        of = self.of.model_copy(update={"files": _each(self.of.files, absolute)})
        return self.model_copy(update={"back_translate": _each(self.back_translate, absolute), "of": of})

    @rule
    def _named(self) -> Faults:
        if not self.runs:
            yield "back_translate", "the list is empty; name at least one run"
        if not self.texts:
            yield "of.files", "the list is empty; name at least one file"


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _each(names: str | list[str], absolute: Callable[[str], str]) -> str | list[str]:
    return absolute(names) if isinstance(names, str) else [absolute(name) for name in names]


AnySource = Annotated[
    Annotated[FilesSourceConfig, Tag("files")]
    | Annotated[TsvSourceConfig, Tag("tsv")]
    | Annotated[CsvSourceConfig, Tag("csv")]
    | Annotated[JsonlSourceConfig, Tag("jsonl")]
    | Annotated[HubSourceConfig, Tag("hub")]
    | Annotated[BuiltinSourceConfig, Tag("builtin")]
    | Annotated[TeacherSourceConfig, Tag("teacher")]
    | Annotated[BackTranslateSourceConfig, Tag("back_translate")],
    _one_of(SOURCE_KEYS, "a data source"),
]
