"""Pretrained word vectors, from the text files of word2vec, GloVe and fastText."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seq2seq.data.lines import read_lines
from seq2seq.errors import UserError


def read_vectors(path: Path, places: Mapping[str, int], size: int, key: str) -> dict[int, np.ndarray]:
    """The vectors of known words: row of the embedding -> [size], float32. The first of a word's vectors counts.

    Args:
        path: a line a word, `word number number ...`; a first line of `count size` is skipped; may be compressed.
        places: the rows by word.
        size: numbers a vector.
        key: the recipe key that names the file.

    Raises:
        UserError: the file cannot be read, or a vector is not of this size.
    """
    found: dict[int, np.ndarray] = {}
    for number, line in enumerate(read_lines(path, key), start=1):
        word, *numbers = line.rstrip(" ").split(" ")
        if number == 1 and len(numbers) == 1:
            continue
        if len(numbers) != size:
            raise UserError(
                f"{path}:{number}: {key}: this vector has {len(numbers)} numbers, and model.embedding.size is {size}; "
                "set it to the vectors' size"
            )
        if word in places and places[word] not in found:
            try:
                found[places[word]] = np.array(numbers, dtype=np.float32)
            except ValueError:
                raise UserError(f"{path}:{number}: {key}: not numbers; is this a file of vectors as text?") from None
    return found


def places_of(tokens: list[str]) -> dict[str, int]:
    """The rows of whole words: of `word`, and of a subword vocabulary's `▁word`."""
    places = {token: row for row, token in enumerate(tokens)}
    return places | {
        token.removeprefix("▁"): row for row, token in enumerate(tokens) if len(token) > 1 and token[0] == "▁"
    }
