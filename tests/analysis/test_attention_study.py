"""Entropy, coverage and alignments of attentions that are known; every head; what cannot be looked at."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.analysis import attention as subject
from seq2seq.analysis.gold import Gold
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.batching import shifted
from seq2seq.data.tokenization import EOS
from tests.command_line import refused, seq2seq
from tests.toy import write_toy

CPU = ("--device", "cpu", "--threads", "1")
SOURCES, TARGETS = ["one two three", "four"], ["drei zwei eins", "vier"]
GOLD = [Gold(frozenset(links), frozenset(links)) for links in ({(0, 2), (1, 1), (2, 0)}, {(0, 0)})]


@pytest.fixture(scope="module")
def bundle(new_run: Path) -> Bundle:
    return load_bundle(new_run, torch.device("cpu"))


def test_known_attentions_have_known_numbers(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first sentence's is right and sure; the second's is spread over both of its tokens."""
    looks = [np.eye(4)[[2, 1, 0, 3]], np.full((2, 2), 0.5)]
    monkeypatch.setattr(subject, "_looks", lambda *_: iter([look[None] for look in looks]))
    found = subject.study(bundle, SOURCES, TARGETS, GOLD)
    (head,) = found.heads
    assert head.entropy == pytest.approx(2 * math.log(2) / 6) and head.end == pytest.approx((1 + 1) / 6)
    assert head.entropy_by_place[0] == pytest.approx(math.log(2) / 2)
    assert head.agreement is not None and head.agreement.error_rate == 0
    assert sum(found.coverage) == 4 and (found.left_out, found.repeated) == (0, 0)
    looks[0] = np.eye(4)[[0, 0, 0, 3]]
    found = subject.study(bundle, SOURCES, TARGETS, GOLD)
    assert (found.left_out, found.repeated) == (2 / 4, 1 / 4)
    assert found.heads[0].agreement is not None and found.heads[0].agreement.error_rate == pytest.approx(1 - 4 / 8)


def test_heads_are_those_whose_mean_the_model_gives(bundle: Bundle) -> None:
    looks = list(subject._looks(bundle, SOURCES, TARGETS))
    for look, source, target in zip(looks, SOURCES, TARGETS, strict=True):
        src, tgt = ([*t.encode_batch([text])[0], EOS] for t, text in
                    ((bundle.src_tokenizer, source), (bundle.tgt_tokenizer, target)))  # fmt: skip
        with torch.no_grad():
            given = bundle.model(torch.tensor([src]), torch.tensor([len(src)]), shifted(torch.tensor([tgt])),
                                 with_attention=True).attention[0]  # fmt: skip
        assert look.shape == (3, len(tgt), len(src))
        np.testing.assert_allclose(look[0], given, atol=1e-6)
        np.testing.assert_allclose(look[1:].mean(0), look[0], atol=1e-6)
        assert np.abs(look[1] - look[2]).max() > 1e-3
    names = [head.name for head in subject.study(bundle, SOURCES, TARGETS).heads]
    assert names == [subject.MEAN, "head 1", "head 2"]
    assert not bundle.model.decoder.attention._forward_hooks  # type: ignore[union-attr]


def test_the_command_tells_and_writes_the_same(new_run: Path, tmp_path: Path) -> None:
    gold = new_run.parent / "valid.align"
    done = seq2seq("analyze", "attention", str(new_run), "--gold", str(gold), "--json", *CPU)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found == json.loads((new_run / "analysis" / "attention.json").read_text())
    assert found["sentences"] == 20 and 0 <= found["heads"][0]["agreement"]["error_rate"] <= 1
    assert (new_run / "analysis" / "attention.svg").read_text().startswith("<svg")
    lines = {"src": SOURCES, "tgt": TARGETS, "gold": ["1-3 2-2 3-1", "1-1"]}
    for name, text in lines.items():
        (tmp_path / name).write_text("\n".join(text) + "\n")
    files = [part for name in lines for part in (f"--{name}", str(tmp_path / name))]
    done = seq2seq(
        "analyze", "attention", str(new_run / "model"), *files, "--from-one", "--output", str(tmp_path), *CPU
    )
    assert done.code == 0 and "error rate" in done.out and "head 2" in done.out, done.err
    assert (tmp_path / "attention.json").exists()
    assert "error rate" not in seq2seq("analyze", "attention", str(new_run), "--limit", "3", *CPU).out


def test_what_cannot_be_looked_at_is_told(new_run: Path, tmp_path: Path) -> None:
    run = str(new_run)
    refused(seq2seq("analyze", "attention", run, "--from-one"), "--from-one", "--gold")
    refused(seq2seq("analyze", "attention", run, "--src", str(new_run.parent / "valid.en"), *CPU), "--src, --tgt")
    two = ("--src", str(new_run.parent / "valid.en"), "--tgt", str(new_run.parent / "train.de"))
    refused(seq2seq("analyze", "attention", run, *two, *CPU), "20 lines", "60")
    refused(seq2seq("analyze", "attention", str(new_run / "model"), *CPU), "no validation data")
    (tmp_path / "blank").write_text("\n" * 20)
    blank = ("--src", str(tmp_path / "blank"), "--tgt", str(tmp_path / "blank"))
    refused(seq2seq("analyze", "attention", run, *blank, *CPU), "blank")
    settings = ("training.max_steps=1", "model.decoder.attention=none", *CPU)
    assert seq2seq("train", str(write_toy(tmp_path, train=20)), *settings).code == 0
    refused(seq2seq("analyze", "attention", str(tmp_path / "run"), *CPU), "no attention")
