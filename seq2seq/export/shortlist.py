"""Which target words translate which source words, learnt from training data for a vocabulary shortlist."""

from __future__ import annotations

import itertools

import numpy as np

from seq2seq.data.preparation import PreparedPairs
from seq2seq.runtime.shortlist import Shortlist

FREQUENT = 200
"""Most frequent target tokens that every shortlist holds."""
TRANSLATIONS = 20
"""Likeliest translations of a source token."""
LINKS = 10_000_000
"""Pairs of a source and a target position that are counted at most."""
ROUNDS = 4


def make_shortlist(pairs: PreparedPairs, src_vocab: int, tgt_vocab: int) -> Shortlist:
    """Of prepared training data: translations by IBM model 1 (Brown et al. 1993), on as many pairs as `LINKS` holds."""
    src_lengths, tgt_lengths = (lengths.astype(np.int64) for lengths in pairs.lengths)
    chosen = np.random.default_rng(1).permutation(len(pairs))
    chosen = chosen[np.cumsum(src_lengths[chosen] * tgt_lengths[chosen]) <= LINKS]
    sources, targets = pairs.take(chosen)
    counts = np.bincount(np.concatenate([*targets, np.zeros(0, np.int32)]), minlength=tgt_vocab)
    frequent = np.argsort(-counts, kind="stable")[:FREQUENT]
    links = [(np.tile(s, len(t)), np.repeat(t, len(s)), len(s)) for s, t in zip(sources, targets, strict=True)]
    if not links:
        return Shortlist(frequent, [np.zeros(0, np.int64)] * src_vocab)
    src, tgt = (np.concatenate([link[side] for link in links]).astype(np.int64) for side in (0, 1))
    places = np.repeat(np.arange(sum(map(len, targets))), np.repeat([link[2] for link in links], [*map(len, targets)]))
    kinds, kind = np.unique(src * tgt_vocab + tgt, return_inverse=True)
    src, tgt = np.divmod(kinds, tgt_vocab)
    likely = np.ones(len(kinds))
    for _ in range(ROUNDS):
        share = likely[kind] / np.bincount(places, likely[kind])[places]  # of each source word in a target word
        expected = np.bincount(kind, share)
        likely = expected / np.bincount(src, expected)[src]
    order = np.lexsort((-likely, src))
    starts = np.searchsorted(src[order], np.arange(src_vocab + 1))
    return Shortlist(frequent, [tgt[order[a : min(b, a + TRANSLATIONS)]] for a, b in itertools.pairwise(starts)])
