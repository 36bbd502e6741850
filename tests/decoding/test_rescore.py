"""Other models score the candidates: their sums against brute force, and against what `seq2seq score` says."""

import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seq2seq.data.tokenization import BOS, EOS, BackwardTokenizer, Tokenizer
from seq2seq.decoding.search import GRID, normalize
from seq2seq.decoding.translator import Translator
from seq2seq.recipe import AveragePenaltyConfig, DecodingConfig, WuPenaltyConfig
from tests.command_line import refused, seq2seq
from tests.decoding.tables import Tables, every_text, tables, wide
from tests.decoding.test_fusion import LANGUAGE_MODEL
from tests.decoding.test_processors import TOKENIZER
from tests.toy import write_toy

LIMIT = 5
Text = tuple[int, ...]


def trained(
    table: Tables,
    src: str = "en",
    tgt: str = "de",
    task: str = "translation",
    tgt_tokenizer: Tokenizer = TOKENIZER,
    **others: Any,
) -> Any:
    """A translator of tables, which loads others by name."""
    config = SimpleNamespace(src=src, tgt=tgt, task=task, max_length=None, name="tables")
    return SimpleNamespace(
        config=config, scorer=table, src_tokenizer=TOKENIZER, tgt_tokenizer=tgt_tokenizer, confidence=None,
        beside=others.__getitem__,
    )  # fmt: skip


def log(table: Tables, source: Text, target: Text) -> float:
    values = table.values[source[0]] - np.log(np.exp(table.values[source[0]]).sum(-1, keepdims=True))
    return float(sum(values[a, b] for a, b in itertools.pairwise([BOS, *target, EOS])))


@pytest.mark.parametrize("penalty", ["none", "average"])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_sum_of_all_is_found(seed: int, penalty: str) -> None:
    own, channel, other, speech, backward = (tables(seed * 10 + i) for i in range(5))
    others = {
        "channel": trained(channel, "de", "en"), "other": trained(other), 
        "backward": trained(backward, tgt_tokenizer=BackwardTokenizer(TOKENIZER)),
        "speech": trained(speech, "fr", "de", "language_model"),
    }  # fmt: skip
    entries = [
        {"run": "channel", "weight": 0.5}, {"run": "other", "weight": 2.0}, {"run": "speech", "weight": 0.25},
        {"run": "backward", "weight": 1.5},
    ]  # fmt: skip
    config = wide(LIMIT, length_penalty=penalty, rescore=entries)
    (found,) = Translator(trained(own, **others), config).translate(["b a c"], 5)
    (source,) = map(tuple, TOKENIZER.encode_batch(["b a c"]))

    def norm(value: float, length: int) -> float:
        return float(normalize(np.array(value), length, config.length_penalty))

    def total(text: Text, value: float) -> float:
        length = len(text) + 1
        forward = (
            2.0 * log(other, source, text) + 0.25 * log(speech, (EOS,), text) + 1.5 * log(backward, source, text[::-1])
        )
        back = 0.5 * norm(log(channel, (*text, EOS), source), len(source) + 1)
        return norm(value + forward, length) + back

    sums = {text: total(text, value) for text, value in every_text(own, source[0], LIMIT).items()}
    best = sorted(sums, key=lambda text: -sums[text])[:5]
    assert [one.tokens for one in found.candidates] == best
    np.testing.assert_allclose([one.score for one in found.candidates], [sums[text] for text in best], atol=3 * GRID)
    parts = dict(found.candidates[0].scores)
    assert list(parts) == ["search", "channel", "other", "speech", "backward"]
    weighed = (
        parts["search"] + 0.5 * parts["channel"] + 2 * parts["other"] + 0.25 * parts["speech"] + 1.5 * parts["backward"]
    )
    assert found.candidates[0].score == pytest.approx(weighed, abs=GRID)


def test_runs_score_as_the_command_score_does(tmp_path: Path) -> None:
    recipe = str(write_toy(tmp_path, train=150))
    runs = {name: f"{tmp_path}/{name}" for name in ("run", "back", "backward", "lm")}
    settings: dict[str, list[str]] = {
        "run": [],
        "back": ["data.src=de", "data.tgt=en", "tokenizer={kind: char}"],
        "backward": ["data.reverse_target=true"],
        "lm": LANGUAGE_MODEL[:5],
    }
    for name, own in settings.items():
        more = "data.test={}", "evaluation={}", "training.max_epochs=1", "--device", "cpu"
        base = ["decoding={}"] if name == "lm" else []
        assert seq2seq("train", recipe, f"output_dir={runs[name]}", *own, *base, *more).code == 0, name
    (tmp_path / "in").write_text("one two three\n\nfour five six seven\n")
    weighed = "--rescore", f"{runs['back']}=0.5", "--rescore", runs["lm"]
    backward = "--rescore", f"{runs['backward']}=2"
    for options, weights in ((weighed, {"back": 0.5, "lm": 1.0}), (backward, {"backward": 2.0})):
        out = (
            "--input",
            f"{tmp_path}/in",
            "--output",
            f"{tmp_path}/out",
            "--force",
            "--format",
            "jsonl",
            "--n-best",
            "3",
        )
        done = seq2seq("translate", runs["run"], *out, *options, "--beam-size", "6")
        assert done.code == 0, done.err
        for record in map(json.loads, (tmp_path / "out").read_text().splitlines()):
            if not record["source"]:
                assert record["translation"] == ""
                continue
            scores = [one["score"] for one in record["n_best"]]
            assert scores == sorted(scores, reverse=True) and len(scores) == 3
            for one in record["n_best"]:
                total = one["scores"]["search"]
                for name, weight in weights.items():
                    pair = (one["text"], record["source"])[:: 1 if name == "back" else -1]
                    assert one["scores"][runs[name]] == pytest.approx(scored(tmp_path, runs[name], *pair), abs=1e-4)
                    total += weight * one["scores"][runs[name]]
                assert one["score"] == pytest.approx(total, abs=GRID)
    plain = "--input", f"{tmp_path}/in", "--output", f"{tmp_path}/out", "--force"
    refused(seq2seq("translate", runs["run"], *plain, *weighed, "--beam-size", "1"), "rescore", "beam_size 1")
    refused(seq2seq("translate", runs["run"], *plain, *weighed, "decoding.mbr={candidates: 2}"), "rescore", "mbr")
    refused(seq2seq("translate", runs["run"], *plain, "--rescore", "nowhere"), "nowhere: no such run folder")
    refused(seq2seq("translate", runs["run"], *plain, *[*weighed[:2]] * 2), "rescore", "there twice")


def scored(folder: Path, run: str, source: str, target: str) -> float:
    """What `seq2seq score` says, normalised by GNMT's penalty."""
    (folder / "s").write_text(source + "\n")
    (folder / "t").write_text(target + "\n")
    record = json.loads(seq2seq("score", run, "--src", f"{folder}/s", "--tgt", f"{folder}/t", "--format", "jsonl").out)
    assert math.isfinite(record["log_probability"])
    return float(normalize(np.array(record["log_probability"]), len(record["tokens"]), WuPenaltyConfig()))


def test_a_run_of_other_languages_is_refused() -> None:
    config = DecodingConfig.model_validate(
        {"rescore": [{"run": "x"}], "length_penalty": AveragePenaltyConfig(kind="average")}
    )
    with pytest.raises(Exception, match=r"decoding\.rescore: x is of fr to de; name a run from en to de or back"):
        Translator(trained(tables(1), x=trained(tables(2), "fr", "de")), config)
