"""Scores of a model in training: loss of the references, and BLEU of greedy translations."""

from __future__ import annotations

import math

import torch

from seq2seq import recipe
from seq2seq.data.batching import collate, plan_in_order_of_length
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import PAD, Tokenizer
from seq2seq.decoding.translator import search_all
from seq2seq.evaluation.metrics import score
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.loss import smoothed_cross_entropy


class Validator:
    """Scores models on the validation data.

    Args:
        language: of the target, for sacreBLEU's tokenizer.
        tokens: budget of a batch.
    """

    def __init__(
        self, pairs: PreparedPairs, tokenizer: Tokenizer, language: str, device: torch.device, tokens: int
    ) -> None:
        self.pairs, self.tokenizer, self.language, self.device = pairs, tokenizer, language, device
        src_lengths, tgt_lengths = pairs.lengths
        self.plan = plan_in_order_of_length(src_lengths, tgt_lengths, tokens)
        longest = max(1.5, float((tgt_lengths / src_lengths).max()))
        self.greedy = recipe.Decoding(beam_size=1, max_length=recipe.MaxLength(ratio=longest))
        self.references = pairs.tgt_texts()

    def __call__(self, model: Seq2Seq) -> dict[str, float]:
        """`loss` (nats a token), `perplexity`, `bleu` and `chrf`."""
        model.eval()
        loss = self._loss(model)
        sources = [ids.tolist() for ids in self.pairs.take(range(len(self.pairs)))[0]]
        found = search_all(model, sources, self.greedy, self.device, batch_size=64)
        hypotheses = [self.tokenizer.decode(best[0].tokens) for best in found]
        scores = score(hypotheses, self.references, ["bleu", "chrf"], self.language, bootstrap=0)
        return {"loss": loss, "perplexity": math.exp(min(loss, 100)), **{s.metric: s.value for s in scores}}

    @torch.inference_mode()
    def _loss(self, model: Seq2Seq) -> float:
        total, tokens = 0.0, 0
        for i in range(len(self.plan)):
            batch = collate(*self.pairs.take(self.plan[i])).to(self.device)
            states = model(batch.src, batch.src_lengths, batch.tgt_input)
            real = batch.tgt_output != PAD
            _, nll = smoothed_cross_entropy(model.logits(states[real]), batch.tgt_output[real], 0.0)
            total, tokens = total + nll.item(), tokens + batch.tgt_tokens
        return total / tokens
