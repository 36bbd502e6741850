"""Text to token ids and back, with the `tokenizers` library.

Blanks are marked with U+2581 at the start of a word, so that decoding is exact: decode(encode(text))
is the text in its Unicode normal form, each run of white space one blank, none at the ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from seq2seq import recipe
from seq2seq.errors import UserError

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PAD, BOS, EOS, UNK = range(4)
BLANK = "\u2581"

MOST_SENTENCES = 1_000_000
"""Of each side, that a vocabulary is learnt from: the first ones. Bounds memory; more change little."""


class Tokenizer:
    """One vocabulary."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        self._inner = inner
        # `</s>` written in a text is four characters, never the end of the sentence.
        inner.encode_special_tokens = True

    def __len__(self) -> int:
        return self._inner.get_vocab_size()

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without <s> and </s>; what is not in the vocabulary is <unk>."""
        return [encoding.ids for encoding in self._inner.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text; <pad>, <s> and </s> are left out, <unk> shows as `<unk>`."""
        return self._inner.decode([i for i in ids if i not in (PAD, BOS, EOS)], skip_special_tokens=False).strip()

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each token as it stands in the vocabulary."""
        return [self._inner.id_to_token(i) or SPECIAL[UNK] for i in ids]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        self._inner.save(str(path))

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is missing or damaged.
        """
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{path.name}: {error}") from None


Texts = Callable[[], Iterator[str]]


def train_tokenizers(section: recipe.AnyTokenizer, sources: Texts, targets: Texts) -> tuple[Tokenizer, Tokenizer]:
    """The source's and the target's vocabulary, from their texts; the same object where the recipe says joint.

    Raises:
        UserError: nothing can be learnt from the texts.
    """

    def first(texts: Texts) -> Iterator[str]:
        return itertools.islice(texts(), MOST_SENTENCES)

    if section.joint:
        both = _train(section, itertools.chain(first(sources), first(targets)))
        return both, both
    return _train(section, first(sources)), _train(section, first(targets))


def _train(section: recipe.AnyTokenizer, texts: Iterator[str]) -> Tokenizer:
    inner, trainer = _untrained(section)
    inner.normalizer = _normalizer(section.normalization)
    inner.pre_tokenizer = _pre_tokenizer(section.kind)
    inner.decoder = decoders.Metaspace()
    try:
        inner.train_from_iterator(texts, trainer)
    except Exception as error:  # the library raises bare Exception
        raise UserError(f"tokenizer: cannot learn a {section.kind} vocabulary from this data: {error}") from None
    if inner.get_vocab_size() <= len(SPECIAL):
        raise UserError(f"tokenizer: no {section.kind} vocabulary can be learnt: the training data holds no text")
    return Tokenizer(inner)


def _untrained(section: recipe.AnyTokenizer) -> tuple[tokenizers.Tokenizer, trainers.Trainer]:
    special = list(SPECIAL)
    if isinstance(section, recipe.BpeTokenizer):
        trainer = trainers.BpeTrainer(
            vocab_size=section.vocab_size,
            special_tokens=special,
            min_frequency=section.min_frequency,
            limit_alphabet=section.vocab_size - len(special),
            show_progress=False,
        )
        return tokenizers.Tokenizer(models.BPE(unk_token=SPECIAL[UNK])), trainer
    if isinstance(section, recipe.UnigramTokenizer):
        trainer = trainers.UnigramTrainer(
            vocab_size=section.vocab_size, special_tokens=special, unk_token=SPECIAL[UNK], show_progress=False
        )
        return tokenizers.Tokenizer(models.Unigram()), trainer
    most = section.vocab_size if isinstance(section, recipe.WordTokenizer) else 1_000_000
    trainer = trainers.WordLevelTrainer(
        vocab_size=most, special_tokens=special, min_frequency=section.min_frequency, show_progress=False
    )
    return tokenizers.Tokenizer(models.WordLevel(unk_token=SPECIAL[UNK])), trainer


def _normalizer(form: str) -> normalizers.Normalizer:
    forms = {"nfc": [normalizers.NFC()], "nfkc": [normalizers.NFKC()], "none": []}[form]
    return normalizers.Sequence(
        [
            *forms,
            normalizers.Replace(BLANK, "_"),  # its use as a mark must be unambiguous
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )


def _pre_tokenizer(kind: str) -> pre_tokenizers.PreTokenizer:
    blanks = pre_tokenizers.Metaspace(replacement=BLANK, prepend_scheme="always")
    if kind == "char":
        return pre_tokenizers.Sequence([blanks, pre_tokenizers.Split(Regex(r"(?m:.)"), "isolated")])
    punctuation = pre_tokenizers.Punctuation("isolated")
    if kind == "word":
        return pre_tokenizers.Sequence([blanks, punctuation])
    return pre_tokenizers.Sequence([blanks, punctuation, pre_tokenizers.Digits(individual_digits=True)])
