"""Scores of translations: BLEU, chrF and TER by sacreBLEU, on detokenised text; COMET where the user has a model.

BLEU and chrF are cased; TER, by sacreBLEU's default, is not: its signature says so.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
from sacrebleu.utils import SACREBLEU_DIR

from seq2seq.errors import UserError
from seq2seq.evaluation.comet import comet as comet_metric
from seq2seq.evaluation.significance import paired_test
from seq2seq.languages import has_spaces, primary

TOKENIZERS = {
    **dict.fromkeys(("zh", "zho", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
}
SENTENCES_PER_BUCKET, MAX_BUCKETS = 30, 6


@dataclass(frozen=True)
class MetricInfo:
    """All that the toolkit knows of a metric; another one is a line of METRICS, and its name in the recipe's schema.

    Attributes:
        make: sacreBLEU's object.
        lowest, highest: the ends of its scale.
    """

    label: str
    make: Callable[[Given], Metric]
    lowest: float = 0.0
    highest: float = 100.0
    lower_is_better: bool = False


@dataclass(frozen=True)
class Given:
    """What metrics are made from, each as it needs.

    Attributes:
        language: of the target.
        lowercase: ignore case.
        sources: of the sentences that will be scored; None where they are not known.
        comet: the folder of COMET's model.
    """

    language: str
    lowercase: bool = False
    sources: Sequence[str] | None = None
    comet: Path | None = None


METRICS = {
    "bleu": MetricInfo("BLEU", lambda given: _bleu(given.language, given.lowercase)),
    "chrf": MetricInfo("chrF", lambda given: CHRF(lowercase=given.lowercase)),
    "chrf++": MetricInfo("chrF++", lambda given: CHRF(word_order=2, lowercase=given.lowercase)),
    "ter": MetricInfo("TER", lambda _: TER(), highest=math.inf, lower_is_better=True),
    "spbleu": MetricInfo("spBLEU", lambda given: _spbleu("flores200", given.lowercase)),
    "spbleu101": MetricInfo("spBLEU-101", lambda given: _spbleu("flores101", given.lowercase)),
    "comet": MetricInfo("COMET", lambda given: comet_metric(given.comet, given.sources), -math.inf, math.inf),
}
DEFAULT_METRICS = ("bleu", "chrf", "ter")


@dataclass(frozen=True)
class Score:
    """A corpus score and what is needed to believe it.

    Attributes:
        metric: a name from METRICS.
        value: 0 to 100; higher is better, but for TER, which may pass 100, lower is; COMET's models have no ends.
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
        return METRICS[self.metric].label


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


def bleu_tokenizer(language: str) -> str:
    """sacreBLEU's tokenizer for a target language; takes zh, zh_Hans, zh-TW, ZHO_Hans and the like."""
    return TOKENIZERS.get(primary(language), "13a")


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    metrics: Sequence[str],
    language: str,
    bootstrap: int = 1000,
    lowercase: bool = False,
    more_references: Sequence[Sequence[str]] = (),
    sources: Sequence[str] | None = None,
    comet: Path | None = None,
) -> list[Score]:
    """Corpus scores, one for each metric, in the order asked for.

    Args:
        hypotheses: one translation a line, detokenised.
        references: as many lines.
        metrics: names from METRICS.
        language: of the target; decides BLEU's tokenizer.
        bootstrap: resamples behind the interval; 0: no interval. Their seed is sacreBLEU's: 12345, or SACREBLEU_SEED.
        lowercase: ignore case.
        more_references: further reference translations, each as many lines.
        sources: as many lines; comet alone reads them.
        comet: the folder of its model.

    Raises:
        UserError: the counts differ, there is nothing to score, a metric is unknown or cannot be computed here.
    """
    for of_lines in (references, *more_references):
        _check(hypotheses, of_lines)
    every = [legible(lines, language) for lines in (references, *more_references)]
    given, ours = Given(language, lowercase, sources, comet), legible(hypotheses, language)
    return [_score(metric, ours, every, make_metric(metric, given), bootstrap) for metric in metrics]


def make_metric(metric: str, given: Given) -> Metric:
    """sacreBLEU's own metric object: chrF and TER by its defaults, BLEU with the language's tokenizer; or COMET.

    Raises:
        UserError: there is no such metric, or MeCab, a tokenizer's model, COMET, its model or the sources are missing.
    """
    if metric not in METRICS:
        raise UserError(f"no metric {metric!r}: choose from {', '.join(METRICS)}")
    return METRICS[metric].make(given)


