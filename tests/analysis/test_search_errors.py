"""Search errors against model errors: counted as by hand, suggested by the rule, and applied without harm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq.analysis import search as subject
from seq2seq.bundle import Bundle, load_bundle, load_config
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import EOS
from seq2seq.decoding.scoring import score
from seq2seq.decoding.search import GRID, normalize
from seq2seq.decoding.translation import Candidate
from seq2seq.decoding.translator import Translator
from seq2seq.errors import UserError
from seq2seq.pipeline import Runner
from seq2seq.recipe.file import override_decoding
from tests.command_line import refused, seq2seq
from tests.toy import toy_recipe

TRAINING = ("training.max_steps=60", "training.max_epochs=9", "decoding.max_length.ratio=1.0", "evaluation.bootstrap=0")
CPU = ("--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hardly trained: it makes errors of both kinds."""
    folder = tmp_path_factory.mktemp("searched")
    Runner(toy_recipe(folder, *TRAINING)).run()
    return folder / "run"


@pytest.fixture(scope="module")
def bundle(run: Path) -> Bundle:
    return load_bundle(run, torch.device("cpu"))


@pytest.fixture(scope="module")
def texts(run: Path) -> tuple[list[str], list[str]]:
    pairs = PreparedPairs(run / "data" / "valid.arrow")
    return pairs.src_texts(), pairs.tgt_texts()


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_errors_are_those_counted_by_hand(bundle: Bundle, texts: tuple[list[str], list[str]]) -> None:
    own = bundle.config.decoding
    greedy, wide = (override_decoding(own, {"beam_size": n, "length_penalty": {"kind": "none"}}) for n in (1, 12))
    configs = subject.settings(own, [greedy, wide])
    assert configs[0] == greedy and len(configs) == 3
    found = subject.study(bundle, *texts, configs, own)
    assert found.sentences == found.told == len(texts[0]) and configs[found.now] == own

    sources = [[*ids, EOS] for ids in bundle.src_tokenizer.encode_batch(texts[0])]
    targets = [[*ids, EOS] for ids in bundle.tgt_tokenizer.encode_batch(texts[1])]
    references = [sum(logs) for logs in score(bundle.model, sources, targets)]
    empty = [sum(logs) for logs in score(bundle.model, sources, [[EOS]] * len(sources))]
    best = [[t.candidates[0] for t in Translator(bundle, config).translate(texts[0])] for config in configs]
    for of, config, outcome in zip(best, configs, found.outcomes, strict=True):

        def value(log: float, length: int, penalty: object = config.length_penalty) -> float:
            return float(normalize(np.array(log), length, penalty))  # type: ignore[arg-type]

        higher = [value(r, len(t)) > value(c.log_probability, len(c.tokens) + 1) + GRID
                  for r, t, c in zip(references, targets, of, strict=True)]  # fmt: skip
        same = [[*c.tokens, EOS] == t for c, t in zip(of, targets, strict=True)]
        assert outcome.reference_higher == pytest.approx(np.mean(higher))
        assert outcome.own_higher == pytest.approx(1 - np.mean(higher) - np.mean(same))
        known = [
            max([value(references[i], len(targets[i]))]
                + [value(o[i].log_probability, len(o[i].tokens) + 1) for o in best])
            for i in range(len(sources))
        ]  # fmt: skip
        missed = [k > value(c.log_probability, len(c.tokens) + 1) + GRID for k, c in zip(known, of, strict=True)]
        assert outcome.better_known == pytest.approx(np.mean(missed))
        nothing = [value(e, 1) > value(c.log_probability, len(c.tokens) + 1) for e, c in zip(empty, of, strict=True)]
        assert outcome.empty_higher == pytest.approx(np.mean(nothing))
    assert found.outcomes[0].better_known > 0  # greedy search misses some that a beam of 12 finds
    assert any(one.own_higher > 0 for one in found.outcomes)


def test_the_reference_too_is_known_to_be_better(bundle: Bundle) -> None:
    """Where nothing else was tried, and the reference is what the model likes best."""
    config = override_decoding(bundle.config.decoding, {"beam_size": 1})
    found = [[Candidate("", -9.0, -9.0, (4, 5)), Candidate("", -1.0, -1.0, (4, 5))]]
    given = np.array([[-3.0, -3.0], [3, 3]]), np.array([[-8.0, -8.0], [1, 1]])
    (shares,) = subject._errors(found, [[4, 6, EOS], [4, 5, EOS]], given, [config])
    assert shares == (0.5, 0.5, 0.0, 0.5)


