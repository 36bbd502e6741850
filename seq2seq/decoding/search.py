"""Batched beam search over any scorer. It imports no torch.

A sentence is finished only when none of its open hypotheses can still overtake its best finished ones; finished
sentences leave the batch. A beam of one is greedy search. What else a recipe asks for changes scores before the best
are taken: `processors.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.processors import Prefixes, Processor, for_batch, process
from seq2seq.decoding.scorer import Logits, Scorer, State

if TYPE_CHECKING:
    from seq2seq.recipe import AnyPenalty, DecodingConfig
else:  # an exported model translates where no pydantic is installed
    AnyPenalty = DecodingConfig = Any

GRID = 1e-3
"""Scores are compared in steps of this size (nats), far above fp32's rounding, which may differ from batch to batch;
what is equal then goes by its place, better parents first. Rounding still decides where a score lies just between two
steps: of scores that are equal but for rounding, some in a thousand."""


@dataclass(frozen=True)
class Hypothesis:
    """A finished translation."""

    tokens: list[int]
    """Without <s> and </s>."""
    token_log_probabilities: list[float]
    """Of each token and of </s> after them, in nats, as the scorer gave them before processors changed them."""
    score: float
    """What hypotheses compete by, to the grid: the log-probability, as processors changed it, normalised for length."""

    @property
    def log_probability(self) -> float:
        """Of the tokens and of </s> after them, in nats."""
        return sum(self.token_log_probabilities)


Search = Callable[[Scorer, Sequence[Sequence[int]], DecodingConfig, Sequence[Processor], int], list[list[Hypothesis]]]
"""A search as `beam_search`."""


@dataclass
class Open:
    """The sentences still being searched, a row each in all arrays, and their open hypotheses."""

    state: State
    prefixes: Prefixes
    scores: np.ndarray
    """What hypotheses compete by before the length counts [open, beam]; -inf where there is no hypothesis."""
    gains: np.ndarray
    """The scorer's log-probability of each token [open, beam, length]."""


@dataclass(frozen=True)
class Extensions:
    """One-token extensions of hypotheses, best first; all arrays [open, candidates]."""

    scores: np.ndarray
    parents: np.ndarray
    """Positions in the beam."""
    tokens: np.ndarray
    gains: np.ndarray


def search_all(
    scorer: Scorer,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
    processors: Sequence[Processor] = (),
    batch_size: int = 32,
    n_best: int = 1,
    search: Search | None = None,
) -> list[list[Hypothesis]]:
    """Any number of sentences, batched by length; the hypotheses in the sentences' order.

    Args:
        sources: tokens with </s>.
        search: how a batch is searched; None: by `beam_search`.
    """
    search = search or beam_search
    order = sorted(range(len(sources)), key=lambda i: -len(sources[i]))
    found: list[list[Hypothesis]] = [[] for _ in sources]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        batch = search(scorer, [sources[i] for i in rows], config, for_batch(processors, rows), n_best)
        for i, hypotheses in zip(rows, batch, strict=True):
            found[i] = hypotheses
    return found


