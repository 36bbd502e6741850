"""Signs that a training goes wrong, from what a model does with the validation data; each with what to try."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.data.tokenization import PAD, UNK
from seq2seq.nn.seq2seq import Seq2Seq

POSITIONS = 20
"""Target positions of which the exposure gap is followed."""


def unknown_share(ids: Iterable[np.ndarray]) -> float:
    """Share of tokens that the vocabulary does not know."""
    joined = np.concatenate([*ids, np.zeros(0, np.int32)])
    return float((joined == UNK).mean()) if len(joined) else 0.0


@torch.inference_mode()
def exposure(
    model: Seq2Seq,
    src: Int[Tensor, "batch src_len"],
    src_lengths: Int[Tensor, " batch"],
    tgt_input: Int[Tensor, "batch tgt_len"],
    tgt_output: Int[Tensor, "batch tgt_len"],
) -> tuple[Float[Tensor, " positions"], Float[Tensor, " positions"], Float[Tensor, " positions"]]:
    """Right tokens by position, fed the reference and fed the model's own choices, and how many there were in all.

    The difference is what exposure bias costs (Ranzato et al. 2016); both are counted against
    the reference's token at the same position, so that a shift counts as an error.
    """
    real = tgt_output != PAD
    counts = []
    for forced in (1.0, 0.0):
        right = (model.logits(model(src, src_lengths, tgt_input, forced).states).argmax(-1) == tgt_output) & real
        counts.append(_by_position(right))
    return counts[0], counts[1], _by_position(real)


def _by_position(hits: Tensor) -> Tensor:
    sums = torch.zeros(POSITIONS)
    found = hits[:, :POSITIONS].sum(0).float().cpu()
    sums[: len(found)] = found
    return sums


@torch.inference_mode()
def attention_entropy(model: Seq2Seq, src: Int[Tensor, "1 src_len"], tgt_input: Int[Tensor, "1 tgt_len"]) -> float:
    """Mean entropy of a sentence's attention, as a share of that of an even one; NaN without attention."""
    memory = model.encode(src, torch.tensor([src.shape[1]], device=src.device))
    state, shares = model.start(memory), []
    for t in range(tgt_input.shape[1]):
        _, state = model.step(tgt_input[:, t : t + 1], state, memory)
        if state.attention is None:
            return float("nan")
        shares.append(float(torch.special.entr(state.attention.float()).sum()))
    return sum(shares) / len(shares) / math.log(max(2, src.shape[1]))


@dataclass(frozen=True)
class Rule:
    """A sign is well between `low` and `high`."""

    sign: str
    low: float
    high: float
    warning: str


RULES = (
    Rule("loss_to_chance", -math.inf, 1.1, "the loss is {:.3g} times that of an even guess over the vocabulary: "
         "training has diverged; lower optimizer.learning_rate or clip_norm"),
    Rule("distinct", 0.3, math.inf, "many sources get the same translation ({:.0%} as many different ones as in the "
         "references): the model does not look at the source; while the loss falls train longer, else lower "
         "optimizer.learning_rate or lengthen the warm-up"),
    Rule("repetition", -math.inf, 0.1, "{:.0%} of the translations repeat a phrase over and over; train longer, or set "
         "decoding.no_repeat_ngram_size"),
    Rule("copying", -math.inf, 0.2, "{:.0%} of the translations are copies of their source; look for untranslated "
         "pairs in the training data"),
    Rule("length_ratio", 0.7, math.inf, "translations are too short ({:.2f} of the references' length); train longer, "
         "look for targets in the training data that are cut off, or raise decoding.length_penalty.alpha"),
    Rule("length_ratio", 0, 1.4, "translations are too long ({:.2f} of the references' length); train longer, look for "
         "targets in the training data that say more than their sources, or lower decoding.max_length.ratio"),
    Rule("unknown", 0, 0.02, "{:.1%} of the validation data's tokens are unknown; use tokenizer kind bpe, or raise "
         "tokenizer.vocab_size"),
    Rule("attention_entropy", 0, 0.95, "attention is spread evenly ({:.0%} of the largest entropy): the decoder does "
         "not look; train longer, or try another attention kind"),
    Rule("exposure_gap", -math.inf, 0.5, "fed its own words the model is right in {:.0%} fewer places than fed the "
         "reference's; try training.teacher_forcing.ratio below 1"),
)  # fmt: skip


def warnings_of(signs: Mapping[str, Any]) -> list[str]:
    """What is wrong, and what to try, from the numbers of a validation; those it lacks are not looked at.

    Of a training that has diverged nothing else is told: the other signs follow from it, their advice does not help.
    """
    found = [rule for rule in RULES if rule.sign in signs and not rule.low <= signs[rule.sign] <= rule.high]
    told = found[:1] if found and found[0] is RULES[0] else found
    return [rule.warning.format(signs[rule.sign]) for rule in told]