def outcome(beam: int, bleu: float, p: float | None, chrf_p: float | None = 0.9) -> subject.Outcome:
    return subject.Outcome(beam, {"kind": "none"}, bleu, 50.0, {"bleu": p, "chrf": chrf_p}, 1, 0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("outcomes", "best", "suggested"),
    [
        ([outcome(1, 20, 0.01), outcome(5, 30, 0.5), outcome(50, 31, None, None)], 2, 1),
        ([outcome(1, 20, 0.01), outcome(5, 30, 0.2), outcome(50, 31, None, None)], 2, 2),
        ([outcome(1, 31, 0.001), outcome(5, 31, None, None)], 1, 0),  # equal: what is smaller
        ([outcome(5, 30, 0.5), outcome(5, 30.5, 0.4), outcome(50, 31, None, None)], 2, 1),
    ],
    ids=["within noise", "beyond one standard error", "equal", "equal beams"],
)
def test_the_smallest_beam_within_one_standard_error_is_suggested(
    outcomes: list[subject.Outcome], best: int, suggested: int
) -> None:
    assert subject.suggest(outcomes, best) == suggested


def test_chrf_has_a_say() -> None:
    worse = subject.Outcome(1, {"kind": "none"}, 30, 40, {"bleu": 0.9, "chrf": 0.001}, 1, 0, 0, 0, 0, 1)
    assert subject.suggest([worse, outcome(5, 30.1, None, None)], 1) == 1


def test_what_is_suggested_is_applied_and_the_run_stays_sound(
    run: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "suggest", lambda outcomes, best: [one.beam_size for one in outcomes].index(9))
    command = ("analyze", "search", str(copy), "--beams", "1,9", "--length-penalty", "average", "--apply", *CPU)
    done = seq2seq(*command)
    assert done.code == 0, done.err
    settings = ("decoding.beam_size=9", "decoding.length_penalty=average")
    assert f"suggested: {' '.join(settings)}\n" in done.out and f"seq2seq run {copy}" in done.err
    decoding = load_config(copy / "model").decoding
    assert (decoding.beam_size, decoding.length_penalty.kind) == (9, "average")
    assert (copy / "analysis" / "search.svg").read_text().startswith("<svg")

    line, ways = copy.parent / "line", []
    line.write_text("one two three four\n")
    for how in ((), settings, ("decoding.beam_size=2", "decoding.length_penalty=wu")):
        out = copy.parent / f"out{len(ways)}"
        where = ("--input", str(line), "--output", str(out), "--format", "jsonl")
        assert seq2seq("translate", str(copy), *how, *where, *CPU).code == 0
        ways.append(out.read_text())
    assert ways[0] == ways[1] != ways[2]

    assert seq2seq("verify", str(copy)).code == 0
    before = str(run.parent / "recipe.yaml"), *TRAINING, f"output_dir={copy}"
    stale = [line for line in seq2seq("plan", *before).out.splitlines() if "runs:" in line]
    assert len(stale) == 1 and "model/config.json has decoding.beam_size 9, the recipe 2" in stale[0]
    plan = seq2seq("plan", str(copy)).out
    assert "decoding.beam_size 2 -> 9" in plan and "length_penalty.kind wu -> average" in plan.replace('"', "")
    assert seq2seq("run", str(copy), *CPU).code == 0
    assert "->" not in seq2seq("plan", str(copy)).out and seq2seq("verify", str(copy)).code == 0
    assert "has these settings already" in seq2seq(*command).err
    assert seq2seq("run", *before, *CPU).code == 0 and load_config(copy / "model").decoding.beam_size == 2


def test_json_is_the_file(copy: Path) -> None:
    done = seq2seq("analyze", "search", str(copy), "--beams", "2", "--limit", "7", "--json", *CPU)
    found = json.loads(done.out)
    assert found == json.loads((copy / "analysis" / "search.json").read_text())
    assert found["sentences"] == 7 and len(found["outcomes"]) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--beams", "1,x"], ["--beams", "1,5,10"]),
        (["--beams", "0"], ["beam_size"]),
        (["--length-penalty", "short"], ["length_penalty"]),
        (["decoding.mbr={candidates: 2}"], ["decoding.mbr", "decoding.mbr=null"]),
        (["--apply", "decoding.split=never"], ["--apply"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_be_looked_at_is_told(run: Path, arguments: list[str], words: list[str]) -> None:
    refused(seq2seq("analyze", "search", str(run), *arguments, *CPU), *words)


def test_a_model_alone_has_no_validation_data(run: Path) -> None:
    refused(seq2seq("analyze", "search", str(run / "model"), *CPU), "no validation data")


def test_references_that_cannot_be_written_tell_nothing(bundle: Bundle, texts: tuple[list[str], list[str]]) -> None:
    own = bundle.config.decoding
    with pytest.raises(UserError, match="raise --limit"):
        subject.study(bundle, texts[0][:1], ["niemals gesehen"], [own], own)
    assert subject.study(bundle, texts[0][:2], ["niemals", texts[1][1]], [own], own).told == 1