def beam_search(
    scorer: Scorer,
    sources: Sequence[Sequence[int]],
    config: DecodingConfig,
    processors: Sequence[Processor] = (),
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The n best finished hypotheses of each sentence, best first; no two have the same tokens.

    <pad>, <s> and <unk> are never written. At the length limit every hypothesis has to end.

    Args:
        sources: tokens with </s>.
    """
    batch = len(sources)
    prefixes = Prefixes(np.full((batch, 1, 1), BOS), np.arange(batch), [tuple(s) for s in sources], config.max_length)
    going = Open(scorer.start(sources), prefixes, np.zeros((batch, 1)), np.zeros((batch, 1, 0)))
    changes = any(processor.changes_scores for processor in processors)
    found: list[list[Hypothesis]] = [[] for _ in sources]
    while len(going.prefixes.sentences):
        logits, going.state = scorer.step(going.prefixes.tokens[:, :, -1], going.state)
        given = logits.copy() if changes else logits
        process(logits, replace(going.prefixes, state=going.state, scores=going.scores), processors)
        extensions = best_extensions(logits, given, going, config.beam_size)
        _collect(going, extensions, found, config, n_best)
        _advance(going, extensions, found, config, n_best)
    return found


def best_extensions(logits: Logits, given: Logits, going: Open, beam_size: int) -> Extensions:
    """The best 2 x beam extensions of each sentence: up to half of them may end here, and as many must go on.

    Args:
        given: the logits as the scorer gave them.
    """
    best, tokens = logits.top(beam_size + 1)  # one of them may end, and no more than a beam go on
    open_, _, per_parent = best.shape
    scores = (best + going.scores[..., None]).reshape(open_, -1)
    rows, places = np.arange(open_)[:, None], rank(scores, 2 * beam_size)
    parents, tokens = places // per_parent, tokens.reshape(open_, -1)[rows, places]
    gains = best.reshape(open_, -1)[rows, places] if given is logits else given.take(parents, tokens)
    return Extensions(scores[rows, places], parents, tokens, gains)


def rank(scores: np.ndarray, k: int) -> np.ndarray:
    """Where the k best of each row stand, best first; of those that are equal on the grid the first."""
    width = scores.shape[1]
    keys = on_grid(scores) * -width + np.arange(width)
    keys.sort(1)
    places: np.ndarray = keys[:, :k] % width
    return places


def on_grid(scores: np.ndarray) -> np.ndarray:
    """Scores as whole numbers of grid steps; those that are no number come last."""
    found: np.ndarray = np.fmax(np.rint(scores / GRID), -(2.0**41)).astype(np.int64)
    return found


def normalize(log_probability: np.ndarray, length: np.ndarray | int, penalty: AnyPenalty) -> np.ndarray:
    """The score that hypotheses of `length` tokens (with </s>) compete by."""
    if penalty.kind == "none":
        return np.asarray(log_probability)
    if penalty.kind == "average":
        return np.asarray(log_probability / length)
    return np.asarray(log_probability / ((5 + np.asarray(length)) / 6) ** penalty.alpha)


def _collect(
    going: Open, extensions: Extensions, found: list[list[Hypothesis]], config: DecodingConfig, n_best: int
) -> None:
    """Keep the hypotheses that end here; only those that rank within the beam count."""
    width = config.beam_size
    ended = (extensions.tokens[:, :width] == EOS) & np.isfinite(extensions.scores[:, :width])
    rows, ranks = ended.nonzero()
    length = going.prefixes.tokens.shape[-1]  # <s> is not counted, </s> is
    scores = on_grid(normalize(extensions.scores[rows, ranks], length, config.length_penalty)) * GRID
    parents = extensions.parents[rows, ranks]
    texts = going.prefixes.tokens[rows, parents, 1:].tolist()
    gains = np.concatenate([going.gains[rows, parents], extensions.gains[rows, ranks, None]], -1).tolist()
    for row, text, gain, score in zip(rows.tolist(), texts, gains, scores.tolist(), strict=True):
        best = found[going.prefixes.sentences[row]]
        if len(best) < n_best or score > best[-1].score:
            best.append(Hypothesis(text, gain, score))
            best.sort(key=lambda hypothesis: -hypothesis.score)
            del best[n_best:]


def _advance(
    going: Open, extensions: Extensions, found: list[list[Hypothesis]], config: DecodingConfig, n_best: int
) -> None:
    """Go on with the best hypotheses that have not ended, in the sentences that are not finished."""
    scores = np.where(extensions.tokens == EOS, -np.inf, extensions.scores)
    places = rank(scores, config.beam_size)
    best = scores[np.arange(len(scores)), places[:, 0]]
    kept = (~_finished(going, best, found, config, n_best)).nonzero()[0]
    at = kept[:, None], places[kept]
    scores, parents, tokens, gains = scores[at], extensions.parents[at], extensions.tokens[at], extensions.gains[at]
    rows = kept[:, None] * going.scores.shape[1] + parents
    fewer = len(kept) < len(going.scores)
    if len(kept):
        going.state = going.state.select(rows, kept if fewer else None)
    going.prefixes = going.prefixes.extended(kept, parents, tokens)
    going.scores = scores
    going.gains = np.concatenate([going.gains[kept[:, None], parents], gains[..., None]], -1)


def _finished(
    going: Open, best_open: np.ndarray, found: list[list[Hypothesis]], config: DecodingConfig, n_best: int
) -> np.ndarray:
    """Whether no open hypothesis of a sentence can enter its n best any more.

    More tokens never make a log-probability larger, so the most that one can still reach is its log-probability now,
    normalised for the length that flatters it most: the limit.
    """
    reach = normalize(best_open, going.prefixes.limits, config.length_penalty)
    finished = [found[sentence] for sentence in going.prefixes.sentences]
    if config.beam_size == 1:  # greedy search: the first end is the end
        return np.asarray(np.array([bool(f) for f in finished]) | ~np.isfinite(reach))
    worst = [f[-1].score if len(f) >= n_best else -np.inf for f in finished]
    return np.asarray(~(on_grid(reach) * GRID > np.array(worst)) | ~np.isfinite(reach))
