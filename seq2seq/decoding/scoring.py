"""Running given translations through the model: how likely each token is, and where the model looks as it writes it."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.batching import pad, shifted
from seq2seq.nn.seq2seq import Seq2Seq

Tokens = Sequence[int]


@torch.no_grad()
def score(
    model: Seq2Seq, sources: Sequence[Tokens], targets: Sequence[Tokens], batch_size: int = 32
) -> list[list[float]]:
    """log p of each token of each translation, in nats, in eval mode.

    Args:
        sources, targets: tokens with </s>, pair by pair.
    """
    found: list[list[float]] = [[] for _ in sources]
    for i, values, _ in _read(model, sources, targets, batch_size, with_attention=False):
        found[i] = values
    return found


@torch.no_grad()
def score_and_look(
    model: Seq2Seq, sources: Sequence[Tokens], targets: Sequence[Tokens], batch_size: int = 32
) -> list[tuple[list[float], Float[Tensor, "tgt_len src_len"] | None]]:
    """What `score` and `attention_weights` give of each pair, in one pass."""
    found: list[tuple[list[float], Tensor | None]] = [([], None) for _ in sources]
    for i, values, weights in _read(model, sources, targets, batch_size, with_attention=True):
        found[i] = values, weights
    return found


def _read(
    model: Seq2Seq,
    sources: Sequence[Tokens],
    targets: Sequence[Tokens],
    batch_size: int,
    with_attention: bool,
) -> Iterator[tuple[int, list[float], Tensor | None]]:
    """Pairs of like length together: the number of each, its tokens' log p, its attention if wanted."""
    device = model.output.weight.device
    order = sorted(range(len(sources)), key=lambda i: (len(sources[i]), len(targets[i])))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        src, lengths = pad([sources[i] for i in rows])
        tgt = pad([targets[i] for i in rows])[0].to(device)
        output = model(src.to(device), lengths.to(device), shifted(tgt), with_attention=with_attention)
        logits = model.logits(output.states)
        logits = logits if logits.dtype == torch.double else logits.float()
        taken = logits.gather(-1, tgt.unsqueeze(-1)).squeeze(-1) - torch.logsumexp(logits, -1)
        weights = None if output.attention is None else output.attention.float().cpu()
        for row, (i, values) in enumerate(zip(rows, taken.tolist(), strict=True)):
            places = len(targets[i]), len(sources[i])
            yield i, values[: places[0]], None if weights is None else weights[row, : places[0], : places[1]]


@torch.no_grad()
def attention_weights(model: Seq2Seq, src: Tokens, tgt: Tokens) -> Float[Tensor, "tgt_len src_len"] | None:
    """The attention over the source at each target token; None for a model without attention.

    Args:
        src, tgt: tokens with </s>.
    """
    device = model.output.weight.device
    source, length = torch.tensor([src], device=device), torch.tensor([len(src)], device=device)
    weights = model(source, length, shifted(torch.tensor([tgt], device=device)), with_attention=True).attention
    return None if weights is None else weights[0].float().cpu()
