"""Scores of a model in training: loss of the references, BLEU of greedy translations, and signs of ill health."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from seq2seq import recipe
from seq2seq.data.batching import Batch, collate, plan_in_order_of_length
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import PAD, Tokenizer
from seq2seq.decoding.model_scorer import ModelScorer
from seq2seq.decoding.search import search_all
from seq2seq.decoding.translator import make_processors
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.evaluation.metrics import score
from seq2seq.evaluation.text_signs import text_signs
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training import health
from seq2seq.training.loss import smoothed_cross_entropy

EXPOSED_BATCHES = 8
"""Of the validation data, for what is slow to measure."""


class Validator:
    """Scores models on the validation data.

    Args:
        language: of the target, for sacreBLEU's tokenizer.
        tokens: budget of a batch.
        metrics: sacreBLEU's, of greedy translations; none: nothing is translated, as with a language model.
        processes: those that share the work; all of them get the same scores.
    """

    def __init__(
        self,
        pairs: PreparedPairs,
        tokenizer: Tokenizer,
        language: str,
        tokens: int,
        metrics: Sequence[str] = ("bleu", "chrf"),
        processes: Processes = SINGLE_PROCESS,
    ) -> None:
        self.pairs, self.tokenizer, self.language = pairs, tokenizer, language
        self.processes, self.device = processes, processes.device
        self.metrics = metrics
        src_lengths, tgt_lengths = pairs.lengths
        self.plan = plan_in_order_of_length(src_lengths, tgt_lengths, tokens)
        longest = max(1.5, float((tgt_lengths / src_lengths).max()))
        self.greedy = recipe.DecodingConfig(beam_size=1, max_length=recipe.MaxLengthConfig(ratio=longest))
        self.sources, self.references = pairs.src_texts(), pairs.tgt_texts()
        self.unknown = health.unknown_share([ids for side in pairs.take(range(len(pairs))) for ids in side])

    def __call__(self, model: Seq2Seq) -> dict[str, Any]:
        """`loss` (nats a token), `perplexity`, `accuracy` (of tokens, fed the reference's), the metrics,
        and the signs of `evaluation.health`."""
        model.eval()
        references = self._of_references(model)
        return {
            **references,
            **(self._of_translations(model) if self.metrics else {}),
            "unknown": self.unknown,
            "loss_to_chance": references["loss"] / math.log(len(self.tokenizer)),
            **self._exposure(model),
        }

    def _of_translations(self, model: Seq2Seq) -> dict[str, float]:
        sources = [ids.tolist() for ids in self.pairs.take(range(len(self.pairs)))[0]]
        scorer, processors = ModelScorer(model, self.device), make_processors(self.greedy, self.tokenizer)
        found = search_all(scorer, self.processes.share(sources), self.greedy, processors, batch_size=64)
        hypotheses = self.processes.gather([self.tokenizer.decode(best[0].tokens) if best else "" for best in found])
        scores = score(hypotheses, self.references, self.metrics, self.language, bootstrap=0)
        return {
            **{s.metric: s.value for s in scores},
            **text_signs(self.sources, hypotheses, self.references),
        }

    @torch.inference_mode()
    def _of_references(self, model: Seq2Seq) -> dict[str, float]:
        total, right, tokens = 0.0, 0, 0
        for batch in self._batches(len(self.plan)):
            states = model(batch.src, batch.src_lengths, batch.tgt_input).states
            real = batch.tgt_output != PAD
            logits, targets = model.logits(states[real]), batch.tgt_output[real]
            _, nll = smoothed_cross_entropy(logits, targets, 0.0)
            right += int((logits.argmax(-1) == targets).sum())
            total, tokens = total + nll.item(), tokens + batch.tgt_tokens
        nats, hits, count = self.processes.sum([total, right, tokens])
        loss = nats / count
        return {"loss": loss, "perplexity": math.exp(min(loss, 100)), "accuracy": 100 * hits / count}

    def _exposure(self, model: Seq2Seq) -> dict[str, Any]:
        """By target position the share of right tokens, fed the reference's and fed the model's own; their mean
        difference; the attention's entropy. Of some batches only."""
        forced = free = count = torch.zeros(health.POSITIONS)
        entropies = []
        for batch in self._batches(EXPOSED_BATCHES):
            parts = health.exposure(model, batch.src, batch.src_lengths, batch.tgt_input, batch.tgt_output)
            forced, free, count = forced + parts[0], free + parts[1], count + parts[2]
            src, tgt = batch.src[:1, : int(batch.src_lengths[0])], batch.tgt_input[:1]
            entropies.append(health.attention_entropy(model, src, tgt))
        sums = self.processes.sum([*forced.tolist(), *free.tolist(), *count.tolist(), sum(entropies), len(entropies)])
        forced, free, count = torch.tensor(sums[:-2]).view(3, health.POSITIONS)
        seen = count > 0
        by_position = [(part[seen] / count[seen]).tolist() for part in (forced, free)]
        signs: dict[str, Any] = {"forced_accuracy": by_position[0], "free_accuracy": by_position[1]}
        signs["exposure_gap"] = ((forced - free).sum() / count.sum()).item()
        entropy = sums[-2] / sums[-1]
        return signs | ({} if math.isnan(entropy) else {"attention_entropy": entropy})

    def _batches(self, limit: int) -> Iterator[Batch]:
        """This process's share of some `limit` batches, spread over all lengths."""
        every = max(1, len(self.plan) // limit)
        for i in self.processes.share(range(0, len(self.plan), every)):
            yield collate(*self.pairs.take(self.plan[i])).to(self.device)
