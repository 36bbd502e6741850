"""Scores of translations: BLEU, chrF and TER, all computed by sacreBLEU on detokenised text.

BLEU and chrF are cased; TER, by sacreBLEU's default, is not: its signature says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.errors import UserError
from seq2seq.languages import has_spaces, primary

METRICS = ("bleu", "chrf", "ter")
LABELS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}
HIGHEST = {"bleu": 100.0, "chrf": 100.0, "ter": math.inf}
LOWER_IS_BETTER = ("ter",)

TOKENIZERS = {
    **dict.fromkeys(("zh", "zho", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
}
SENTENCES_PER_BUCKET, MAX_BUCKETS = 30, 6


@dataclass(frozen=True)
class Score:
    """A corpus score and what is needed to believe it.

    Attributes:
        metric: one of METRICS.
        value: 0 to 100; higher is better, but for TER, which may pass 100, lower is.
        low: of the 95 % bootstrap interval as sacreBLEU reports it (mean of the resamples plus or minus half
            the width of their middle 95 %), cut where the metric ends: BLEU and chrF at 0 and 100, TER at 0;
            None when not asked for.
        high: likewise.
        signature: sacreBLEU's own, of this very number.
        sentences: how many were scored.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    signature: str
    sentences: int

    @property
    def label(self) -> str:
        """The metric's name as it is written: BLEU, chrF, TER."""
        return LABELS[self.metric]


@dataclass(frozen=True)
class LengthBucket:
    """The sentences whose source is `low` to `high` units long (words; characters where there are no spaces)."""

    low: int
    high: int
    count: int
    bleu: float

    @property
    def span(self) -> str:
        """Such as 11–15."""
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"


def to_dict(score: Score) -> dict[str, Any]:
    """For JSON; `Score(**to_dict(score)) == score`."""
    return asdict(score)


def bleu_tokenizer(language: str) -> str:
    """sacreBLEU's tokenizer for a target language; takes zh, zh_Hans, zh-TW, ZHO_Hans and the like."""
    return TOKENIZERS.get(primary(language), "13a")


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    metrics: Sequence[str],
    language: str,
    bootstrap: int = 1000,
    seed: int = 12345,
) -> list[Score]:
    """Corpus scores, one for each metric, in the order asked for.

    Args:
        hypotheses: one translation a line, detokenised.
        references: as many lines.
        metrics: of METRICS.
        language: of the target; decides BLEU's tokenizer.
        bootstrap: resamples behind the interval; 0: no interval.
        seed: of the resampling; sacreBLEU's default, so that its command line gives the same interval.

    Raises:
        UserError: the counts differ, there is nothing to score, a metric is unknown, MeCab is missing.
    """
    _check(hypotheses, references)
    return [_score(metric, hypotheses, references, language, bootstrap, seed) for metric in metrics]


def sentence_bleu(hypotheses: Sequence[str], references: Sequence[str], language: str) -> list[float]:
    """BLEU of each sentence (of the orders it has: 3 words have no 4-grams). Raises UserError as `score` does."""
    _check(hypotheses, references)
    bleu = _sacrebleu("bleu", language, effective_order=True)
    pairs = zip(_legible(hypotheses, language), _legible(references, language), strict=True)
    return [float(bleu.sentence_score(hypothesis, [reference]).score) for hypothesis, reference in pairs]


def sentence_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """chrF of each sentence: the better of the two for ranking them. Raises UserError as `score` does."""
    _check(hypotheses, references)
    chrf = CHRF()
    return [float(chrf.sentence_score(h, [r]).score) for h, r in zip(hypotheses, references, strict=True)]


