"""Text to token ids and back.

What comes back is the text as it was normalised: Unicode form of the recipe, runs of blanks as one space, none at
the ends. In the pieces "▁" stands for a space; one in the text itself is kept apart as U+FDD0, a code point that
Unicode reserves for such inner uses (so it is U+FDD0 in a text that would come back as "▁").

With byte fallback, a character without a token of its own is spelt by the bytes of its UTF-8, so that none is unknown.
"""

from __future__ import annotations

import json
import re
import shutil
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

from seq2seq.data.tokenizer_file import damaged_tokenizer, read_tokenizer_file
from seq2seq.errors import UserError
from seq2seq.files import write_text

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
"""Names of the special tokens, by id. No text is ever read as one of them."""
BYTES = {f"<0x{byte:02X}>": byte for byte in range(256)}
"""Names of the tokens of byte fallback, with what they stand for. No text is ever read as one of them either."""

SPACE, ESCAPED = "▁", "\ufdd0"
BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python's `str.split` splits at: all line ends are among them."""


class Tokenizer:
    """Cuts text into tokens, and joins tokens to text.

    Args:
        inner: with the special tokens as the first of its vocabulary.
    """

    backward = False
    """Whether the last word's tokens come first."""

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

    def without_space(self, ids: Sequence[int]) -> list[int]:
        """Tokens of the same text where it follows another without a space between them."""
        first = self.pieces[ids[0]].removeprefix(SPACE)
        inside = self._inner.model.tokenize(first) if first else []
        return [*(token.id for token in inside), *ids[1:]]

    def words(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each token of each text, which of the words of `text.split()` it is a piece of.

        A space before a word belongs to it, as do all characters that normalisation makes of the word's.
        """
        return [_words(text, encoding.offsets) for text, encoding in zip(texts, self._encode(texts), strict=True)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Of each token of a text, where it begins and ends there."""
        (encoding,) = self._encode([text])
        return list(encoding.offsets)

    def unknown(self, text: str) -> list[str]:
        """What has no token of its own (is <unk>, or spelt in bytes), each stretch once, in order."""
        (encoding,) = self._encode([text])
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        unknown = {place for i, span in spans if i == UNK or self.pieces[i] in BYTES for place in range(*span)}
        found = "".join(c if place in unknown else " " for place, c in enumerate(text)).split()
        return list(dict.fromkeys(found))

    @property
    def blanks(self) -> list[int]:
        """The tokens that no text comes of by themselves: spaces, and special ones but <unk>."""
        return [i for i in range(len(self)) if not self.decode([i])]

    def as_written(self, text: str) -> str:
        """The text as it is before it is cut into tokens: normalised, its words in the order of the tokens."""
        return self.normalize(text)

    def normalize(self, text: str) -> str:
        """The text in the recipe's Unicode form, with single spaces."""
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
        content = {**json.loads(around(models.BPE(), form).to_str()), "model": model}
        try:
            return cls(tokenizers.Tokenizer.from_str(json.dumps(content)))
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # the library's faults have no class of their own, some not even Exception
            raise damaged_tokenizer(Path(path), str(error)) from None


class BackwardTokenizer(Tokenizer):
    """Another's tokens with the words in reverse order: a model that learns them writes from right to left.

    (`offsets` and `unknown`, which tell of the text, are the other's.)
    """

    backward = True

    def __init__(self, other: Tokenizer) -> None:
        super().__init__(other._inner)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return super().encode_batch([_backward(text) for text in texts])

    def words(self, texts: Sequence[str]) -> list[list[int]]:
        found = super().words([_backward(text) for text in texts])
        return [[len(text.split()) - 1 - place for place in row] for text, row in zip(texts, found, strict=True)]

    def as_written(self, text: str) -> str:
        return _backward(self.normalize(text))

    def decode(self, ids: Sequence[int]) -> str:
        return _backward(super().decode(ids))


def _backward(text: str) -> str:
    return " ".join(reversed(text.split()))


def _without_surrogates(text: str) -> str:
    """Half a surrogate pair is no text: it becomes "?"."""
    return text.encode("utf-8", "replace").decode()


def _words(text: str, offsets: list[tuple[int, int]]) -> list[int]:
    """By where each token's last character stands in the text as it was read: the first word not over before."""
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    return [bisect_right(ends, end - 1) for _, end in offsets]


def around(model: models.Model, form: str) -> tokenizers.Tokenizer:
    """The model, and what text goes through before and after it."""
    inner = tokenizers.Tokenizer(model)
    inner.normalizer = normalizer(form)
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


def normalizer(form: str) -> normalizers.Normalizer:
    steps = [normalizers.Replace(SPACE, ESCAPED), normalizers.Replace(Regex(f"[{BLANKS}]+"), " "), normalizers.Strip()]
    if form != "none":
        steps.insert(0, normalizers.NFC() if form == "nfc" else normalizers.NFKC())
    return normalizers.Sequence(steps)


JOINT, SRC, TGT = "tokenizer.json", "tokenizer.src.json", "tokenizer.tgt.json"
"""The files of prepared data, of a model and of an exported one: the first, or both others."""


def load_tokenizers(folder: Path, reverse_target: bool = False) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's tokenizer (the same object where they are joint and both read forward)."""
    if (folder / JOINT).exists():
        src = tgt = Tokenizer.load(folder / JOINT)
    else:
        src, tgt = Tokenizer.load(folder / SRC), Tokenizer.load(folder / TGT)
    return src, BackwardTokenizer(tgt) if reverse_target else tgt


def copy_tokenizers(source: Path, folder: Path) -> None:
    """Copy the files of the tokenizers that a folder has."""
    for name in (JOINT, SRC, TGT):
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
