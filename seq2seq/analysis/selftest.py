"""What a search promises, proved on a trained model: each check tells the first difference that it finds."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from seq2seq import recipe
from seq2seq.bundle import Bundle
from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.forced import force
from seq2seq.decoding.processors import Prefixes
from seq2seq.decoding.scorer import Logits
from seq2seq.decoding.scoring import score
from seq2seq.decoding.search import GRID, beam_search, normalize, search_all
from seq2seq.decoding.translation import Translation
from seq2seq.decoding.translator import Trained, Translator, check_n_best

Difference = str | None
"""The first thing that is not as promised; None: all is."""

BATCH_SIZES = (1, 7, 64)
WORDS, LIMIT = 4, 4
"""Of the pruned vocabulary, and the longest translation with </s>: 85 translations."""
TOLERANCE = 1e-3
"""Nats a sentence between two ways to compute the same in fp32."""
INT8_NATS = 0.1
"""Mean difference in nats a token that 8-bit products may make."""


def checks(models: Mapping[str, Trained], lines: Sequence[str]) -> Iterator[tuple[str, Difference]]:
    """Name and outcome of each check, as they are done.

    Args:
        models: the run as `run`; what is exported of it as `fp32` and `int8`, where it is.
        lines: source sentences.
    """
    own: list[tuple[str, Callable[[Trained, Sequence[str]], Difference]]] = [
        ("same output at batch sizes 1, 7 and 64", batch_sizes),
        ("same output in any order, and beside other sentences", company),
        ("beam 1 is greedy", greedy),
        ("n-best sorted and distinct", n_best),
        ("scores equal forced re-scoring", rescored),
        ("finds what exhaustive search finds", exhaustive),
    ]
    for name, model in models.items():
        if name != "int8":
            for title, check in own:
                yield f"{name}: {title}", check(model, lines)
    if "fp32" in models:
        yield "fp32: translations and scores of the run", same_as_run(models["run"], models["fp32"], lines)
    if "int8" in models:
        yield f"int8: within {INT8_NATS} nats a token of the run", near_run(models["run"], models["int8"], lines)


def batch_sizes(model: Trained, lines: Sequence[str]) -> Difference:
    """Whether the batch size changes a translation."""
    first, *others = [Translator(model, batch_size=size).translate(lines) for size in BATCH_SIZES]
    differences = (
        _different(lines, first, other, f"batch size {BATCH_SIZES[0]}", f"{size}")
        for size, other in zip(BATCH_SIZES[1:], others, strict=True)
    )
    return next((difference for difference in differences if difference), None)


def company(model: Trained, lines: Sequence[str]) -> Difference:
    """Whether the order of the lines, or what stands beside them, changes a translation."""
    translator = Translator(model)
    expected = translator.translate(lines)
    order = list(range(len(lines)))
    random.Random(1).shuffle(order)
    shuffled = translator.translate([lines[i] for i in order])
    back: list[Translation] = [shuffled[order.index(i)] for i in range(len(lines))]
    if difference := _different(lines, expected, back, "in order", "shuffled"):
        return difference
    strangers = [" ".join(lines[:3]), "a", *lines]
    beside = translator.translate([text for pair in zip(lines, itertools.cycle(strangers)) for text in pair])[::2]
    return _different(lines, expected, beside, "among themselves", "beside other sentences")


def _different(
    lines: Sequence[str], ours: Sequence[Translation], theirs: Sequence[Translation], one: str, other: str
) -> Difference:
    for i, (line, a, b) in enumerate(zip(lines, ours, theirs, strict=True), 1):
        if a.text != b.text:
            if abs(a.candidates[0].score - b.candidates[0].score) <= 2 * GRID:
                continue  # either may be the best: rounding decides
            return f"line {i}, {line[:60]!r}: {one} {a.text[:80]!r}, {other} {b.text[:80]!r}"
        if abs(a.candidates[0].log_probability - b.candidates[0].log_probability) > TOLERANCE:
            values = f"{a.candidates[0].log_probability:.6f}", f"{b.candidates[0].log_probability:.6f}"
            return f"line {i}, {line[:60]!r}: log-probability {one} {values[0]}, {other} {values[1]}"
    return None


def greedy(model: Trained, lines: Sequence[str]) -> Difference:
    """A beam of one against a loop that takes the likeliest token."""
    config = model.config.decoding.max_length
    sources = _encode(model, lines)
    short = _decoding(beam_size=1, max_length={"ratio": config.ratio, "offset": config.offset})
    found = search_all(model.scorer, sources, short, batch_size=16)
    for line, source, hypotheses in zip(lines, sources, found, strict=True):
        limit = int(len(source) * config.ratio) + config.offset
        likeliest = _likeliest(model, source, limit)
        tokens = hypotheses[0].tokens if hypotheses else []
        if tokens != likeliest:
            texts = model.tgt_tokenizer.decode(tokens), model.tgt_tokenizer.decode(likeliest)
            return f"{line[:60]!r}: beam 1 {texts[0][:80]!r}, greedy {texts[1][:80]!r}"
    return None


def _likeliest(model: Trained, source: list[int], limit: int) -> list[int]:
    state, tokens = model.scorer.start([source]), [BOS]
    while len(tokens) < limit:
        logits, state = model.scorer.step(np.array([[tokens[-1]]]), state)
        tokens.append(int(logits.log_probabilities()[0, 0].argmax()))
        if tokens[-1] == EOS:
            return tokens[1:-1]
    return tokens[1:]


def n_best(model: Trained, lines: Sequence[str]) -> Difference:
    """Candidates come best first, none twice."""
    for translation in _candidates(model, lines):
        texts = [candidate.text for candidate in translation.candidates]
        scores = [candidate.score for candidate in translation.candidates]
        if len(set(texts)) < len(texts):
            twice = next(text for i, text in enumerate(texts) if text in texts[:i])
            return f"{translation.source[:60]!r}: {twice[:80]!r} comes twice"
        if scores != sorted(scores, reverse=True):
            return f"{translation.source[:60]!r}: scores are not sorted: {scores}"
    return None


def rescored(model: Trained, lines: Sequence[str]) -> Difference:
    """Log-probabilities that the search reports against those of the same tokens, forced; of a run by the model itself,
    all tokens at once."""
    pairs = [(t.source, c) for t in _candidates(model, lines) for c in t.candidates if t.pieces == 1]
    sources, targets = _encode(model, [source for source, _ in pairs]), [[*c.tokens, EOS] for _, c in pairs]
    if isinstance(model, Bundle):
        logs = score(model.model, sources, targets)
    else:
        logs = [forced.log_probabilities for forced in force(model.scorer, sources, targets)]
    for (source, candidate), again in zip(pairs, logs, strict=True):
        value = math.fsum(again)
        if not abs(candidate.log_probability - value) <= TOLERANCE:
            values = f"searched {candidate.log_probability:.6f}, forced {value:.6f}"
            return f"{source[:60]!r}, {candidate.text[:80]!r}: log-probability {values}"
    return None


def exhaustive(model: Trained, lines: Sequence[str]) -> Difference:
    """A wide beam on a few words against every translation that they make."""
    for line in [line for line in lines if line.strip()][:4]:
        (source,) = _encode(model, [line])
        logits, _ = model.scorer.step(np.array([[BOS]]), model.scorer.start([source]))
        likeliest = np.argsort(-logits.log_probabilities()[0, 0], kind="stable")
        words = [int(token) for token in likeliest if token > EOS][:WORDS]
        texts = [list(text) for n in range(LIMIT) for text in itertools.product(words, repeat=n)]
        config = _decoding(beam_size=2 * len(texts), max_length={"ratio": 0.0, "offset": LIMIT}, length_penalty="wu")
        (hypotheses,) = beam_search(model.scorer, [source], config, [Only([*words, EOS])])
        forced = force(model.scorer, [source] * len(texts), [[*text, EOS] for text in texts])
        logs = [math.fsum(one.log_probabilities) for one in forced]
        scores = {
            tuple(text): float(normalize(np.array(log), len(text) + 1, config.length_penalty))
            for log, text in zip(logs, texts, strict=True)
        }
        best = max(scores, key=scores.__getitem__)
        found = tuple(hypotheses[0].tokens) if hypotheses else ()
        if not hypotheses or scores[found] < scores[best] - 2 * GRID:  # ties on the grid are free
            ours, theirs = model.tgt_tokenizer.decode(found), model.tgt_tokenizer.decode(best)
            return f"{line[:60]!r}: searching finds {ours!r}, trying all {theirs!r} ({scores[best]:.6f})"
    return None


class Only:
    """Only these tokens are possible."""

    changes_scores = False

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens

    def __call__(self, logits: Logits, prefixes: Prefixes) -> None:
        kept = logits.values[..., self.tokens] + 0
        logits.values[:] = -np.inf
        logits.values[..., self.tokens] = kept


def same_as_run(run: Trained, exported: Trained, lines: Sequence[str]) -> Difference:
    """Whether the exported model in fp32 translates and scores as the run does."""
    return _different(lines, Translator(run).translate(lines), Translator(exported).translate(lines), "run", "exported")


def near_run(run: Trained, exported: Trained, lines: Sequence[str]) -> Difference:
    """Whether the 8-bit model finds the run's translations as likely as the run does, but for rounding."""
    found = [(t.source, c) for t in Translator(run).translate(lines) for c in t.candidates if t.pieces == 1]
    sources, targets = _encode(run, [source for source, _ in found]), [[*c.tokens, EOS] for _, c in found]
    far = []
    for (source, candidate), forced in zip(found, force(exported.scorer, sources, targets), strict=True):
        nats = abs(math.fsum(forced.log_probabilities) - candidate.log_probability) / len(forced.log_probabilities)
        far.append((nats, source))
    mean = sum(nats for nats, _ in far) / max(1, len(far))
    if mean <= INT8_NATS:
        return None
    worst, line = max(far)
    return f"{mean:.3f} nats a token on average; furthest: {line[:60]!r}, {worst:.3f}"


def _candidates(model: Trained, lines: Sequence[str]) -> list[Translation]:
    config = model.config.decoding
    count = max(1, min(5, config.beam_size))
    check_n_best(count, config)
    return Translator(model).translate(lines, count)


def _encode(model: Trained, lines: Sequence[str]) -> list[list[int]]:
    return [[*tokens, EOS] for tokens in model.src_tokenizer.encode_batch(lines)]


def _decoding(**keys: object) -> recipe.DecodingConfig:
    plain = {"length_penalty": "none", "min_length": {"ratio": 0.0, "offset": 0}}
    return recipe.DecodingConfig.model_validate({**plain, **keys})
