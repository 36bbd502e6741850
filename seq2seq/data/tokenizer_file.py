"""Reading a tokenizer's file without trusting it: from it come a vocabulary and merges, never a pattern that is run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal, cast

from seq2seq.errors import UserError
from seq2seq.files import read_bounded

MAX_BYTES = 1 << 28
MAX_PIECE = 1000
"""Characters of a piece."""

Form = Literal["none", "nfc", "nfkc"]
PIPELINE = {
    "normalizer": ["Replace", "Replace", "Strip"],  # behind the Unicode form
    "pre_tokenizer": ["Metaspace", "Punctuation", "Digits"],
    "decoder": ["ByteFallback", "Metaspace", "Replace"],
}
"""The steps around the model, by their types; before byte fallback the decoder had the last two alone."""


def read_tokenizer_file(path: Path) -> tuple[Form, dict[str, Any]]:
    """The Unicode form, and the model: type, vocabulary, merges.

    Raises:
        UserError: the file is missing, damaged, or another program's.
    """
    try:
        content = json.loads(read_bounded(path, MAX_BYTES))
        return _form(content), _model(content["model"])
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; it is part of a trained model") from None
    except KeyError as error:
        raise damaged_tokenizer(path, f"{error} is missing") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise damaged_tokenizer(path, str(error)) from None


def damaged_tokenizer(path: Path, reason: str) -> UserError:
    """The error for a file that no tokenizer can be made of."""
    return UserError(f"{path}: not a tokenizer of seq2seq: {reason[:200]}; prepare it again, or copy the model again")


def _form(content: Any) -> Form:
    """The Unicode form, where the steps around the model are those that seq2seq writes."""
    if not isinstance(content, dict):
        raise ValueError("it holds no object")
    if content.get("added_tokens") or content.get("post_processor"):
        raise ValueError("it has added tokens or a post-processor")
    found = {part: _types(content[part]) for part in PIPELINE}
    form = found["normalizer"].pop(0).lower() if found["normalizer"][:1] in (["NFC"], ["NFKC"]) else "none"
    for part, types in PIPELINE.items():
        if found[part] != types and not (part == "decoder" and found[part] == types[1:]):
            raise ValueError(f"its {part} is {', '.join(found[part])} and not {', '.join(types)}")
    return cast(Form, form)


def _types(part: dict[str, Any]) -> list[str]:
    steps: list[Any] = next((value for value in part.values() if isinstance(value, list)), [])
    return [str(step["type"])[:30] for step in steps]


def _model(model: dict[str, Any]) -> dict[str, Any]:
    """The model's part of the file, where nothing in it can break the library."""
    kind = model["type"]
    if kind == "Unigram":
        pieces = [piece for piece, _ in model["vocab"]]
        if not all(isinstance(s, int | float) and math.isfinite(s) and abs(s) < 1e9 for _, s in model["vocab"]):
            raise ValueError("a piece's score is no number")
        checked = {"unk_id": model["unk_id"], "vocab": model["vocab"]}
    elif kind in ("BPE", "WordLevel"):
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        if [model["vocab"][piece] for piece in pieces] != list(range(len(pieces))):
            raise ValueError("the ids of its vocabulary are not 0, 1, 2 and so on")
        checked = {"unk_token": model["unk_token"], "vocab": model["vocab"]}
    else:
        raise ValueError(f"its model is {kind!r:.40} and not BPE, Unigram or WordLevel")
    if not all(isinstance(piece, str) and 0 < len(piece) <= MAX_PIECE for piece in pieces):
        raise ValueError("a piece of its vocabulary is empty, or too long, or no text")
    if len(set(pieces)) != len(pieces):
        raise ValueError("its vocabulary has a duplicate piece")
    if checked.get("unk_id", 3) != 3 or checked.get("unk_token", "<unk>") != "<unk>":
        raise ValueError("its unknown token is not <unk>")
    if kind == "BPE":
        checked["merges"] = _merges(model["merges"], model["vocab"])
    if kind != "WordLevel":
        checked["byte_fallback"] = model.get("byte_fallback", False) is True
    return {"type": kind, **checked}


def _merges(merges: list[Any], vocabulary: dict[str, int]) -> list[list[str]]:
    """Pairs of pieces that make a piece of the vocabulary. (Older versions of the library wrote "a b" for a pair.)"""
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    for pair in pairs:
        if len(pair) != 2 or not all(piece in vocabulary for piece in (*pair, "".join(pair))):
            raise ValueError(f"its merge {str(pair)[:60]} is not of two pieces that make one of the vocabulary")
    return pairs
