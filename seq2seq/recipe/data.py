"""The sections `data` and `tokenizer`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from seq2seq.languages import has_spaces
from seq2seq.recipe.base import Config, Faults, FileName, Language, PathName, Positive, named, rule
from seq2seq.recipe.sources import AnySource, FilesSourceConfig, SourceConfig, SyntheticSourceConfig, source_kind

VocabularySize = Annotated[int, Field(ge=100, le=1_000_000)]


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

    reverse_target: bool = False
    """Learn to write from right to left, the last word first (Liu et al. 2016): for `decoding.rescore` of another run,
    which sees what comes before each word where this one sees what comes after it."""

    def train_key(self, i: int) -> str:
        """What a source of the training data is called: `data.train` where it is the only one."""
        return f"data.train.{i}" if len(self.train) > 1 else "data.train"

    @rule
    def _two_languages(self) -> Faults:
        if self.src.lower() == self.tgt.lower():
            yield "tgt", f"source and target are the same language, {self.src}; a translator needs two"

    @rule
    def _has_words_to_reverse(self) -> Faults:
        if self.reverse_target and not has_spaces(self.tgt):
            yield "reverse_target", f"{self.tgt} puts no spaces between words; remove it"

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
        if isinstance(source, SyntheticSourceConfig):
            yield f"{key}.{source_kind(source)}", "generated text is for training; name real translations"
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
