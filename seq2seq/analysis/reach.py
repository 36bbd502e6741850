"""How far a trained model's gradients reach: from one of its outputs back to the words before and behind.

The norm of a gradient with respect to a word's embedding is how much that word counts, to first order (Ding et al.
2019 read alignments from it). By distance it shows how far recurrence carries, as docs/gradients.md does for cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seq2seq.bundle import Bundle
from seq2seq.charts import Chart, Line, figure, line_chart
from seq2seq.data.batching import shifted
from seq2seq.data.tokenization import EOS, SPECIAL

FURTHEST = 24
"""Tokens."""
SMALLEST = 1e-12


@dataclass(frozen=True)
class Reach:
    """Mean gradient norms by distance in tokens, from 0, each as a share of that at distance 0.

    Attributes:
        decoder: of a loss at the last token with respect to the target tokens that the decoder has read.
        before, behind: of the encoder's output at a token with respect to the source tokens before it, and behind it;
            empty where the model sees no source.
    """

    decoder: list[float]
    before: list[float]
    behind: list[float]


def loss_gradients(bundle: Bundle, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Leave in the model the gradient of its mean loss a token, over all pairs, without dropout."""
    model = bundle.model
    pairs = list(zip(*_encoded(bundle, sources, targets), strict=True))
    tokens = sum(len(target) for _, target in pairs)
    model.zero_grad(set_to_none=True)
    with torch.backends.cudnn.flags(enabled=False):  # whose kernels have no gradient but in training
        for source, target in pairs:
            states, tgt = _states(bundle, source, target)
            (F.cross_entropy(model.logits(states), tgt, reduction="sum") / tokens).backward()


def reach(bundle: Bundle, sources: Sequence[str], targets: Sequence[str], seed: int = 1) -> Reach:
    """Follow gradients back.

    The loss is that of a word drawn at random, for a trained model has next to none at the right ones; the encoder's
    output is seen in a random direction.

    Args:
        sources, targets: equally many texts, at least one.
    """
    model, device = bundle.model, bundle.model.output.weight.device
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, dict[int, list[float]]] = {side: defaultdict(list) for side in ("decoder", "before", "behind")}
    embedded: list[Tensor] = []
    tables = {model.src_embedding, model.tgt_embedding}
    hooks = [table.register_forward_hook(lambda *given: embedded.append(given[2])) for table in tables]
    try:
        with torch.backends.cudnn.flags(enabled=False):
            for source, target in zip(*_encoded(bundle, sources, targets), strict=True):
                embedded.clear()
                states, _ = _states(bundle, source, target)
                word = torch.randint(len(SPECIAL), model.output.out_features, (1,), generator=generator).to(device)
                loss = F.cross_entropy(model.logits(states[-1:]), word)
                _note(found["decoder"], loss, embedded[-1], len(target) - 1, -1)
                if model.sees_source:
                    embedded.clear()
                    src = torch.tensor([source], device=device)
                    outputs = model.encode(src, torch.tensor([len(source)], device=device)).outputs[0]
                    place = len(source) // 2
                    direction = F.normalize(torch.randn(outputs.shape[-1], generator=generator), dim=0).to(outputs)
                    seen = outputs[place] @ direction
                    _note(found["before"], seen, embedded[-1], place, -1, keep=True)
                    _note(found["behind"], seen, embedded[-1], place, 1)
    finally:
        for hook in hooks:
            hook.remove()
    return Reach(*(_means(of) for of in found.values()))


def _encoded(bundle: Bundle, sources: Sequence[str], targets: Sequence[str]) -> list[list[list[int]]]:
    sides = (bundle.src_tokenizer, sources), (bundle.tgt_tokenizer, targets)
    return [[[*ids, EOS] for ids in tokenizer.encode_batch(texts)] for tokenizer, texts in sides]


def _states(bundle: Bundle, source: list[int], target: list[int]) -> tuple[Tensor, Tensor]:
    """The attentional states before each target token [tgt_len, output], and those tokens."""
    device = bundle.model.output.weight.device
    src, tgt = (torch.tensor([ids], device=device) for ids in (source, target))
    output = bundle.model(src, torch.tensor([len(source)], device=device), shifted(tgt))
    return output.states[0], tgt[0]


def _note(
    found: dict[int, list[float]], value: Tensor, embedded: Tensor, place: int, step: int, keep: bool = False
) -> None:
    """Norms of a value's gradient at a place and those on one side of it."""
    (gradient,) = torch.autograd.grad(value, embedded, retain_graph=keep)
    norms = gradient[0].norm(dim=-1).tolist()
    side = norms[place::step] if step > 0 else norms[: place + 1][::-1]
    for distance, norm in enumerate(side[: FURTHEST + 1]):
        found[distance].append(norm)


def _means(found: dict[int, list[float]]) -> list[float]:
    means = [sum(of) / len(of) for of in found.values()]
    return [mean / max(means[0], SMALLEST) for mean in means]


def reach_figure(found: Reach) -> str:
    """SVG: what is left of a gradient by distance."""
    sides = {"target tokens before": found.decoder, "source tokens before": found.before,
             "source tokens behind": found.behind}  # fmt: skip
    lines = [
        Line(name, [(float(i), max(value, SMALLEST)) for i, value in enumerate(values)], i)
        for i, (name, values) in enumerate(sides.items())
        if values
    ]
    chart = line_chart("Gradient, of that at the word itself", lines, "tokens away", log_y=True)
    return figure([chart] if isinstance(chart, Chart) else [], columns=1)
