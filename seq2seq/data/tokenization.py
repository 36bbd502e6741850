"""Text to token ids and back.

What comes back is the text as it was normalised: Unicode form of the recipe, runs of blanks as one space, none at
the ends. In the pieces "▁" stands for a space; one in the text itself is kept apart as U+FDD0, a code point that
Unicode reserves for such inner uses (so it is U+FDD0 in a text that would come back as "▁").

With byte fallback, a character without a token of its own is spelt by the bytes of its UTF-8, so that none is unknown.
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

from seq2seq.data.tokenizer_file import damaged_tokenizer, read_tokenizer_file
from seq2seq.errors import UserError
from seq2seq.files import write_text
from seq2seq.recipe import (
    AnyTokenizer,
    BpeTokenizerConfig,
    CharTokenizerConfig,
    UnigramTokenizerConfig,
    WordTokenizerConfig,
)

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
"""Names of the special tokens, by id. No text is ever read as one of them."""
BYTES = {f"<0x{byte:02X}>": byte for byte in range(256)}
"""Names of the tokens of byte fallback, with what they stand for. No text is ever read as one of them either."""

SPACE, ESCAPED = "▁", "\ufdd0"
BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python's `str.split` splits at: all line ends are among them."""

TRAINING_SENTENCES = 1_000_000
"""Sentences a side that tokenizers are trained on; of larger data, evenly spaced ones."""
MAX_UNKNOWN = 0.01
"""Share of the training text that may have no token where the vocabulary is too small for all its characters."""

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
        self._spelling = [bytes([BYTES[piece]]) if piece in BYTES else piece.encode() for piece in self.pieces]
        if isinstance(inner.model, models.WordLevel):  # an unknown word took the space before it along
            self._spelling[UNK] = (SPACE + SPECIAL[UNK]).encode()

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

    def unknown(self, text: str) -> list[str]:
        """What <unk> stands for in the text: words or characters, each once, in order."""
        (encoding,) = self._encode([text])
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        return list(dict.fromkeys(text[start:end].strip() for i, (start, end) in spans if i == UNK))

    def normalize(self, text: str) -> str:
        """The text as it is before it is cut into tokens."""
        return str(self._inner.normalizer.normalize_str(_without_surrogates(text)))

    def _encode(self, texts: Sequence[str]) -> list[tokenizers.Encoding]:
        try:
            return list(self._inner.encode_batch(list(texts)))
        except TypeError:  # half a surrogate pair, which is no text: it becomes "?"
            return self._encode([_without_surrogates(text) for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids: one line; <unk> is written out, other special tokens leave nothing.

        Bytes that are no UTF-8 become U+FFFD.
        """
        text = b"".join(self._spelling[i] for i in ids if i > EOS).decode("utf-8", "replace")
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
        """Read what `save` wrote. Of the file only the vocabulary is used; what it says of patterns is never run.

        Raises:
            UserError: the file is missing, damaged, or another program's.
        """
        form, model = read_tokenizer_file(Path(path))
        content = {**json.loads(_around(models.BPE(), form).to_str()), "model": model}
        try:
            return cls(tokenizers.Tokenizer.from_str(json.dumps(content)))
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # the library's faults have no class of their own, some not even Exception
            raise damaged_tokenizer(Path(path), str(error)) from None


def _without_surrogates(text: str) -> str:
    """Half a surrogate pair is no text: it becomes "?"."""
    return text.encode("utf-8", "replace").decode()


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


def characters_seen(config: AnyTokenizer, texts: Texts) -> str | None:
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


def _train(config: AnyTokenizer, texts: Texts) -> Tokenizer:
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
        return Tokenizer(_around(models.BPE(vocabulary, [], unk_token=SPECIAL[UNK]), form))  # no merges: characters
    return Tokenizer(_train_words(config, texts))


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
    inner.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(SPACE), decoders.Replace(ESCAPED, SPACE)]
    )
    return inner


def _normalizer(form: str) -> normalizers.Normalizer:
    steps = [normalizers.Replace(SPACE, ESCAPED), normalizers.Replace(Regex(f"[{BLANKS}]+"), " "), normalizers.Strip()]
    if form != "none":
        steps.insert(0, normalizers.NFC() if form == "nfc" else normalizers.NFKC())
    return normalizers.Sequence(steps)


def _count_characters(form: str, texts: Texts) -> Counter[str]:
    """How often the text has each character, a space before each sentence."""
    normalize, counts = _normalizer(form).normalize_str, Counter[str]()
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
    normalize, known = _normalizer(config.normalization).normalize_str, {" ", *alphabet}
    shown = lambda: ("".join(c if c in known else " " for c in normalize(text)) for text in texts())  # noqa: E731
    return _trained(models.Unigram(), config, shown, trainer)


def _trained(
    model: models.Model, config: AnyTokenizer, texts: Texts, trainer: trainers.Trainer
) -> tokenizers.Tokenizer:
    inner = _around(model, config.normalization)
    inner.train_from_iterator(texts(), trainer)
    content = json.loads(inner.to_str())
    # The special tokens stay in the model alone: as "added tokens" they would be found in the text.
    content["added_tokens"] = []
    if isinstance(config, BpeTokenizerConfig | UnigramTokenizerConfig):
        content["model"]["byte_fallback"] = config.byte_fallback
    return tokenizers.Tokenizer.from_str(json.dumps(content))
