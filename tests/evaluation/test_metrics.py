"""Scores are sacreBLEU's, to the last digit, with any line that may come."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.errors import UserError
from seq2seq.evaluation.metrics import (
    DEFAULT_METRICS,
    Score,
    bleu_tokenizer,
    score,
    score_by_length,
    sentence_bleu,
    sentence_chrf,
    sentence_length,
)

METRICS = *DEFAULT_METRICS, "chrf++"
TEXT = "der die das Hund Katze Haus läuft schläft , und auf unter einem großen kleinen roten Tisch heute ."
WORDS = TEXT.split(" ")
ODD_LINES = ["a\u2028b c d e", "a\x0bb c d e", "a\x0cb\x85c d e", "a\0b c d e", "\ufeffa b c d", "a\tb c\u00a0d e"]


def sentences(count: int, seed: int = 1) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randint(4, 14))) for _ in range(count)]


def damaged(lines: list[str], share: float = 0.2, seed: int = 2) -> list[str]:
    generator = random.Random(seed)
    return [
        " ".join(generator.choice(WORDS) if generator.random() < share else word for word in line.split())
        for line in lines
    ]


REFERENCES = sentences(60)
HYPOTHESES = damaged(REFERENCES)

lines = st.text(st.characters(exclude_characters="\n"), max_size=40)


@pytest.mark.parametrize("language", ["de", "zh", "ja", "ko"])
def test_a_perfect_translation_has_full_marks(language: str) -> None:
    values = {s.metric: s.value for s in score(REFERENCES, REFERENCES, METRICS, language, bootstrap=20)}
    assert values["bleu"] == pytest.approx(100)
    assert values["chrf"] == pytest.approx(100)
    assert values["ter"] == 0


def sacrebleu_cli(folder: Path, *options: str) -> list[tuple[str, str, float, float, float]]:
    """Metric, signature, value, mean of the resamples and half width of the interval, as the command line says."""
    (folder / "hyp").write_text("".join(line + "\n" for line in HYPOTHESES), encoding="utf-8")
    (folder / "ref").write_text("".join(line + "\n" for line in REFERENCES), encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", "ref", "-i", "hyp", "-f", "text", "-w", "6", *options]
    output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\s*(\w+)\|(\S+) = ([\d.]+)(?: \(μ = ([\d.]+) ± ([\d.]+)\))?", output, re.MULTILINE)
    return [(name, signature, float(v), float(m or v), float(c or 0)) for name, signature, v, m, c in found]


def test_parity_with_sacrebleus_command_line(tmp_path: Path) -> None:
    theirs = sacrebleu_cli(tmp_path, "-m", *DEFAULT_METRICS, "--confidence", "--confidence-n", "200")
    ours = score(HYPOTHESES, REFERENCES, DEFAULT_METRICS, "de", bootstrap=200)
    assert len(theirs) == len(ours) == 3
    for mine, (_, signature, value, mean, width) in zip(ours, theirs, strict=True):
        assert mine.signature == signature
        assert mine.value == pytest.approx(value, abs=1e-5)
        assert mine.low == pytest.approx(mean - width, abs=1e-5)
        assert mine.high == pytest.approx(mean + width, abs=1e-5)


@pytest.mark.parametrize("language", ["zh", "ko"])
def test_parity_of_the_tokenizers(tmp_path: Path, language: str) -> None:
    ((_, signature, value, _, _),) = sacrebleu_cli(tmp_path, "-m", "bleu", "--tokenize", bleu_tokenizer(language))
    (mine,) = score(HYPOTHESES, REFERENCES, ["bleu"], language, bootstrap=0)
    assert (mine.signature, mine.value) == (signature, pytest.approx(value, abs=1e-5))


@given(st.floats(0.05, 0.6), st.integers(0, 1000))
@settings(max_examples=15)
def test_the_interval_holds_the_value(share: float, seed: int) -> None:
    for s in score(damaged(REFERENCES, share, seed), REFERENCES, METRICS, "de", bootstrap=100):
        assert s.low is not None and s.high is not None
        assert s.low < s.value < s.high
        assert s.sentences == len(REFERENCES)


def test_the_seed_decides_the_interval_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    first = score(HYPOTHESES, REFERENCES, METRICS, "de", bootstrap=100)
    assert score(HYPOTHESES, REFERENCES, METRICS, "de", bootstrap=100) == first
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    other = score(HYPOTHESES, REFERENCES, METRICS, "de", bootstrap=100)
    assert [s.value for s in other] == [s.value for s in first]
    assert all(a.low != b.low for a, b in zip(first, other, strict=True))
    assert all("seed:7" in s.signature for s in other)


def test_intervals_end_where_the_metric_does() -> None:
    references = [f"number {i} of some sentences" for i in range(20)]
    for s in score([*references[:-1], "wrong"], references, METRICS, "en"):
        assert s.low is not None and s.high is not None
        assert 0 <= s.low < s.high and (s.high == 100 or s.metric == "ter"), s
    (empty,) = score([""] * 19 + references[:1], references, ["bleu"], "en")
    assert empty.low == 0


def test_no_bootstrap_no_interval() -> None:
    (only,) = score(HYPOTHESES, REFERENCES, ["chrf"], "de", bootstrap=0)
    assert only.low is only.high is None
    assert "bs:" not in only.signature
    assert Score(**asdict(only)) == only


@pytest.mark.parametrize("language", ["de", "zh", "ja", "ko"])
def test_odd_lines_are_one_line_each(language: str) -> None:
    for s in score(ODD_LINES, ODD_LINES, METRICS, language, bootstrap=20):
        assert s.sentences == len(ODD_LINES)
        assert s.value == pytest.approx(0 if s.metric == "ter" else 100)


def test_mecab_reads_on_behind_a_nul() -> None:
    (perfect,) = score(["a\0b c d e f"], ["a\0b c d e f"], ["bleu"], "ko", bootstrap=0)
    (wrong,) = score(["a\0b c d e f"], ["a\0u v w x y"], ["bleu"], "ko", bootstrap=0)
    assert wrong.value < perfect.value


@given(st.lists(st.tuples(lines, lines), min_size=1, max_size=5), st.sampled_from(["de", "zh", "ja", "ko"]))
@settings(max_examples=40)
def test_any_text_can_be_scored(pairs: list[tuple[str, str]], language: str) -> None:
    hypotheses, references = map(list, zip(*pairs, strict=True))
    for s in score(hypotheses, references, METRICS, language, bootstrap=5):
        assert s.value >= 0
        assert s.sentences == len(pairs)
    assert len(sentence_bleu(hypotheses, references, language)) == len(pairs)
    assert sum(b.count for b in score_by_length(references, hypotheses, references, "de", language)) == len(pairs)


def test_half_a_surrogate_pair_does_not_stop_mecab() -> None:
    assert score(["\ud800 a b c d"], ["\ud800 a b c d"], ["bleu"], "ja", bootstrap=0)[0].value == pytest.approx(100)


@pytest.mark.parametrize(
    ("hypotheses", "references", "counts"), [(["a"] * 1200, ["a"], ("1,200", "1")), ([], [], ("0", "0"))]
)
def test_counts_that_cannot_be_scored(hypotheses: list[str], references: list[str], counts: tuple[str, str]) -> None:
    for attempt in (
        lambda: score(hypotheses, references, METRICS, "de"),
        lambda: sentence_chrf(hypotheses, references),
        lambda: sentence_bleu(hypotheses, references, "de"),
        lambda: score_by_length(hypotheses, hypotheses, references, "en", "de"),
    ):
        with pytest.raises(UserError, match=f"{counts[0]} hypotheses and {counts[1]} references"):
            attempt()


def test_sources_must_match_too() -> None:
    with pytest.raises(UserError, match=r"2 sources, but 1 ref"):
        score_by_length(["a", "b"], ["a"], ["a"], "en", "de")


def test_an_unknown_metric_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'meteor'.*bleu, chrf, chrf\+\+, ter"):
        score(["a"], ["a"], ["meteor"], "de")


@pytest.mark.parametrize(("language", "module"), [("ko", "ko_mecab"), ("ja_JP", "ja_mecab")])
def test_missing_mecab_says_what_to_install(language: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"sacrebleu.tokenizers.tokenizer_{module}.MeCab", None)
    with pytest.raises(UserError, match=rf"pip install 'sacrebleu\[{language[:2]}\]'"):
        score(["a"], ["a"], ["bleu"], language)
    assert score(["a"], ["a"], ["chrf"], language)


def test_tokenizer_of_a_language() -> None:
    for code in ("zh", "zh_Hans", "zh-TW", "ZH", "zho_Hant"):
        assert bleu_tokenizer(code) == "zh"
    assert bleu_tokenizer("ja") == bleu_tokenizer("jpn_Jpan") == "ja-mecab"
    assert bleu_tokenizer("ko-KR") == "ko-mecab"
    for code in ("de", "EN", "pt-BR", "kok", "zha"):
        assert bleu_tokenizer(code) == "13a"


def test_sentence_scores_rank() -> None:
    references = ["der Hund schläft heute auf dem Tisch"] * 3 + ["ja"]
    hypotheses = [references[0], "der Hund schläft heute unter dem Haus", "niemals", "ja"]
    for scores in (sentence_chrf(hypotheses, references), sentence_bleu(hypotheses, references, "de")):
        assert scores[0] > scores[1] > scores[2]
        assert scores[0] == scores[3] == pytest.approx(100)


@given(st.lists(st.text("ab ", min_size=0, max_size=60), min_size=1, max_size=200), st.sampled_from(["en", "zh"]))
@settings(max_examples=30)
def test_buckets_part_the_sentences(sources: list[str], src: str) -> None:
    buckets = score_by_length(sources, sources, sources, src, "en")
    assert sum(b.count for b in buckets) == len(sources)
    assert all(b.count > 0 and b.low <= b.high for b in buckets)
    assert all(a.high + 1 == b.low for a, b in pairwise(buckets))
    lengths = [sentence_length(source, src) for source in sources]
    assert (buckets[0].low, buckets[-1].high) == (min(lengths), max(lengths))


def test_short_phrases_get_their_due() -> None:
    (bucket,) = score_by_length(["two words"] * 5, ["zwei Wörter"] * 5, ["zwei Wörter"] * 5, "en", "de")
    assert bucket.bleu == pytest.approx(100)


def test_a_bucket_of_all_sentences_has_the_corpus_score() -> None:
    (bucket,) = score_by_length(["x"] * 60, HYPOTHESES, REFERENCES, "en", "de")
    assert bucket.bleu == pytest.approx(score(HYPOTHESES, REFERENCES, ["bleu"], "de", bootstrap=0)[0].value)
