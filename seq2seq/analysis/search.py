"""Search error or model error: what wider beams and length penalties find, beside what the model thinks of references.

Where the model scores the reference above what the search found, the search has missed a better translation; where it
scores its own translation higher, no wider beam can bring the reference back (Niehues et al. 2017). What any other
setting has found and scores higher is a search error too: so these counts are lower bounds of what exhaustive search
would show (Stahlberg & Byrne 2019), from whom the count of sentences whose empty translation scores higher is, too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seq2seq.data.tokenization import EOS, UNK
from seq2seq.decoding.forced import force
from seq2seq.decoding.search import GRID, normalize
from seq2seq.decoding.translation import Candidate
from seq2seq.decoding.translator import Trained, Translator
from seq2seq.errors import UserError
from seq2seq.evaluation.metrics import Given, legible, make_metric
from seq2seq.evaluation.significance import paired_test
from seq2seq.recipe import AnyPenalty, DecodingConfig

METRICS = ("bleu", "chrf")
ONE_STANDARD_ERROR = 0.317
"""The two-sided p-value of a difference of one standard error: below it a difference is more than noise here."""
OTHERS = ("sampling", "diversity", "mbr", "rescore", "language_model", "coverage_penalty")
"""Keys of `decoding` with which the search's best is not what the model scores highest."""


@dataclass(frozen=True)
class Outcome:
    """What one setting gives. Shares are of the sentences that can be told: see `Study.told`."""

    beam_size: int
    length_penalty: dict[str, Any]
    bleu: float
    chrf: float
    p_values: dict[str, float | None]
    """By metric, of the difference from the setting of the highest BLEU, by paired bootstrap; None: that one itself.
    Of no difference at all it says nothing."""
    length_ratio: float
    """Characters of the translations over those of the references."""
    reference_higher: float
    """The model scores the reference above the translation: a search error."""
    better_known: float
    """The reference, or what another setting found, scores higher: a search error too."""
    own_higher: float
    """The model scores its own translation above a reference that is another: a model error."""
    empty_higher: float
    """The model scores the empty translation above it."""
    seconds: float

    @property
    def penalty(self) -> str:
        """Such as wu 0.6."""
        return " ".join(f"{value}" for value in self.length_penalty.values())


@dataclass(frozen=True)
class Study:
    """All settings, and which of them is suggested."""

    sentences: int
    told: int
    """Of them those translated in one piece whose reference the model could write: within the longest translation, and
    without unknown tokens."""
    now: int
    """Which of the outcomes is that of the settings that the model has."""
    best: int
    """Which has the highest BLEU."""
    suggested: int
    outcomes: list[Outcome]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def check(base: DecodingConfig) -> None:
    """Raises UserError where what a model searches for is not what it scores highest."""
    for key in OTHERS:
        if getattr(base, key):
            raise UserError(f"decoding.{key}: with it the best is not what the model scores highest, and search errors "
                            f"cannot be told; add decoding.{key}={_without(key)}")  # fmt: skip


def settings(base: DecodingConfig, variants: Sequence[DecodingConfig]) -> list[DecodingConfig]:
    """The model's own settings and the variants, each once, by penalty and beam, greedy search first."""
    each = {(c.beam_size > 1, c.length_penalty.model_dump_json(), c.beam_size): c for c in (base, *variants)}
    return [config for _, config in sorted(each.items())]


def _without(key: str) -> str:
    return {"rescore": "[]", "coverage_penalty": "0"}.get(key, "null")


def study(
    model: Trained,
    sources: Sequence[str],
    references: Sequence[str],
    configs: Sequence[DecodingConfig],
    now: DecodingConfig,
    progress: Callable[[str], None] = lambda _: None,
) -> Study:
    """Translate with each setting, score the references and what was found.

    Args:
        sources, references: equally many lines, at least one.
        configs: of `settings`; among them `now`.
        progress: is told in a line what has been done.

    Raises:
        UserError: the model could write none of the references.
    """
    tokens = [[*ids, EOS] for ids in model.src_tokenizer.encode_batch(sources)]
    targets = [[*ids, EOS] for ids in model.tgt_tokenizer.encode_batch(references)]
    Translator(model, configs[0]).translate(sources[:4])  # what only the first translation takes is not timed
    found, seconds = [], []
    for i, config in enumerate(configs, 1):
        translator, since = Translator(model, config), time.perf_counter()
        translations = translator.translate(sources)
        seconds.append(time.perf_counter() - since)
        found.append([one.candidates[0] for one in translations])
        progress(f"{i} of {len(configs)}: beam {config.beam_size}, {describe(config.length_penalty)}: "
                 f"{seconds[-1]:.1f} s")  # fmt: skip
    limits = [int(len(ids) * now.max_length.ratio) + now.max_length.offset for ids in tokens]
    told = [
        i
        for i, (target, limit) in enumerate(zip(targets, limits, strict=True))
        if UNK not in target and 1 < len(target) <= limit and all(of[i].token_log_probabilities for of in found)
    ]
    if not told:
        raise UserError(f"the model can write none of these {len(sources):,} references: each has words that it does "
                        "not know, or is longer than decoding.max_length allows; raise --limit")  # fmt: skip
    kept = [tokens[i] for i in told]
    given = _scored(model, kept, [targets[i] for i in told]), _scored(model, kept, [[EOS] for _ in told])
    errors = _errors([[of[i] for i in told] for of in found], [targets[i] for i in told], given, configs)
    texts = [[one.text for one in of] for of in found]
    scores, p_values, best = _compared(texts, references, model.config.tgt)
    length = sum(map(len, references)) or 1
    outcomes = [
        Outcome(config.beam_size, config.length_penalty.model_dump(), scores[i][0], scores[i][1], p_values[i],
                sum(map(len, texts[i])) / length, *errors[i], seconds[i])
        for i, config in enumerate(configs)
    ]  # fmt: skip
    return Study(len(sources), len(told), list(configs).index(now), best, suggest(outcomes, best), outcomes)


