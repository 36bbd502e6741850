"""Shallow fusion: both models' scores together against brute force; and a language model from recipe to translation."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from seq2seq.data.tokenization import BOS, EOS
from seq2seq.decoding.coverage import CoverageScorer
from seq2seq.decoding.ensemble import EnsembleScorer
from seq2seq.decoding.forced import force
from seq2seq.decoding.fusion import FusionScorer, ShallowFusion
from seq2seq.decoding.scorer import Scorer
from seq2seq.decoding.search import GRID, beam_search, search_all
from tests.command_line import refused, seq2seq
from tests.decoding.tables import every_text, tables, wide
from tests.decoding.test_search import scorer, sharp_model
from tests.toy import GERMAN, write_toy

LANGUAGE_MODEL = [
    "task=language_model", "model.decoder={cell: lstm, hidden_size: 24, attention: none}", "model.bridge=zero",
    "training.early_stopping.metric=loss", "data.test={}", "decoding={}", "evaluation={}",
]  # fmt: skip


@pytest.mark.parametrize("weight", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_against_brute_force(seed: int, weight: float) -> None:
    translator, model = tables(seed), tables(seed + 50)
    own, others = (t.values - np.log(np.exp(t.values).sum(-1, keepdims=True)) for t in (translator, model))
    alone = every_text(translator, 5, 5)
    sums = {
        text: value + weight * sum(others[EOS][a, b] for a, b in itertools.pairwise([BOS, *text, EOS]))
        for text, value in alone.items()
    }
    best = sorted(sums, key=lambda text: -sums[text])[:4]
    fused = FusionScorer(translator, model)
    found = beam_search(fused, [[5, EOS]], wide(5), [ShallowFusion(weight)], n_best=4)[0]
    assert isinstance(fused, Scorer) and own.shape == others.shape
    assert [tuple(h.tokens) for h in found] == best
    np.testing.assert_allclose([h.score for h in found], [sums[text] for text in best], atol=GRID)
    np.testing.assert_allclose([h.log_probability for h in found], [alone[text] for text in best])


def test_torch_and_numpy_fuse_alike_in_any_batch() -> None:
    """A model in torch; the same within an ensemble, whose scores are numpy's; within another scorer."""
    model, other = scorer(sharp_model(1)), scorer(sharp_model(2))
    sources = [[4, 5, EOS], [6, EOS], [5, 4, 6, 4, EOS]]
    fusion = [ShallowFusion(0.5)]
    expected = search_all(FusionScorer(model, other), sources, wide(7, beam_size=4), fusion, 1)
    for fused in (
        FusionScorer(model, other),
        FusionScorer(EnsembleScorer([model], [1.0]), other),
        CoverageScorer(FusionScorer(model, other)),
    ):
        found = search_all(fused, sources, wide(7, beam_size=4), fusion, 3)
        assert [h[0].tokens for h in found] == [h[0].tokens for h in expected]
    for source, (best, *_) in zip(sources, expected, strict=True):
        own, others = (force(s, [t], [[*best.tokens, EOS]])[0] for s, t in ((model, source), (other, [EOS])))
        total = sum(own.log_probabilities) + 0.5 * sum(others.log_probabilities)
        assert best.score == pytest.approx(total, abs=2 * GRID)
    plain = search_all(model, sources, wide(7, beam_size=4))
    assert [h[0].score for h in plain] != [h[0].score for h in expected]