def sentence_bleu(hypotheses: Sequence[str], references: Sequence[str], language: str) -> list[float]:
    """BLEU of each sentence (of the orders it has: 3 words have no 4-grams). Raises UserError as `score` does."""
    _check(hypotheses, references)
    bleu = _bleu(language, effective_order=True)
    pairs = zip(legible(hypotheses, language), legible(references, language), strict=True)
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
    return [
        LengthBucket(low, high, len(chosen), score_group(hypotheses, references, chosen, tgt))
        for low, high, chosen in length_groups(sources, src)
    ]


def length_groups(sources: Sequence[str], src: str) -> list[tuple[int, int, list[int]]]:
    """The shortest and the longest of about equally many sources, and which they are."""
    lengths = np.array([sentence_length(source, src) for source in sources])
    buckets = min(MAX_BUCKETS, max(1, len(lengths) // SENTENCES_PER_BUCKET))
    shares = np.linspace(0, 1, buckets + 1)[1:]
    highs = np.unique(np.quantile(lengths, shares, method="higher"))
    low, result = int(lengths.min()), []
    for high in highs.tolist():
        result.append((low, high, np.flatnonzero((low <= lengths) & (lengths <= high)).tolist()))
        low = high + 1
    return result


def score_group(hypotheses: Sequence[str], references: Sequence[str], chosen: Sequence[int], language: str) -> float:
    """BLEU of some of the sentences, of the n-gram orders that they have."""
    ours, theirs = ([lines[i] for i in chosen] for lines in (hypotheses, references))
    bleu = _bleu(language, effective_order=True)
    return float(bleu.corpus_score(legible(ours, language), [legible(theirs, language)]).score)


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


def _bleu(language: str, lowercase: bool = False, effective_order: bool = False) -> BLEU:
    tokenizer = bleu_tokenizer(language)
    try:
        return BLEU(tokenize=tokenizer, lowercase=lowercase, effective_order=effective_order)
    except RuntimeError as error:
        fix = f"pip install 'sacrebleu[{tokenizer.split('-')[0]}]'"
        raise UserError(f"BLEU of {language!r} needs MeCab, which does not start here: {fix}") from error


def legible(lines: Sequence[str], language: str) -> Sequence[str]:
    """MeCab, written in C, stops reading at a NUL and refuses half a surrogate pair; others take any line."""
    if "mecab" not in bleu_tokenizer(language):
        return lines
    return [line.replace("\0", " ").encode("utf-8", "replace").decode() for line in lines]


def _spbleu(tokenizer: str, lowercase: bool) -> BLEU:
    """BLEU of SentencePiece's tokens (Goyal et al. 2022), by the model that sacreBLEU has at hand; never downloaded."""
    address = SPM_MODELS[tokenizer]["url"]
    file = Path(SACREBLEU_DIR, "models", PurePosixPath(address).name)
    if importlib.util.find_spec("sentencepiece") is None:
        raise UserError("spBLEU needs sentencepiece; install with: pip install 'seq2seq[spbleu]'")
    if not file.is_file():
        raise UserError(f"spBLEU needs a tokenizer's model, {file}, which is not there: curl -L {address} -o {file}")
    try:
        return BLEU(tokenize=tokenizer, lowercase=lowercase)
    except (OSError, RuntimeError) as error:
        raise UserError(f"spBLEU: {file}: damaged; remove it, then: curl -L {address} -o {file}") from error


def _score(
    metric: str, hypotheses: Sequence[str], references: Sequence[Sequence[str]], computer: Metric, bootstrap: int
) -> Score:
    """One metric; its interval is that of sacreBLEU's paired bootstrap with a single system."""
    if bootstrap <= 1:
        value = float(computer.corpus_score(hypotheses, references).score)
        return Score(metric, value, None, None, str(computer.get_signature()), len(hypotheses))
    signature, (result,) = paired_test([("", hypotheses)], references, {metric: computer}, "bs", bootstrap)[metric]
    assert result.mean is not None and result.half_width is not None
    low = max(METRICS[metric].lowest, result.mean - result.half_width)
    high = min(METRICS[metric].highest, result.mean + result.half_width)
    return Score(metric, result.value, low, high, signature, len(hypotheses))
