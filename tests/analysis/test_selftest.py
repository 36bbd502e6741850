"""The self-test passes on a sound model, and tells what is wrong with each of several broken ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq.analysis import selftest
from seq2seq.bundle import Bundle, load_bundle
from seq2seq.data.tokenization import EOS
from seq2seq.decoding import search
from seq2seq.decoding.model_scorer import ModelScorer, ModelState, TorchLogits
from seq2seq.decoding.translation import Translation
from seq2seq.decoding.translator import Translator
from seq2seq.pipeline import Runner
from tests.command_line import seq2seq
from tests.toy import ENGLISH, toy_recipe

LINES = [" ".join(ENGLISH[(i + k) % 10] for k in range(1 + i % 5)) for i in range(12)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("selftest")
    Runner(toy_recipe(folder)).run("train")
    return folder / "run"


@pytest.fixture
def bundle(run: Path) -> Bundle:
    return load_bundle(run, torch.device("cpu"))


Step = Callable[[ModelScorer, np.ndarray, ModelState], tuple[TorchLogits, ModelState]]
STEP: Step = ModelScorer.step


def broken_by(change: Callable[[TorchLogits, np.ndarray, ModelState], None]) -> Step:
    """A step whose logits are changed before anything is taken of them."""

    def step(self: ModelScorer, tokens: np.ndarray, state: ModelState) -> tuple[TorchLogits, ModelState]:
        logits, following = STEP(self, tokens, state)
        change(logits, tokens, state)
        return logits, following

    return step


def on_batch_size(logits: TorchLogits, tokens: np.ndarray, state: ModelState) -> None:
    logits.values[..., 4:6] += 0.5 * len(tokens)


def on_neighbours(logits: TorchLogits, tokens: np.ndarray, state: ModelState) -> None:
    logits.values[-1, ..., 6] += 9.0


def on_beam(logits: TorchLogits, tokens: np.ndarray, state: ModelState) -> None:
    if tokens.shape[1] > 1:
        logits.normalizer = logits.normalizer + 0.25


def test_a_sound_model_passes(run: Path) -> None:
    done = seq2seq("selftest", str(run), "--threads", "1")
    assert done.code == 0 and done.out.count("\nok ") == 6 and "FAIL" not in done.out


def test_what_it_needs_is_said(run: Path, tmp_path: Path) -> None:
    assert "--src" in seq2seq("selftest", str(run / "model")).err
    (tmp_path / "blank").write_text("\n\n")
    assert "no sentence" in seq2seq("selftest", str(run), "--src", str(tmp_path / "blank")).err
    assert "no exported model" in seq2seq("selftest", str(run), "--exported", str(tmp_path)).err
    (tmp_path / "src").write_text("\n".join(LINES))
    assert seq2seq("selftest", str(run / "model"), "--src", str(tmp_path / "src")).code == 0


def test_a_broken_scorer_ends_with_exit_code_1_and_the_first_difference(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ModelScorer, "step", broken_by(on_batch_size))
    done = seq2seq("selftest", str(run), "--threads", "1")
    assert done.code == 1
    title = done.out.index("FAIL run: same output at batch sizes")
    assert "batch size 1" in done.out[title:].splitlines()[1]


@pytest.mark.parametrize(
    ("check", "change", "said"),
    [
        (selftest.batch_sizes, on_batch_size, "batch size"),
        (selftest.company, on_neighbours, "line "),
        (selftest.rescored, on_beam, "log-probability"),
    ],
)
def test_each_check_sees_a_broken_scorer(
    check: Any, change: Any, said: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(bundle, LINES) is None
    monkeypatch.setattr(ModelScorer, "step", broken_by(change))
    assert said in check(bundle, LINES)


def test_a_search_that_takes_the_worst_is_seen(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    right = search.rank
    assert selftest.greedy(bundle, LINES) is None and selftest.exhaustive(bundle, LINES) is None
    monkeypatch.setattr(search, "rank", lambda scores, k: right(scores, k)[:, ::-1])
    assert "beam 1" in str(selftest.greedy(bundle, LINES))
    monkeypatch.setattr(search, "rank", right)
    process = search.process

    def never_ends_early(logits: Any, prefixes: Any, processors: Any) -> None:
        process(logits, prefixes, processors)
        if prefixes.tokens.shape[-1] < selftest.LIMIT:
            logits.values[..., EOS] = -np.inf

    monkeypatch.setattr(search, "process", never_ends_early)
    assert "trying all" in str(selftest.exhaustive(bundle, LINES))


def test_an_unsorted_or_repeated_n_best_is_seen(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Translator.translate

    def reverse(self: Translator, lines: list[str], n_best: int = 1) -> Any:
        return [replace(t, candidates=t.candidates[::-1]) for t in right(self, lines, n_best)]

    def double(self: Translator, lines: list[str], n_best: int = 1) -> Any:
        return [replace(t, candidates=t.candidates * 2) for t in right(self, lines, n_best)]

    assert selftest.n_best(bundle, LINES) is None
    monkeypatch.setattr(Translator, "translate", reverse)
    assert "not sorted" in str(selftest.n_best(bundle, LINES))
    monkeypatch.setattr(Translator, "translate", double)
    assert "twice" in str(selftest.n_best(bundle, LINES))


@pytest.mark.parametrize(("nats", "told"), [(0.0019, False), (0.0021, True)])
def test_rounding_may_choose_among_equals(nats: float, told: bool, bundle: Bundle) -> None:
    def changed(translation: Translation) -> Translation:
        (best, *_) = translation.candidates
        return replace(translation, candidates=[replace(best, text="other", score=best.score - nats)])

    lines, ours = LINES[1:2], Translator(bundle).translate(LINES[1:2])
    found = selftest._different(lines, ours, [changed(ours[0])], "one", "other")
    assert (found is not None) is told


def test_an_exported_model_that_is_another_is_seen(bundle: Bundle, run: Path) -> None:
    other = load_bundle(run, torch.device("cpu"))
    assert selftest.same_as_run(bundle, other, LINES) is None and selftest.near_run(bundle, other, LINES) is None
    with torch.no_grad():
        other.model.output.bias[4:] += torch.linspace(-1, 1, len(other.model.output.bias) - 4)
    assert selftest.same_as_run(bundle, other, LINES) and "nats a token" in str(selftest.near_run(bundle, other, LINES))
