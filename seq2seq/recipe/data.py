"""The sections `data` and `tokenizer`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag

from seq2seq.recipe.base import Config, Faults, FileName, Language, PathName, Positive, named, rule

Column = Annotated[int, Field(ge=0, le=10_000)] | Annotated[str, Field(max_length=1000)]
VocabularySize = Annotated[int, Field(ge=100, le=1_000_000)]


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


SOURCE_KEYS = ("files", "tsv", "csv", "jsonl", "hub", "builtin")


def source_kind(data: Any) -> str | None:
    """Which of SOURCE_KEYS says what kind of source this is; None where none does."""
    if isinstance(data, SourceConfig):
        return next(key for key in SOURCE_KEYS if hasattr(data, key))
    return next((key for key in SOURCE_KEYS if key in data), None) if isinstance(data, dict) else None


AnySource = Annotated[
    Annotated[FilesSourceConfig, Tag("files")]
    | Annotated[TsvSourceConfig, Tag("tsv")]
    | Annotated[CsvSourceConfig, Tag("csv")]
    | Annotated[JsonlSourceConfig, Tag("jsonl")]
    | Annotated[HubSourceConfig, Tag("hub")]
    | Annotated[BuiltinSourceConfig, Tag("builtin")],
    Discriminator(
        source_kind,
        custom_error_type="source_kind",
        custom_error_message="not a data source: it needs one of the keys " + ", ".join(SOURCE_KEYS),
    ),
]


def _one_is_a_list(sources: Any) -> Any:
    return [sources] if isinstance(sources, dict) else sources


class FilterConfig(Config):
    """What is dropped from the training data; validation and test sets are never filtered."""

    max_length: Annotated[int, Field(gt=0, le=100_000)] | None = 100
    """Longest sentence kept, in tokens of the tokenizer, on either side; none of more than 10,000 characters is."""
    max_length_ratio: Annotated[float, Field(gt=1, le=1000)] | None = 4.0
    """Largest ratio kept of the longer side's tokens to the shorter side's."""
    deduplicate: bool = True
    """Drop pairs seen before."""
    drop_test_overlap: bool = True
    """Drop pairs whose source or target is, letter for letter, that of a validation or test pair."""


class DataConfig(Config):
    """Where the parallel text comes from, and what is kept of it."""

    src: Language
    """The source language's code (`en`, `pt_BR`)."""
    tgt: Language
    """The target language's code."""
    train: Annotated[
        list[AnySource], BeforeValidator(_one_is_a_list, json_schema_input_type=AnySource | list[AnySource])
    ]
    """The training data: one source, or a list of them."""
    valid: AnySource
    """The validation data: decides early stopping and which model is best."""
    test: dict[FileName, AnySource] = {}
    """The test sets, by name: translated and scored once, at the end."""
    filter: FilterConfig = FilterConfig()
    """What is dropped from the training data."""

    def train_key(self, i: int) -> str:
        """What a source of the training data is called: `data.train` where it is the only one."""
        return f"data.train.{i}" if len(self.train) > 1 else "data.train"

    @rule
    def _two_languages(self) -> Faults:
        if self.src.lower() == self.tgt.lower():
            yield "tgt", f"source and target are the same language, {self.src}; a translator needs two"

    @rule
    def _has_training_data(self) -> Faults:
        if not self.train:
            yield "train", "the list is empty; name at least one source of training data"

    @rule
    def _scores_plain_text(self) -> Faults:
        yield from self._not_for_training("valid", self.valid)
        for name, source in self.test.items():
            yield from self._not_for_training(f"test.{name}", source)

    @staticmethod
    def _not_for_training(key: str, source: SourceConfig) -> Faults:
        if source.weight != 1:
            yield f"{key}.weight", "has no effect outside the training data; remove it"
        if isinstance(source, FilesSourceConfig) and source.alignments is not None:
            yield f"{key}.alignments", "has no effect outside the training data; remove it"

    @property
    def alignments(self) -> list[str | None]:
        """Of each training source, its file of word alignments."""
        return [source.alignments if isinstance(source, FilesSourceConfig) else None for source in self.train]


class TokenizerConfig(Config):
    """How text becomes tokens."""

    joint: bool = True
    """One vocabulary for both languages (else each has its own)."""
    normalization: Literal["none", "nfc", "nfkc"] = "nfc"
    """The Unicode normalisation of every text before it is cut into tokens."""


class SubwordTokenizerConfig(TokenizerConfig):
    """What cuts words into pieces."""

    vocab_size: VocabularySize = 8000
    """Tokens of the vocabulary, at the most."""
    byte_fallback: bool = True
    """Give each byte a token (256 of the vocabulary) and spell characters without one by the bytes of their UTF-8: no
    character is unknown (else such a character becomes `<unk>`)."""

    @rule
    def _room_for_bytes(self) -> Faults:
        if self.byte_fallback and self.vocab_size < 300:
            fix = "raise it above 260 + the characters of the text, or set byte_fallback to false"
            yield "vocab_size", f"byte fallback takes 256 of the {self.vocab_size} tokens; {fix}"


class BpeTokenizerConfig(SubwordTokenizerConfig):
    """Byte-pair encoding (Sennrich et al. 2016)."""

    kind: Literal["bpe"] = "bpe"
    min_frequency: Positive = 2
    """How often a pair of symbols must occur to be merged."""


class UnigramTokenizerConfig(SubwordTokenizerConfig):
    """Unigram language model (Kudo 2018)."""

    kind: Literal["unigram"]


class WordTokenizerConfig(TokenizerConfig):
    """Words and punctuation marks; rare ones become `<unk>`."""

    kind: Literal["word"]
    vocab_size: VocabularySize = 30000
    """Tokens of the vocabulary, at the most."""
    min_frequency: Positive = 2
    """How often a word must occur to enter the vocabulary."""


class CharTokenizerConfig(TokenizerConfig):
    """Characters."""

    kind: Literal["char"]
    min_frequency: Positive = 1
    """How often a character must occur to enter the vocabulary."""


class RunTokenizerConfig(Config):
    """That of another run, whatever text this one has: a language model then goes with the run's translator."""

    kind: Literal["run"]
    run: PathName
    """The run folder, or a model folder."""


LearntTokenizer = BpeTokenizerConfig | UnigramTokenizerConfig | WordTokenizerConfig | CharTokenizerConfig
"""Tokenizers that are learnt from the training data."""
_Tokenizer = Annotated[LearntTokenizer | RunTokenizerConfig, Field(discriminator="kind")]
AnyTokenizer = Annotated[_Tokenizer, named(_Tokenizer, BpeTokenizerConfig)]
