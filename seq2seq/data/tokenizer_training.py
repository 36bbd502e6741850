"""Training tokenizers on a recipe's text."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import models, trainers

from seq2seq.data.tokenization import (
    BYTES,
    JOINT,
    SPACE,
    SPECIAL,
    TGT,
    UNK,
    Tokenizer,
    around,
    load_tokenizers,
    normalizer,
)
from seq2seq.errors import UserError
from seq2seq.hub import located
from seq2seq.recipe import (
    AnyTokenizer,
    BpeTokenizerConfig,
    CharTokenizerConfig,
    LearntTokenizer,
    RunTokenizerConfig,
    UnigramTokenizerConfig,
    WordTokenizerConfig,
)

TRAINING_SENTENCES = 1_000_000
"""Sentences a side that tokenizers are trained on; of larger data, evenly spaced ones."""
MAX_UNKNOWN = 0.01
"""Share of the training text that may have no token where the vocabulary is too small for all its characters."""

Texts = Callable[[], Iterator[str]]


def train_tokenizers(config: AnyTokenizer, sources: Texts, targets: Texts) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's tokenizer, the same object where they are joint.

    The same text gives the same tokens and ids, on any number of threads; but for unigram, whose probabilities the
    library adds up in an order of its own: they differ in the fourth decimal from run to run.

    Args:
        sources, targets: give the training text, sentence by sentence, each time they are called.

    Raises:
        UserError: there is no text, or the vocabulary is too small for its characters; the run that is named has no
            tokenizer.
    """
    if isinstance(config, RunTokenizerConfig):
        return load_tokenizers(folder_of(config))
    if config.joint:
        tokenizer = _train(config, lambda: itertools.chain(_sample(sources), _sample(targets)))
        return tokenizer, tokenizer
    return _train(config, lambda: _sample(sources)), _train(config, lambda: _sample(targets))


def folder_of(config: RunTokenizerConfig) -> Path:
    """Where a run's tokenizer files are.

    Raises:
        UserError: there are none.
    """
    run = located(config.run)
    for folder in (run, run / "model", run / "data"):
        if (folder / JOINT).exists() or (folder / TGT).exists():
            return folder
    raise UserError(
        f"tokenizer.run: {config.run}: no such run folder, or it has no tokenizer yet; run its recipe first"
    )


def characters_seen(config: LearntTokenizer, texts: Texts) -> str | None:
    """The different characters of what `train_tokenizers` reads of a side, in order, but for spaces; None for words."""
    if isinstance(config, WordTokenizerConfig):
        return None
    return "".join(sorted(_count_characters(config.normalization, lambda: _sample(texts)).keys() - {SPACE}))


def _sample(texts: Texts) -> Iterator[str]:
    count = sum(1 for _ in texts())
    limit = TRAINING_SENTENCES
    if count <= limit:
        return texts()
    return (text for i, text in enumerate(texts()) if (i + 1) * limit // count > i * limit // count)


def _train(config: LearntTokenizer, texts: Texts) -> Tokenizer:
    if not any(text.strip() for text in texts()):
        raise UserError("data.train: the tokenizer has no text to learn from; give training data that holds some")
    form = config.normalization
    if isinstance(config, BpeTokenizerConfig):
        return Tokenizer(_train_bpe(config, texts))
    if isinstance(config, UnigramTokenizerConfig):
        return Tokenizer(_train_unigram(config, texts))
    if isinstance(config, CharTokenizerConfig):
        counts = _count_characters(form, texts)
        pieces = SPECIAL + [c for c in _by_frequency(counts) if counts[c] >= config.min_frequency or c == SPACE]
        vocabulary = {piece: i for i, piece in enumerate(pieces)}
        return Tokenizer(around(models.BPE(vocabulary, [], unk_token=SPECIAL[UNK]), form))  # no merges: characters
    return Tokenizer(_train_words(config, texts))


def _count_characters(form: str, texts: Texts) -> Counter[str]:
    """How often the text has each character, a space before each sentence."""
    normalize, counts = normalizer(form).normalize_str, Counter[str]()
    for text in texts():
        counts.update(normalize(text))
        counts[SPACE] += 1
    counts[SPACE] += counts.pop(" ", 0)
    return counts


def _by_frequency(counts: Counter[str]) -> list[str]:
    """Most frequent first, ties by code point."""
    return sorted(counts, key=lambda c: (-counts[c], c))


def _alphabet(config: BpeTokenizerConfig | UnigramTokenizerConfig, texts: Texts) -> list[str]:
    """The characters to have tokens of their own."""
    counts, reserved = _count_characters(config.normalization, texts), len(_reserved(config))
    kept = _by_frequency(counts)[: max(0, config.vocab_size - reserved)]
    left_out = 1 - sum(counts[c] for c in kept) / counts.total()
    if left_out > MAX_UNKNOWN:
        what, fix = "would be unknown", ""
        if config.byte_fallback:
            what, fix = "would be spelt in bytes", ", or tokenizer.byte_fallback to false"
        raise UserError(
            f"tokenizer.vocab_size: {config.vocab_size} is too small: {reserved} tokens are reserved, the text has "
            f"{len(counts):,} different characters, and {left_out:.1%} of it {what}; "
            f"set it above {len(counts) + reserved:,}{fix}"
        )
    return kept


def _reserved(config: BpeTokenizerConfig | UnigramTokenizerConfig) -> list[str]:
    return [*SPECIAL, *(BYTES if config.byte_fallback else ())]


def _train_bpe(config: BpeTokenizerConfig, texts: Texts) -> tokenizers.Tokenizer:
    alphabet = _alphabet(config, texts)
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=_reserved(config),
        show_progress=False,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    return _trained(models.BPE(unk_token=SPECIAL[UNK]), config, texts, trainer)


def _train_words(config: WordTokenizerConfig, texts: Texts) -> tokenizers.Tokenizer:
    trainer = trainers.WordLevelTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=SPECIAL,
        show_progress=False,
    )
    return _trained(models.WordLevel(unk_token=SPECIAL[UNK]), config, texts, trainer)


def _train_unigram(config: UnigramTokenizerConfig, texts: Texts) -> tokenizers.Tokenizer:
    alphabet = _alphabet(config, texts)
    trainer = trainers.UnigramTrainer(
        vocab_size=config.vocab_size,
        special_tokens=_reserved(config),
        unk_token=SPECIAL[UNK],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    # The library's trainer gives every character that it sees a token: it is not shown the ones that are to have none.
    normalize, known = normalizer(config.normalization).normalize_str, {" ", *alphabet}
    shown = lambda: ("".join(c if c in known else " " for c in normalize(text)) for text in texts())  # noqa: E731
    return _trained(models.Unigram(), config, shown, trainer)


def _trained(
    model: models.Model, config: LearntTokenizer, texts: Texts, trainer: trainers.Trainer
) -> tokenizers.Tokenizer:
    inner = around(model, config.normalization)
    inner.train_from_iterator(texts(), trainer)
    content = json.loads(inner.to_str())
    # The special tokens stay in the model alone: as "added tokens" they would be found in the text.
    content["added_tokens"] = []
    if isinstance(config, BpeTokenizerConfig | UnigramTokenizerConfig):
        content["model"]["byte_fallback"] = config.byte_fallback
    return tokenizers.Tokenizer.from_str(json.dumps(content))