def test_from_a_recipe_to_a_translation(tmp_path: Path) -> None:
    recipe = str(write_toy(tmp_path, train=200))
    runs = f"{tmp_path}/run", f"{tmp_path}/lm"
    (tmp_path / "lm.yaml").write_text(
        (tmp_path / "recipe.yaml").read_text().split("training:")[0].replace("/run", "/lm")
        + "training: {batch: {tokens: 150}, max_epochs: 3, precision: fp32}\n"
    )  # fmt: skip
    assert seq2seq("train", recipe, "training.max_epochs=1", "--device", "cpu").code == 0
    done = seq2seq("run", f"{tmp_path}/lm.yaml", *LANGUAGE_MODEL, "--device", "cpu")
    assert done.code == 0 and f"--language-model {runs[1]}" in done.out and "BLEU" not in done.out, done.err
    assert (tmp_path / "lm" / "report" / "report.html").exists()
    log = [json.loads(line) for line in (tmp_path / "lm" / "train.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in log if "perplexity" in record]
    assert losses[-1] < losses[0] and not any("bleu" in record for record in log)
    changed = "".join(f"{'x' * i}\n" for i in range(20))
    (tmp_path / "other.en").write_text(changed)
    pairs = ["--src", f"{tmp_path}/valid.en", "--tgt", f"{tmp_path}/valid.de"]
    assert (
        seq2seq("score", runs[1], *pairs).out
        == seq2seq("score", runs[1], "--src", f"{tmp_path}/other.en", *pairs[2:]).out
    )

    (tmp_path / "in").write_text("one two three\nfour five six\n")

    def translate(*options: str) -> list[dict[str, float]]:
        files = "--input", f"{tmp_path}/in", "--output", f"{tmp_path}/out", "--force", "--format", "jsonl"
        done = seq2seq("translate", runs[0], *files, *options)
        assert done.code == 0, done.err
        return [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]

    plain, fused = translate("decoding.length_penalty=none"), translate(
        "decoding.length_penalty=none", "--language-model", f"{runs[1]}=0.5"
    )  # fmt: skip
    for a, b in zip(plain, fused, strict=True):
        assert a["score"] == pytest.approx(a["log_probability"], abs=GRID) and b["score"] < b["log_probability"] - GRID
    setting = translate("decoding.length_penalty=none", f"decoding.language_model={{run: {runs[1]}, weight: 0.5}}")
    assert setting == fused
    ensembled = translate("decoding.length_penalty=none", "--language-model", f"{runs[1]}=0.5", "--ensemble", runs[0])
    assert [one["score"] for one in ensembled] == pytest.approx([one["score"] for one in fused], abs=2 * GRID)

    refused(seq2seq("translate", runs[1]), "toy: a language model, which translates nothing", "seq2seq score")
    files = "--input", f"{tmp_path}/in"
    refused(seq2seq("translate", runs[0], *files, "--language-model", runs[0]), "is a translator; name a run with task")
    refused(seq2seq("translate", runs[0], *files, "--language-model", "nowhere"), "nowhere: no such run folder")
    chars = "output_dir=" + f"{tmp_path}/chars", "tokenizer={kind: char}", "training.max_epochs=1"
    assert seq2seq("train", f"{tmp_path}/lm.yaml", *LANGUAGE_MODEL, *chars).code == 0
    refused(
        seq2seq("translate", runs[0], *files, "--language-model", f"{tmp_path}/chars"), "vocabulary is not the transl"
    )


def test_a_language_model_of_other_text_takes_the_translators_tokenizer(tmp_path: Path) -> None:
    recipe = str(write_toy(tmp_path, train=60))
    (tmp_path / "mono.de").write_text("".join(f"ein Satz mit null und {word}\n" for word in GERMAN * 5))
    short = "training.max_epochs=1", "--device", "cpu"
    assert seq2seq("train", recipe, *short).code == 0
    mono = [f"data.train={{files: [{tmp_path}/mono.de, {tmp_path}/mono.de]}}", "data.filter.deduplicate=false"]
    mono += [f"output_dir={tmp_path}/lm", *LANGUAGE_MODEL]
    taken = f"tokenizer={{kind: run, run: {tmp_path}/run}}"
    (tmp_path / "in").write_text("one two three\n")
    files = "--input", f"{tmp_path}/in", "--output", f"{tmp_path}/out", "--force", "--language-model", f"{tmp_path}/lm"
    assert seq2seq("train", recipe, *mono, *short).code == 0
    refused(seq2seq("translate", f"{tmp_path}/run", *files), "vocabulary is not the translator's")
    assert seq2seq("train", recipe, *mono, taken, *short, "--force").code == 0
    assert seq2seq("translate", f"{tmp_path}/run", *files).code == 0
    assert "up to date" in seq2seq("plan", recipe, *mono, taken, short[0]).out.lower()
    refused(
        seq2seq("plan", recipe, *mono, "tokenizer={kind: run, run: nowhere}"), "tokenizer.run", "run its recipe first"
    )
    apart = f"output_dir={tmp_path}/apart", "tokenizer.joint=false"
    assert seq2seq("train", recipe, *apart, *short).code == 0
    tied = f"output_dir={tmp_path}/tied", f"tokenizer={{kind: run, run: {tmp_path}/apart}}", "model.embedding.tie=all"
    refused(seq2seq("train", recipe, *tied, *short), "model.embedding.tie", "needs one vocabulary")


def test_what_makes_no_language_model_is_refused(recipe: Path) -> None:
    for setting, said in (
        ("model.bridge=project", "model.bridge: a language model sees no source; set it to zero"),
        ("model.decoder={attention: bahdanau}", "model.decoder.attention: a language model sees no source"),
        ("training.early_stopping.metric=bleu", "training.early_stopping.metric: scores translations"),
        ("data.test={a: {builtin: cldr}}", "data.test: a language model translates nothing"),
        ("decoding={beam_size: 3}", "decoding: has no effect on a language model"),
    ):
        refused(seq2seq("plan", str(recipe), *LANGUAGE_MODEL, setting), said)
    translator = [*LANGUAGE_MODEL[1:], "task=translation"]
    refused(seq2seq("plan", str(recipe), *translator), "the decoder never sees the source")
