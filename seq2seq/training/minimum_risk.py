"""Minimum-risk training (Shen et al. 2016): to lower what the model's translations cost, on average.

For each source x, S(x) is some of the translations that the model samples, with the reference
where the recipe wants it; y in S(x) costs cost(y), here 1 - sentence BLEU. The risk is

    R(x) = sum over y in S(x) of Q(y) cost(y),   Q(y) = p(y | x)^alpha / sum over y' in S(x) of p(y' | x)^alpha

(equations 11 and 12), and its gradient, with respect to each log p(y | x),

    alpha * Q(y) * (cost(y) - R(x))

(equation 13). What is minimised is R(x) / alpha over the reference's tokens: alpha then sets how
sharp Q is and not how long the gradient is, which is of the token loss's size. So the optimizer's
running means, the clipping and the token loss's weight keep their meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq import recipe
from seq2seq.data.batching import Batch, pad, shifted
from seq2seq.data.tokenization import PAD, Tokenizer
from seq2seq.decoding.sampling import sample
from seq2seq.evaluation.metrics import sentence_bleu
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training.loss import output_log_probabilities

Tokens = Sequence[int]
Cost = Callable[[Sequence[Tokens], Sequence[Tokens]], list[float]]
"""How bad translations are, each beside its reference; both as tokens."""


def bleu_cost(tokenizer: Tokenizer, language: str) -> Cost:
    """1 - sentence BLEU, by sacreBLEU on detokenised text (0 to 1)."""

    def cost(translations: Sequence[Tokens], references: Sequence[Tokens]) -> list[float]:
        hypotheses, wanted = ([tokenizer.decode(ids) for ids in side] for side in (translations, references))
        return [1 - score / 100 for score in sentence_bleu(hypotheses, wanted, language)]

    return cost


class Risk:
    """The risk of a batch's sources.

    Samples are drawn as the model translates, without dropout: it is those translations that are
    to become better. They are scored with dropout, without which little data would soon be learnt
    by heart; with a small alpha Q hardly feels its noise. A source is read once for all its
    candidates, and with one mask.
    """

    def __init__(self, config: recipe.MinimumRiskConfig, model: Seq2Seq, cost: Cost) -> None:
        self.config, self.model, self.cost = config, model, cost

    def __call__(self, batch: Batch) -> Float[Tensor, " batch"]:
        """R(x) of each source, differentiable."""
        references = _sentences(batch.tgt_output)
        candidates = self._candidates(batch, references)
        sources = [i for i, some in enumerate(candidates) for _ in some]
        places = [place for some in candidates for place in range(len(some))]
        every = [candidate for some in candidates for candidate in some]
        costs = torch.tensor(self.cost(every, [references[i] for i in sources]), device=batch.src.device)
        scores = self.log_probabilities(batch, every, sources)
        table = scores.new_full((len(candidates), 1 + max(places)), -torch.inf)
        where = tuple(torch.tensor(indices, device=scores.device) for indices in (sources, places))
        table_of_costs = torch.zeros_like(table).index_put(where, costs.to(table.dtype))
        return expected_cost(table.index_put(where, scores), table_of_costs, self.config.alpha)

    def weighted(self, token_loss: Tensor, risk: Tensor) -> Tensor:
        """What is minimised, of the token loss and the risk, each over the reference's tokens."""
        share = self.config.token_weight
        if share == 0:
            token_loss = token_loss.detach()  # for the log alone: no backward pass
        return share * token_loss + (1 - share) * risk / self.config.alpha

    def log_probabilities(
        self, batch: Batch, translations: Sequence[Tokens], sources: Sequence[int]
    ) -> Float[Tensor, " translations"]:
        """log p(y | x) of translations, each of the source in its row of the batch."""
        device = batch.src.device
        targets = pad(translations)[0].to(device)
        real = targets != PAD
        rows = torch.tensor(sources, device=device)
        states = self.model(batch.src, batch.src_lengths, shifted(targets), sources=rows).states
        found = output_log_probabilities(states[real], self.model.output, targets[real])
        return found.new_zeros(real.shape).masked_scatter(real, found).sum(-1)

    def _candidates(self, batch: Batch, references: Sequence[Tokens]) -> list[list[Tokens]]:
        """S(x) of each source: no two candidates of the same tokens."""
        lengths = (batch.tgt_output != PAD).sum(-1)
        limits = (lengths * self.config.max_length_ratio).long()
        self.model.eval()
        drawn = sample(self.model, batch.src, batch.src_lengths, limits, self.config.samples)
        self.model.train()
        first = [[reference] if self.config.reference else [] for reference in references]
        return [
            [list(tokens) for tokens in dict.fromkeys(map(tuple, [*some, *_sentences(samples)]))]
            for some, samples in zip(first, drawn, strict=True)
        ]


def expected_cost(
    log_probabilities: Float[Tensor, "batch candidates"], costs: Float[Tensor, "batch candidates"], alpha: float
) -> Float[Tensor, " batch"]:
    """R(x) of each source (Shen et al. 2016, equations 11 and 12); log-probabilities are -inf where there is no
    candidate."""
    return (torch.softmax(alpha * log_probabilities, -1) * costs).sum(-1)


def _sentences(padded: Tensor) -> list[list[int]]:
    """The rows [rows, length] as token lists, without their padding."""
    lengths = (padded != PAD).sum(-1).tolist()
    return [row[:length] for row, length in zip(padded.tolist(), lengths, strict=True)]
