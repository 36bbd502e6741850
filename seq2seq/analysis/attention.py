"""Where a model looks: how sharply, by head and place; what it leaves out; how far from the alignments of people.

The model is made to write the references, so that gold alignments fit. Coverage, the attention that a source token
receives in all, is that of Tu et al. 2016; the alignment of a target word is the source word it looks at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2seq.analysis.gold import Agreement, Gold, agreement
from seq2seq.bundle import Bundle
from seq2seq.charts import Bar, Chart, Line, bar_chart, figure, line_chart
from seq2seq.data.batching import shifted
from seq2seq.data.tokenization import EOS
from seq2seq.decoding.words import by_words, links
from seq2seq.errors import UserError
from seq2seq.nn.attention import Attention, MultiHeadAttention

PLACES = 10
"""Tenths of a translation, by which entropy is told."""
MEAN = "mean of the heads"
LITTLE, MUCH = 0.2, 2.0
"""Coverage of a source token below and above which it counts as left out, or as looked at over and over."""
BINS = (0.0, 0.1, 0.2, 0.5, 0.8, 1.25, 2.0, 5.0)
"""Coverages, each up to the next."""


@dataclass(frozen=True)
class Head:
    """How one head of the attention looks; a model has one, or several and their mean."""

    name: str
    entropy: float
    """Of the weights at each target token, in nats, the mean."""
    words: float
    """exp(entropy): how many source tokens are looked at, as it were."""
    entropy_by_place: list[float | None]
    """By tenth of the translation; None where there is no token."""
    end: float
    """Share of the attention that goes to the source's </s>."""
    agreement: Agreement | None
    """With the gold alignments; None: there are none."""


@dataclass(frozen=True)
class Study:
    """What was found of a model's attention."""

    sentences: int
    heads: list[Head]
    coverage: list[int]
    """Source tokens by their coverage, in BINS."""
    left_out: float
    """Share of the source tokens with a coverage below LITTLE."""
    repeated: float
    """Share with a coverage above MUCH."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "coverage_from": BINS}


def study(bundle: Bundle, sources: Sequence[str], targets: Sequence[str], gold: Sequence[Gold] | None = None) -> Study:
    """Look at a model as it writes the targets.

    Args:
        sources, targets: equally many texts, at least one, none blank.
        gold: of each pair.

    Raises:
        UserError: the model has no attention.
    """
    if bundle.model.decoder.attention is None or not bundle.model.sees_source:
        raise UserError(f"{bundle.config.name}: has no attention to look at (model.decoder.attention: none)")
    looks = list(_looks(bundle, sources, targets))
    names = ["attention"] if len(looks[0]) == 1 else [MEAN, *(f"head {i}" for i in range(1, len(looks[0])))]
    heads = [_head(name, [look[i] for look in looks], bundle, (sources, targets), gold) for i, name in enumerate(names)]
    coverage = np.concatenate([look[0].sum(0)[:-1] for look in looks])
    counts, _ = np.histogram(coverage, [*BINS, np.inf])
    left_out, repeated = float((coverage < LITTLE).mean()), float((coverage > MUCH).mean())
    return Study(len(looks), heads, counts.tolist(), left_out, repeated)


def _looks(bundle: Bundle, sources: Sequence[str], targets: Sequence[str]) -> Iterator[np.ndarray]:
    """Of each pair the weights [heads, tgt_len, src_len]; of several heads their mean first."""
    model, device = bundle.model, bundle.model.output.weight.device
    attention = model.decoder.attention
    seen: list[Tensor] = []

    def watch(module: Attention, args: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        mean = output[1].unsqueeze(1)
        one_by_one = (
            module.head_weights(args[0], args[1], args[3]) if isinstance(module, MultiHeadAttention) else mean[:, :0]
        )
        seen.append(torch.cat([mean, one_by_one], 1)[0].float().cpu())

    assert attention is not None
    hook = attention.register_forward_hook(watch)
    try:
        with torch.no_grad():
            for source, target in zip(*_encoded(bundle, sources, targets), strict=True):
                seen.clear()
                src, tgt = (torch.tensor([ids], device=device) for ids in (source, target))
                model(src, torch.tensor([len(source)], device=device), shifted(tgt), with_attention=True)
                yield torch.cat(seen, 1).numpy()
    finally:
        hook.remove()


def _encoded(bundle: Bundle, sources: Sequence[str], targets: Sequence[str]) -> tuple[list[list[int]], ...]:
    sides = (bundle.src_tokenizer, sources), (bundle.tgt_tokenizer, targets)
    return tuple([[*ids, EOS] for ids in tokenizer.encode_batch(texts)] for tokenizer, texts in sides)


def _head(
    name: str, looks: Sequence[np.ndarray], bundle: Bundle, texts: tuple[Sequence[str], Sequence[str]],
    gold: Sequence[Gold] | None,
) -> Head:  # fmt: skip
    """Of one head's weights [tgt_len, src_len] of each pair."""
    entropies = [-(look * np.log(np.maximum(look, 1e-30))).sum(-1) for look in looks]
    places = [np.arange(len(look)) * PLACES // len(look) for look in looks]
    every, place = np.concatenate(entropies), np.concatenate(places)
    by_place = [float(every[place == i].mean()) if (place == i).any() else None for i in range(PLACES)]
    end = float(np.concatenate([look[:, -1] for look in looks]).mean())
    agreed = None
    if gold is not None:
        found = [_links(look, bundle, source, target) for look, source, target in zip(looks, *texts, strict=True)]
        agreed = agreement(found, gold)
    return Head(name, float(every.mean()), float(np.exp(every.mean())), by_place, end, agreed)


def _links(look: np.ndarray, bundle: Bundle, source: str, target: str) -> list[tuple[int, int]]:
    (src_places,), (tgt_places,) = bundle.src_tokenizer.words([source]), bundle.tgt_tokenizer.words([target])
    return links(by_words(look, src_places, tgt_places))


def attention_figure(found: Study) -> str:
    """SVG: entropy over the translation, a curve for each head; coverage."""
    lines = [
        Line(head.name, [((i + 0.5) / PLACES, e) for i, e in enumerate(head.entropy_by_place) if e is not None], i % 6)
        for i, head in enumerate(found.heads)
    ]
    total = max(1, sum(found.coverage))
    spans = [f"{low:g}" for low in BINS]
    bars = [
        Bar(span, f"{100 * count / total:.0f}", "", 100 * count / total)
        for span, count in zip(spans, found.coverage, strict=True)
    ]
    charts = [
        line_chart("Entropy of the attention, nats", lines, "share of the translation written"),
        bar_chart("% of source tokens, by coverage from ...", bars),
    ]
    return figure([chart for chart in charts if isinstance(chart, Chart)], columns=2)
