"""Batched beam search over anything with `encode`, `start` and `step`.

A sentence is finished only when none of its open hypotheses can still overtake its best
finished ones; finished sentences leave the batch. A beam of one is greedy search.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq import recipe
from seq2seq.data.tokenization import BOS, EOS, PAD, UNK
from seq2seq.nn.decoder import DecoderState
from seq2seq.nn.encoder import Memory

NEVER_WRITTEN = (PAD, BOS, UNK)


@runtime_checkable
class Model(Protocol):
    """What beam search needs of a model (see `nn.seq2seq.Seq2Seq`)."""

    def encode(self, src: Tensor, src_lengths: Tensor) -> Memory: ...
    def start(self, memory: Memory) -> DecoderState: ...
    def step(self, tokens: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState]: ...


@dataclass(frozen=True)
class Hypothesis:
    """A finished translation."""

    tokens: list[int]
    """Without <s> and </s>."""
    log_probability: float
    """Of the tokens and of </s> after them, in nats."""
    score: float
    """The log-probability, normalised for length: what hypotheses compete by."""


@dataclass
class Search:
    """The sentences still being searched, all tensors in the same order."""

    memory: Memory
    state: DecoderState
    sentences: list[int]
    """Which of the batch each row is."""
    limits: Int[Tensor, " open"]
    """Longest hypothesis of each, in tokens with </s>."""
    scores: Float[Tensor, "open beam"]
    """Log-probabilities; -inf where there is no hypothesis."""
    tokens: Int[Tensor, "open beam length"]
    """The hypotheses so far."""
    finished: list[list[Hypothesis]] = field(default_factory=list)
    """By sentence of the batch, best first."""


@torch.inference_mode()
def beam_search(
    model: Model,
    src: Int[Tensor, "batch src_len"],
    src_lengths: Int[Tensor, " batch"],
    settings: recipe.DecodingConfig,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The n best finished hypotheses of each sentence, best first; no two have the same tokens.

    <pad>, <s> and <unk> are never written. At the length limit every hypothesis has to end.
    """
    memory = model.encode(src, src_lengths)
    limits = (src_lengths * settings.max_length.ratio).long() + settings.max_length.offset
    search = Search(
        memory,
        model.start(memory),
        list(range(len(src))),
        limits,
        torch.zeros(len(src), 1, device=src.device),
        torch.full((len(src), 1, 1), BOS, device=src.device),
        [[] for _ in range(len(src))],
    )
    length = 0
    while search.sentences:
        length += 1
        logits, state = model.step(search.tokens[:, :, -1], search.state, search.memory)
        search.state = state
        scores, parents, tokens = best_extensions(logits, search, settings.beam_size, length)
        _collect(search, scores, parents, tokens, settings, n_best)
        _advance(search, scores, parents, tokens, settings, n_best)
    return search.finished


def best_extensions(
    logits: Float[Tensor, "open beam vocab"], search: Search, beam_size: int, length: int
) -> tuple[Float[Tensor, "open candidates"], Int[Tensor, "open candidates"], Int[Tensor, "open candidates"]]:
    """The best 2 x beam one-token extensions of each sentence: log-probability, parent's place in the beam, token.

    Twice the beam, since up to half of them may end here, and as many must be left to go on.
    """
    vocab = logits.shape[-1]
    log_normalizer = torch.logsumexp(logits.float(), -1, keepdim=True)
    logits = logits.index_fill(-1, torch.tensor(NEVER_WRITTEN, device=logits.device), -torch.inf)
    last = (length >= search.limits).nonzero().flatten()
    if len(last) > 0:  # the last step: nothing but </s>
        ends = logits[last, :, EOS].clone()
        logits[last] = -torch.inf
        logits[last, :, EOS] = ends
    per_parent = min(2 * beam_size, vocab)
    best, tokens = top_k(logits.flatten(0, 1), per_parent)
    best = best.view(*logits.shape[:2], per_parent).float() - log_normalizer + search.scores.unsqueeze(-1)
    scores, places = best.flatten(1).topk(min(2 * beam_size, best[0].numel()), -1)
    return scores, places // per_parent, tokens.view(len(logits), -1).gather(1, places)


