"""Text to token ids and back.

What comes back is the text as it was normalised: Unicode form of the recipe, runs of blanks as one space, none at
the ends. In the pieces "▁" stands for a space; one in the text itself is kept apart as U+FDD0, a code point that
Unicode reserves for such inner uses (so it is U+FDD0 in a text that would come back as "▁").
"""

from __future__ import annotations

import itertools
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from seq2seq.errors import UserError
from seq2seq.files import write_text
from seq2seq.recipe import AnyTokenizer, BpeTokenizerConfig, CharTokenizerConfig, UnigramTokenizerConfig

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
"""Names of the special tokens, by id. No text is ever read as one of them."""

SPACE, ESCAPED = "▁", "\ufdd0"
BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python's `str.split` splits at: all line ends are among them."""

TRAINING_SENTENCES = 1_000_000
"""Sentences a side that tokenizers are trained on; of larger data, evenly spaced ones."""
MAX_UNKNOWN = 0.01
"""Share of the training text's characters that may be left out where the vocabulary is too small for all."""

Texts = Callable[[], Iterator[str]]


class Tokenizer:
    """Cuts text into tokens, and joins tokens to text.

    Args:
        inner: with the special tokens as the first of its vocabulary.
    """

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        vocabulary = inner.get_vocab()
        self._inner = inner
        self.pieces = sorted(vocabulary, key=lambda piece: vocabulary[piece])
        """By id, as the vocabulary writes them."""
        if self.pieces[: len(SPECIAL)] != SPECIAL:
            raise UserError(f"not a tokenizer of seq2seq: its first tokens must be {' '.join(SPECIAL)}")
        # An unknown word took the space before it along; an unknown character did not.
        self._texts = list(self.pieces)
        self._texts[UNK] = SPACE + SPECIAL[UNK] if isinstance(inner.model, models.WordLevel) else SPECIAL[UNK]

    def __len__(self) -> int:
        """Tokens of the vocabulary, the special ones included."""
        return len(self.pieces)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without <s> and </s>; what is not in the vocabulary is <unk>."""
        return [encoding.ids for encoding in self._encode(texts)]

    def words(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each token of each text, which of the words of `text.split()` it is a piece of.

        A space before a word belongs to it, as do all characters that normalisation makes of the word's.
        """
        return [_words(text, encoding.offsets) for text, encoding in zip(texts, self._encode(texts), strict=True)]

    def _encode(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        try:
            return list(self._inner.encode_batch(list(texts)))
        except TypeError:  # half a surrogate pair, which is no text: it becomes "?"
            return self._encode([text.encode("utf-8", "replace").decode() for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids: one line; <unk> is written out, other special tokens leave nothing."""
        text = "".join(self._texts[i] for i in ids if i > EOS)
        return " ".join(text.replace(SPACE, " ").split()).replace(ESCAPED, SPACE)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each token as it is shown; "▁" begins those that follow a space."""
        return [self.pieces[i].replace(ESCAPED, SPACE) for i in ids]

    def save(self, path: str | Path) -> None:
        """Write a JSON file, which the `tokenizers` library reads too."""
        write_text(Path(path), self.to_json() + "\n")

    def to_json(self) -> str:
        """All of it, as the `tokenizers` library writes it."""
        return str(self._inner.to_str())

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read what `save` wrote.

        Raises:
            UserError: the file is missing, damaged, or another program's.
        """
        try:
            return cls(tokenizers.Tokenizer.from_str(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}; it is part of a trained model") from None
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except Exception as error:  # the library raises nothing more special
            raise UserError(f"{path}: not a tokenizer: {error}; make it again, or fetch the model again") from None


def _words(text: str, offsets: list[tuple[int, int]]) -> list[int]:
    """By where each token's last character stands in the text as it was read: the first word not over before."""
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    return [bisect_right(ends, end - 1) for _, end in offsets]


def train_tokenizers(config: AnyTokenizer, sources: Texts, targets: Texts) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's tokenizer, the same object where they are joint.

    The same text gives the same tokens and ids, on any number of threads; but for unigram, whose probabilities the
    library adds up in an order of its own: they differ in the fourth decimal from run to run.

    Args:
        sources, targets: give the training text, sentence by sentence, each time they are called.

    Raises:
        UserError: there is no text, or the vocabulary is too small for its characters.
    """
    if config.joint:
        tokenizer = _train(config, lambda: itertools.chain(_sample(sources), _sample(targets)))
        return tokenizer, tokenizer
    return _train(config, lambda: _sample(sources)), _train(config, lambda: _sample(targets))


def _sample(texts: Texts) -> Iterator[str]:
    count = sum(1 for _ in texts())
    limit = TRAINING_SENTENCES
    if count <= limit:
        return texts()
    return (text for i, text in enumerate(texts()) if (i + 1) * limit // count > i * limit // count)


def _train(config: AnyTokenizer, texts: Texts) -> Tokenizer:
    if not any(text.strip() for text in texts()):
        raise UserError("data.train: the tokenizer has no text to learn from; give training data that holds some")
    form = config.normalization
    if isinstance(config, BpeTokenizerConfig):
        alphabet = _alphabet(form, texts, config.vocab_size)
        return Tokenizer(_train_bpe(form, texts, alphabet, config.vocab_size, config.min_frequency))
    if isinstance(config, UnigramTokenizerConfig):
        return Tokenizer(_train_unigram(form, texts, _alphabet(form, texts, config.vocab_size), config.vocab_size))
    if isinstance(config, CharTokenizerConfig):
        pieces = SPECIAL + _alphabet(form, texts, None, config.min_frequency)
        vocabulary = {piece: i for i, piece in enumerate(pieces)}
        return Tokenizer(_around(models.BPE(vocabulary, [], unk_token=SPECIAL[UNK]), form))  # no merges: characters
    return Tokenizer(_train_words(form, texts, config.vocab_size, config.min_frequency))


def _around(model: models.Model, form: str) -> tokenizers.Tokenizer:
    """The model, and what text goes through before and after it."""
    inner = tokenizers.Tokenizer(model)
    inner.normalizer = _normalizer(form)
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(SPACE),
            pre_tokenizers.Punctuation("isolated"),  # so no token but the special one can be "<s>"
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    inner.decoder = decoders.Sequence([decoders.Metaspace(SPACE), decoders.Replace(ESCAPED, SPACE)])
    return inner


def _normalizer(form: str) -> normalizers.Normalizer:
    steps = [normalizers.Replace(SPACE, ESCAPED), normalizers.Replace(Regex(f"[{BLANKS}]+"), " "), normalizers.Strip()]
    if form != "none":
        steps.insert(0, normalizers.NFC() if form == "nfc" else normalizers.NFKC())
    return normalizers.Sequence(steps)


def _alphabet(form: str, texts: Texts, vocab_size: int | None, min_frequency: int = 1) -> list[str]:
    """The characters to have tokens of their own, most frequent first (ties by code point)."""
    normalize, counts = _normalizer(form).normalize_str, Counter[str]()
    for text in texts():
        counts.update(normalize(text))
        counts[SPACE] += 1  # each sentence begins with one
    counts[SPACE] += counts.pop(" ", 0)
    ordered = sorted(counts, key=lambda c: (-counts[c], c))
    if vocab_size is None:
        return [c for c in ordered if counts[c] >= min_frequency or c == SPACE]
    kept = ordered[: vocab_size - len(SPECIAL)]
    unknown = 1 - sum(counts[c] for c in kept) / counts.total()
    if unknown > MAX_UNKNOWN:
        raise UserError(
            f"tokenizer.vocab_size: {vocab_size} is too small: the text has {len(counts):,} different characters, and "
            f"{unknown:.1%} of it would be unknown; set it above {len(counts) + len(SPECIAL):,}"
        )
    return kept


def _train_bpe(
    form: str, texts: Texts, alphabet: list[str], vocab_size: int, min_frequency: int
) -> tokenizers.Tokenizer:
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=SPECIAL,
        show_progress=False,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
    )
    return _trained(models.BPE(unk_token=SPECIAL[UNK]), form, texts, trainer)


def _train_words(form: str, texts: Texts, vocab_size: int, min_frequency: int) -> tokenizers.Tokenizer:
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=SPECIAL, show_progress=False
    )
    return _trained(models.WordLevel(unk_token=SPECIAL[UNK]), form, texts, trainer)


def _train_unigram(form: str, texts: Texts, alphabet: list[str], vocab_size: int) -> tokenizers.Tokenizer:
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        unk_token=SPECIAL[UNK],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    # The library's trainer knows no unknown characters: it is not shown the ones that are to be unknown.
    normalize, known = _normalizer(form).normalize_str, {" ", *alphabet}
    shown = lambda: ("".join(c if c in known else " " for c in normalize(text)) for text in texts())  # noqa: E731
    return _trained(models.Unigram(), form, shown, trainer)


def _trained(model: models.Model, form: str, texts: Texts, trainer: trainers.Trainer) -> tokenizers.Tokenizer:
    inner = _around(model, form)
    inner.train_from_iterator(texts(), trainer)
    # The special tokens stay in the model alone: as "added tokens" they would be found in the text.
    return tokenizers.Tokenizer.from_str(json.dumps({**json.loads(inner.to_str()), "added_tokens": []}))