def describe(penalty: AnyPenalty) -> str:
    """Such as length penalty wu 0.6."""
    return "length penalty " + " ".join(str(value) for value in penalty.model_dump().values())


def suggest(outcomes: Sequence[Outcome], best: int) -> int:
    """Of the settings within one standard error of the best, by each metric, the smallest beam; of those with equal
    beams the highest BLEU (the rule of one standard error: Breiman et al. 1984, section 3.4.3)."""
    top = outcomes[best]

    def near(one: Outcome, metric: str) -> bool:
        p_value = one.p_values[metric]  # of equal texts the smallest there is
        return getattr(one, metric) >= getattr(top, metric) or p_value is None or p_value >= ONE_STANDARD_ERROR

    chosen = [i for i, one in enumerate(outcomes) if all(near(one, metric) for metric in METRICS)]
    return min(chosen, key=lambda i: (outcomes[i].beam_size, -outcomes[i].bleu))


def _scored(model: Trained, sources: list[list[int]], targets: list[list[int]]) -> np.ndarray:
    """Log-probability of each target, and its length with </s> [2, sentences]."""
    logs = [math.fsum(forced.log_probabilities) for forced in force(model.scorer, sources, targets)]
    return np.array([logs, [len(target) for target in targets]], dtype=float)


def _errors(
    found: list[list[Candidate]],
    targets: list[list[int]],
    given: tuple[np.ndarray, np.ndarray],
    configs: Sequence[DecodingConfig],
) -> list[tuple[float, float, float, float]]:
    """Of each setting the shares of `Outcome`, from reference_higher to empty_higher.

    Args:
        given: of `_scored`: the references, and empty translations.
    """
    every = np.array([[(c.log_probability, len(c.tokens) + 1) for c in of] for of in found], dtype=float)
    equal = np.array([[[*c.tokens, EOS] == t for c, t in zip(of, targets, strict=True)] for of in found])
    shares = []
    for own, same, config in zip(every, equal, configs, strict=True):
        penalty = config.length_penalty
        mine = normalize(own[:, 0], own[:, 1], penalty) + GRID  # what is equal but for rounding is no error
        reference, empty = (normalize(logs, lengths, penalty) for logs, lengths in given)
        known = np.maximum(normalize(every[..., 0], every[..., 1], penalty).max(0), reference)
        higher = reference > mine
        parts = higher, known > mine, ~same & ~higher, empty > mine
        shares.append(tuple(float(part.mean()) for part in parts))
    return shares  # type: ignore[return-value]  # four each


def _compared(
    texts: list[list[str]], references: Sequence[str], language: str
) -> tuple[list[tuple[float, ...]], list[dict[str, float | None]], int]:
    """BLEU and chrF of each setting, the p-values against the best BLEU's, and which that is."""
    metrics = {name: make_metric(name, Given(language)) for name in METRICS}
    lines, gold = [legible(of, language) for of in texts], [legible(references, language)]
    bleu = [float(metrics["bleu"].corpus_score(of, gold).score) for of in lines]
    best = max(range(len(bleu)), key=bleu.__getitem__)
    order = [best, *(i for i in range(len(texts)) if i != best)]
    results = paired_test([(str(i), lines[i]) for i in order], gold, metrics)
    by_place = {metric: dict(zip(order, of_systems, strict=True)) for metric, (_, of_systems) in results.items()}
    scores = [tuple(by_place[metric][i].value for metric in METRICS) for i in range(len(texts))]
    return scores, [{metric: by_place[metric][i].p_value for metric in METRICS} for i in range(len(texts))], best
