"""Given translations, run through any scorer: what `scoring.py` does for a model, step by step. It imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.scorer import Scorer


@dataclass(frozen=True)
class Forced:
    """A translation that a scorer was made to write."""

    log_probabilities: list[float]
    """Of each token, in nats; -inf of <unk>, which no search writes."""
    attention: np.ndarray | None
    """Over the source at each token [tgt_len, src_len]; None where the scorer shows none."""


def force(
    scorer: Scorer, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], batch_size: int = 32
) -> list[Forced]:
    """Write each target.

    Args:
        sources, targets: tokens with </s>, pair by pair.
    """
    order = sorted(range(len(sources)), key=lambda i: (len(targets[i]), len(sources[i])))
    found: list[Forced] = [Forced([], None) for _ in sources]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = _force([sources[i] for i in rows], [targets[i] for i in rows], scorer)
        for i, forced in zip(rows, batch, strict=True):
            found[i] = forced
    return found


def _force(sources: list[Sequence[int]], targets: list[Sequence[int]], scorer: Scorer) -> list[Forced]:
    longest = max(map(len, targets))
    padded = np.array([[*target, *[EOS] * (longest - len(target))] for target in targets], dtype=np.int64)
    given = np.concatenate([np.full((len(targets), 1), BOS), padded[:, :-1]], 1)
    state, first = scorer.start(sources), np.zeros((len(targets), 1), dtype=np.int64)
    logs, looks = [], []
    for t in range(longest):
        logits, state = scorer.step(given[:, t : t + 1], state)
        logs.append(logits.take(first, padded[:, t : t + 1])[:, 0])
        look = getattr(state, "attention", None)
        looks.append(None if look is None else look[:, 0])
    found = []
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        seen = [look[row, : len(source)] for look in looks[: len(target)] if look is not None]
        by_token = [float(log[row]) for log in logs[: len(target)]]
        found.append(Forced(by_token, np.stack(seen) if seen else None))
    return found
