"""Ancestral sampling: translations drawn from the model's own distribution, token by token."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.data.tokenization import BOS, EOS, PAD, UNK
from seq2seq.decoding.model_scorer import Model

NEVER_WRITTEN = (PAD, BOS, UNK)


@torch.no_grad()
def sample(
    model: Model,
    src: Int[Tensor, "batch src_len"],
    src_lengths: Int[Tensor, " batch"],
    limits: Int[Tensor, " batch"],
    count: int,
) -> Int[Tensor, "batch count length"]:
    """So many translations of each sentence, with </s>, padded behind; some of them may be the same.

    <pad>, <s> and <unk> are never written, as in beam search: the other tokens share their probability.

    Args:
        limits: longest translations, in tokens with </s>, at least 1: there nothing else can follow.
    """
    memory = model.encode(src, src_lengths)
    going = torch.arange(len(src), device=src.device)
    places = torch.arange(count, device=src.device)
    state = model.start(memory).select(going.unsqueeze(1).expand(-1, count))
    tokens = torch.full((len(src), count), BOS, device=src.device)
    written = torch.full((len(src), count, int(limits.max())), PAD, device=src.device)
    for t in range(written.shape[-1]):
        logits, state = model.step(tokens, state, memory)
        ended = (tokens == EOS) | (tokens == PAD)
        tokens = draw(logits, limits[going] == t + 1).masked_fill(ended, PAD)
        written[going, :, t] = tokens
        kept = ((tokens != EOS) & (tokens != PAD)).any(-1).nonzero().flatten()
        if len(kept) == 0:
            break
        if len(kept) < len(going):  # sentences whose translations have all ended leave the batch
            going, tokens, memory = going[kept], tokens[kept], memory.select(kept)
            state = state.select(kept.unsqueeze(1) * count + places)
    return written


def draw(logits: Float[Tensor, "batch count vocab"], last: Bool[Tensor, " batch"]) -> Int[Tensor, "batch count"]:
    """The next token of each translation, by chance; </s> where it is the last one that fits.

    By the cumulative distribution: one random number a token, not one for each word of the
    vocabulary as in torch.multinomial, which takes 30 times as long on a CPU.
    """
    logits = logits.float().index_fill(-1, torch.tensor(NEVER_WRITTEN, device=logits.device), -torch.inf)
    cumulative = torch.softmax(logits, -1).cumsum(-1)
    chance = torch.rand(*logits.shape[:-1], 1, device=logits.device) * cumulative[..., -1:]
    tokens = torch.searchsorted(cumulative, chance, right=True).squeeze(-1)
    # Rounding can bring a chance up to the sum itself, which lies behind the last token.
    return tokens.clamp_max(logits.shape[-1] - 1).masked_fill(last.unsqueeze(-1), EOS)