def top_k(values: Float[Tensor, "rows width"], k: int, block: int = 64) -> tuple[Tensor, Tensor]:
    """`values.topk(k)`, in two passes where that is faster: the k best are in the k blocks of the largest maxima."""
    rows, width = values.shape
    blocks = -(-width // block)
    if blocks < 4 * k or values.device.type != "cpu":
        return tuple(values.topk(k, -1))  # type: ignore[return-value]
    padded = torch.nn.functional.pad(values, (0, blocks * block - width), value=-torch.inf).view(rows, blocks, block)
    chosen = padded.amax(-1).topk(k, -1).indices
    inside = padded.gather(1, chosen.unsqueeze(-1).expand(-1, -1, block)).flatten(1)
    best, places = inside.topk(k, -1)
    return best, chosen.gather(1, places // block) * block + places % block


def normalize(log_probability: Tensor, length: Tensor | int, penalty: recipe.AnyPenalty) -> Tensor:
    """The score that hypotheses of `length` tokens (with </s>) compete by."""
    if penalty.kind == "none":
        return log_probability
    if penalty.kind == "average":
        return log_probability / length
    return log_probability / ((5 + torch.as_tensor(length, device=log_probability.device)) / 6) ** penalty.alpha


def _collect(
    search: Search, scores: Tensor, parents: Tensor, tokens: Tensor, settings: recipe.DecodingConfig, n_best: int
) -> None:
    """Keep the hypotheses that end here; only those that rank within the beam count."""
    width = settings.beam_size
    ended = (tokens[:, :width] == EOS) & scores[:, :width].isfinite()
    if not bool(ended.any()):
        return
    length = search.tokens.shape[-1]  # <s> is not counted, </s> is
    rows, ranks = ended.nonzero(as_tuple=True)
    log_probabilities = scores[rows, ranks]
    normalized = normalize(log_probabilities, length, settings.length_penalty).tolist()
    texts = search.tokens[rows, parents[rows, ranks], 1:].tolist()
    for row, text, log_probability, score in zip(
        rows.tolist(), texts, log_probabilities.tolist(), normalized, strict=True
    ):
        found = search.finished[search.sentences[row]]
        if len(found) < n_best or score > found[-1].score:
            found.append(Hypothesis(text, log_probability, score))
            found.sort(key=lambda hypothesis: -hypothesis.score)
            del found[n_best:]


def _advance(
    search: Search, scores: Tensor, parents: Tensor, tokens: Tensor, settings: recipe.DecodingConfig, n_best: int
) -> None:
    """Go on with the best hypotheses that have not ended, in the sentences that are not finished."""
    scores = scores.masked_fill(tokens == EOS, -torch.inf)
    scores, places = scores.topk(min(settings.beam_size, scores.shape[1]), -1)
    kept = (~_finished(search, scores[:, 0], settings, n_best)).nonzero().flatten()
    parents, tokens = parents.gather(1, places)[kept], tokens.gather(1, places)[kept]
    beam = search.tokens.shape[1]
    rows = kept.unsqueeze(1) * beam + parents
    history = search.tokens.flatten(0, 1)[rows]
    search.tokens = torch.cat([history, tokens.unsqueeze(-1)], -1)
    search.state = search.state.select(rows)
    search.scores = scores[kept]
    if len(kept) < len(search.sentences):
        search.memory = search.memory.select(kept)
        search.limits = search.limits[kept]
        search.sentences = [search.sentences[row] for row in kept.tolist()]


def _finished(
    search: Search, best_open: Float[Tensor, " open"], settings: recipe.DecodingConfig, n_best: int
) -> Bool[Tensor, " open"]:
    """Whether no open hypothesis of a sentence can enter its n best any more.

    More tokens never make a log-probability larger, so the most that one can still reach is
    its log-probability now, normalised for the length that flatters it most: the limit.
    """
    reach = normalize(best_open, search.limits, settings.length_penalty)
    found = [search.finished[sentence] for sentence in search.sentences]
    if settings.beam_size == 1:  # greedy search: the first end is the end
        return torch.tensor([bool(f) for f in found], device=reach.device) | ~reach.isfinite()
    worst = [f[-1].score if len(f) >= n_best else -torch.inf for f in found]
    return ~(reach > torch.tensor(worst, device=reach.device))
