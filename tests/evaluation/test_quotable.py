"""Scores that should not be quoted as they are say so; limits fail in the metric's own direction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq.errors import UserError
from seq2seq.evaluation.metrics import Score
from seq2seq.evaluation.quotable import doubts, failures
from tests.command_line import seq2seq

PLAIN = [f"Der Hund Nummer {i} schläft, sagt er." for i in range(20)]


@pytest.mark.parametrize(
    ("references", "language", "words"),
    [
        (PLAIN, "de", None),
        ([line.replace(",", " ,") for line in PLAIN], "de", "tokenised"),
        ([line.lower() for line in PLAIN], "de", "lower-cased"),
        (["สุนัขนอนหลับ"] * 20, "th", "13a does not fit th"),
        (["犬は寝ています"] * 20, "en", "name its language"),
        (["犬は寝ています"] * 20, "ja", None),
        (["개가 자고 있다"] * 20, "ko", None),
        ([], "de", None),
    ],
)
def test_what_is_doubtful_is_said(references: list[str], language: str, words: str | None) -> None:
    found = list(doubts(references, ["bleu"], language))
    assert len(found) == (words is not None) and (words is None or words in found[0])


def test_limits_follow_the_metrics_direction() -> None:
    scores = [Score("bleu", 36.0, None, None, "", 1), Score("ter", 50.0, None, None, "", 1)]
    assert failures(scores, ["bleu=36", "ter=50"]) == []
    assert failures(scores, ["bleu=36.1", "ter=49"]) == ["BLEU 36.00 is below 36.1", "TER 50.00 is above 49"]
    for limit in ("chrf=3", "bleu=x", "bleu", "bleu:3"):
        with pytest.raises(UserError, match="fail-under"):
            failures(scores, [limit])


def test_the_command_line_fails_under_a_limit(tmp_path: Path) -> None:
    (tmp_path / "hyp").write_text("A dog sleeps on the table.\n" * 12)
    (tmp_path / "ref").write_text("A dog sleeps on the red table.\n" * 12)
    files = ("evaluate", "--hyp", str(tmp_path / "hyp"), "--ref", str(tmp_path / "ref"), "--bootstrap", "0", "--json")
    good, bad = seq2seq(*files, "--fail-under", "bleu=10"), seq2seq(*files, "--fail-under", "bleu=99")
    assert (good.code, bad.code) == (0, 1) and good.out == bad.out and "is below 99" in bad.err
    (tmp_path / "second").write_text("A dog sleeps on the table.\n" * 12)
    both = seq2seq(*files, "--ref", str(tmp_path / "second"), "--metric", "chrf++", "--lowercase")
    (only,) = json.loads(both.out)
    assert only["value"] == pytest.approx(100) and "nrefs:2" in only["signature"] and "case:lc" in only["signature"]
