"""A vocabulary shortlist: the target words that the output layer is computed for (Jean et al. 2015, section 3.3): the
likeliest translations of a batch's source words, and the most frequent words."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2seq.data.tokenization import EOS, SPECIAL
from seq2seq.errors import UserError
from seq2seq.files import read_bounded, write_json

FILE = "shortlist.json"
MAX_BYTES = 1 << 28


@dataclass(frozen=True)
class Shortlist:
    """Candidates for each source token."""

    frequent: np.ndarray
    """Target tokens that are always among them [frequent]."""
    translations: list[np.ndarray]
    """Of each source token, its likeliest target tokens."""

    def words(self, sources: Sequence[Sequence[int]]) -> np.ndarray:
        """The target tokens for a batch, in order, without those that are never written."""
        found = np.zeros(self.end, dtype=bool)
        found[self.frequent] = True
        for token in {token for source in sources for token in source}:
            found[self.translations[token]] = True
        found[: len(SPECIAL)] = False
        found[EOS] = True
        return found.nonzero()[0]

    @functools.cached_property
    def end(self) -> int:
        """One more than the largest token."""
        return 1 + max(EOS, *(int(part.max(initial=0)) for part in (self.frequent, *self.translations)))

    def save(self, folder: Path) -> None:
        """Write the file."""
        write_json(
            folder / FILE, {"frequent": self.frequent.tolist(), "translations": [t.tolist() for t in self.translations]}
        )

    @classmethod
    def load(cls, folder: Path, src_vocab: int, tgt_vocab: int) -> Shortlist | None:
        """Read it; None: the folder has none.

        Raises:
            UserError: it is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            content = json.loads(read_bounded(path, MAX_BYTES))
            frequent, *translations = (
                np.array(row, dtype=np.int64) for row in (content["frequent"], *content["translations"])
            )
            if len(translations) != src_vocab:
                raise ValueError(f"{len(translations)} rows for {src_vocab} source tokens")
            for row in (frequent, *translations):
                if row.ndim != 1 or (len(row) and not (row.min() >= 0 and row.max() < tgt_vocab)):
                    raise ValueError("a row holds no target tokens")
            return cls(frequent, translations)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise UserError(f"{path}: damaged: {str(error)[:200]}; export the model again") from None