def score_by_length(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], src: str, tgt: str
) -> list[LengthBucket]:
    """BLEU of short, middling and long sources.

    The buckets hold about equally many sentences, so that their scores are about equally certain; there are fewer
    of them when there are few sentences. BLEU is of the n-gram orders that a bucket has, so that a bucket of
    perfectly translated two-word phrases has 100, not 0.

    Args:
        sources, hypotheses, references: equally many lines.
        src: language of the sources; decides what their length is counted in.
        tgt: language of the references; decides BLEU's tokenizer.
    """
    _check(hypotheses, references)
    if len(sources) != len(references):
        raise UserError(f"{len(sources):,} sources, but {len(references):,} references: they must match line by line")
    hypotheses, references = _legible(hypotheses, tgt), _legible(references, tgt)
    bleu = _sacrebleu("bleu", tgt, effective_order=True)
    lengths = np.array([sentence_length(source, src) for source in sources])
    buckets = min(MAX_BUCKETS, max(1, len(lengths) // SENTENCES_PER_BUCKET))
    shares = np.linspace(0, 1, buckets + 1)[1:]
    highs = np.unique(np.quantile(lengths, shares, method="higher"))
    low, result = int(lengths.min()), []
    for high in highs.tolist():
        chosen = np.flatnonzero((low <= lengths) & (lengths <= high)).tolist()
        value = bleu.corpus_score([hypotheses[i] for i in chosen], [[references[i] for i in chosen]]).score
        result.append(LengthBucket(low, high, len(chosen), float(value)))
        low = high + 1
    return result


def sentence_length(sentence: str, language: str) -> int:
    """Words, or characters in a language without spaces."""
    words = sentence.split()
    return len(words) if has_spaces(language) else sum(map(len, words))


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    counts = f"{len(hypotheses):,} hypotheses and {len(references):,} references"
    if len(hypotheses) != len(references):
        raise UserError(f"cannot score {counts}: they must match line by line")
    if not hypotheses:
        raise UserError(f"cannot score {counts}: there is nothing to score")


def _sacrebleu(metric: str, language: str, effective_order: bool = False) -> Metric:
    """sacreBLEU's own metric object: chrF and TER by its defaults, BLEU with the language's tokenizer."""
    if metric == "chrf":
        return CHRF()
    if metric == "ter":
        return TER()
    if metric != "bleu":
        raise UserError(f"no metric {metric!r}: choose from {', '.join(METRICS)}")
    tokenizer = bleu_tokenizer(language)
    try:
        return BLEU(tokenize=tokenizer, effective_order=effective_order)
    except RuntimeError as error:
        mend = f"pip install 'sacrebleu[{tokenizer.split('-')[0]}]'"
        raise UserError(f"BLEU of {language!r} needs MeCab, which does not start here: {mend}") from error


def _legible(lines: Sequence[str], language: str) -> Sequence[str]:
    """MeCab, written in C, stops reading at a NUL and refuses half a surrogate pair; others take any line."""
    if "mecab" not in bleu_tokenizer(language):
        return lines
    return [line.replace("\0", " ").encode("utf-8", "replace").decode() for line in lines]


def _score(
    metric: str, hypotheses: Sequence[str], references: Sequence[str], language: str, bootstrap: int, seed: int
) -> Score:
    """One metric. The statistics of the sentences are gathered once, for the score and for its interval."""
    if metric == "bleu":
        hypotheses, references = _legible(hypotheses, language), _legible(references, language)
    computer = _sacrebleu(metric, language)
    statistics = computer._extract_corpus_statistics(hypotheses, [references])
    result = computer._aggregate_and_compute(statistics)
    low = high = None
    if bootstrap > 1:
        result.estimate_ci(_resample(computer, statistics, bootstrap, seed))
        low = max(0.0, float(result._mean - result._ci))
        high = min(HIGHEST[metric], float(result._mean + result._ci))
    return Score(metric, float(result.score), low, high, str(computer.get_signature()), len(hypotheses))


def _resample(computer: Metric, statistics: list[list[float]], bootstrap: int, seed: int) -> list[Any]:
    """sacreBLEU's bootstrap with the seed as an argument, a resample at a time.

    Its own takes the seed from the environment alone and holds all resamples in memory at once: 7 GB for 100,000
    sentences. The random numbers, and so the intervals, are the same; a test compares them with its command line.
    """
    computer.n_bootstrap, computer.seed = bootstrap, str(seed)  # for the signature
    generator = np.random.default_rng(seed)
    table, count = np.array(statistics, dtype=np.float32), len(statistics)
    draws = (generator.choice(count, size=count, replace=True) for _ in range(bootstrap))
    results = [computer._compute_score_from_stats(table[draw].sum(0)) for draw in draws]
    for result in results:
        result.score = float(result.score)  # estimate_ci stumbles over a mixture of float and float32, as TER's can be
    return results
