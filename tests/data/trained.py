"""Tokenizers trained on a few sentences."""

import unicodedata
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from seq2seq.data.tokenization import Tokenizer
from seq2seq.data.tokenizer_training import train_tokenizers
from seq2seq.recipe import AnyTokenizer

KINDS = ["bpe", "unigram", "word", "char"]
SUBWORDS = ["bpe", "unigram"]
SENTENCES = [
    "The cat, the dog & the cow: 12 of them (all \"good\")!", "Don't the cats sit on the mat?", "<pad> </s> <s> <unk>",
    "Der Hund läuft über 25 Straßen – und die Katze schläft.", "Die Kühe sind müde; z.B. «sehr» müde …", "日本語の文。",
    "The lowest of the low ▁ mats, a_b and a▁b", "e\u0301 A\u030a ﬁne", "\x00 \x07 nul\u200b",
]  # fmt: skip


def train(texts: list[str] = SENTENCES, targets: list[str] | None = None, **config: Any) -> tuple[Tokenizer, Tokenizer]:
    config = {"kind": "bpe", "min_frequency": 1, **config}
    if config["kind"] == "unigram":
        del config["min_frequency"]
    parsed = TypeAdapter[AnyTokenizer](AnyTokenizer).validate_python(config)
    return train_tokenizers(parsed, lambda: iter(texts), lambda: iter(texts if targets is None else targets))


@cache
def trained(kind: str, normalization: str = "nfc") -> Tokenizer:
    return train(kind=kind, normalization=normalization)[0]


def normalised(text: str, form: Any = "NFC") -> str:
    return " ".join((unicodedata.normalize(form, text) if form else text).split())
