"""The training loop by what it must keep: accumulation, bad steps, plateaus, patience, the running mean."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq import recipe
from seq2seq.bundle import weights_of
from seq2seq.distributed import SINGLE_PROCESS
from seq2seq.errors import UserError
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.training import checkpoint
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.log import TrainingLog
from seq2seq.training.objective import Objective, StepTotals
from seq2seq.training.trainer import Trainer

VOCAB = 20
Pair = tuple[np.ndarray, np.ndarray]


class Pairs:
    """Sentence pairs in memory: the source, and the same sentence as its translation."""

    def __init__(self, count: int = 40) -> None:
        random = np.random.default_rng(0)
        self.rows = [np.array([*random.integers(4, VOCAB, random.integers(2, 6)), 2], np.int32) for _ in range(count)]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> Pair:
        lengths = np.array([len(row) for row in self.rows], np.int32)
        return lengths, lengths

    def take(self, indices: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        rows = [self.rows[i] for i in indices]
        return rows, rows


def trainer(folder: Path, validate: Callable[[Seq2Seq], dict[str, float]] | None = None, **settings: object) -> Trainer:
    """A trainer of a tiny model without dropout."""
    values = {
        "batch": {"tokens": 60},
        "log_every": 1,
        "max_epochs": 2,
        "precision": "fp32",
        "ema_decay": None,
    } | settings
    config = recipe.TrainingConfig.model_validate(values)
    torch.manual_seed(0)
    stack = {"cell": "gru", "hidden_size": 8}
    model = Seq2Seq(
        recipe.ModelConfig.model_validate({"embedding": {"size": 8}, "encoder": stack, "decoder": stack}),
        VOCAB,
        VOCAB,
        0,
    )
    scores = validate or (lambda _: {"loss": 1.0, "bleu": 1.0, "chrf": 1.0})
    return Trainer(
        config,
        Objective(config, model, "fp32"),
        BatchLoader(config.batch, Pairs(), None, seed=1),  # type: ignore[arg-type]
        scores,
        Checkpoints(folder / "checkpoints", "id", config.checkpoints),
        TrainingLog(folder / "log"),
    )


def records(folder: Path, kind: str) -> list[dict[str, float]]:
    return [r for line in (folder / "log").read_text().splitlines() if (r := json.loads(line))["kind"] == kind]


def test_accumulated_batches_give_the_gradient_of_one_large_batch(tmp_path: Path) -> None:
    small = trainer(tmp_path / "a", optimizer={"kind": "sgd", "learning_rate": 0.1}, clip_norm=None)
    pieces = [small.loader.take(0, place, SINGLE_PROCESS)[0] for place in (0, 1)]
    rows = [pair for piece in pieces for pair in zip(piece.src, piece.tgt_output, strict=True)]
    whole = trainer(tmp_path / "b", optimizer={"kind": "sgd", "learning_rate": 0.1}, clip_norm=None)
    from seq2seq.data.batching import collate  # noqa: PLC0415

    large = collate(*([side[side != 0].numpy() for side in sides] for sides in zip(*rows, strict=True)))
    small.train_step(pieces)
    whole.train_step([large])
    for name, weight in weights_of(small.model).items():
        torch.testing.assert_close(weight, weights_of(whole.model)[name], atol=1e-6, rtol=1e-5)


def test_normalization_is_by_tokens_or_by_sentences(tmp_path: Path) -> None:
    by_tokens, by_sentences = trainer(tmp_path / "a"), trainer(tmp_path / "b", normalization="sentences")
    batch = by_tokens.loader.take(0, 0, SINGLE_PROCESS)[0]
    whole = StepTotals(step=1, tokens=30, sentences=6, parts=1)
    tokens, sentences = (run.objective(batch, whole).target for run in (by_tokens, by_sentences))
    torch.testing.assert_close(sentences * 6, tokens * 30)


SWITCH = {"switch_optimizer": {"after_steps": 4, "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9}}}
OPTIMIZERS = [{"optimizer": kind} for kind in ("adam", "adamw", "sgd", "adadelta", "rmsprop", "adagrad")]


@pytest.mark.parametrize(
    ("settings", "saved"), [*((settings, 3) for settings in OPTIMIZERS), (SWITCH, 3), (SWITCH, 4), (SWITCH, 5)], ids=str
)
def test_a_resumed_training_ends_in_the_same_bits(tmp_path: Path, settings: dict[str, object], saved: int) -> None:
    """With a rate that falls in the midst of epochs."""

    class Cut(Exception):
        pass

    def cut(model: Seq2Seq) -> dict[str, float]:
        raise Cut

    falling = {"kind": "exponential", "after": 0.5, "every": 0.3}
    often = {"checkpoints": {"every_steps": saved}, "validate_every": saved + 1, "early_stopping": {"patience": None}}
    keys = {"max_epochs": 6, "max_steps": 8, "schedule": falling, **often, **settings}
    straight, broken = trainer(tmp_path / "a", **keys), trainer(tmp_path / "b", cut, **keys)
    straight.run()
    with pytest.raises(Cut):
        broken.run()
    resumed = trainer(tmp_path / "b", **keys)
    resumed.run()
    for name, weight in weights_of(straight.model).items():
        assert torch.equal(weight, weights_of(resumed.model)[name]), name
    rates = [[r["learning_rate"] for r in records(tmp_path / run, "train")] for run in ("a", "b")]
    assert rates[0] == rates[1] and len(rates[0]) == 8 and len(set(rates[0])) > 2
    assert type(resumed.optimizer).__name__.lower() == settings.get("optimizer", "sgd")


def test_steps_without_a_finite_loss_are_skipped_and_at_last_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path, max_epochs=9, validate_every=50)
    before = {name: weight.clone() for name, weight in weights_of(run.model).items()}

    def bad(*_: object) -> tuple[torch.Tensor, ...]:
        loss = sum((weight.sum() for weight in run.parameters), torch.tensor(0.0)) * torch.nan
        return loss, torch.tensor(1.0), torch.tensor(0.0), None

    monkeypatch.setattr(run.objective, "_loss", bad)
    with pytest.raises(UserError, match=r"10 steps in a row .*learning_rate"):
        run.run()
    short = trainer(tmp_path / "short", max_epochs=1)  # over before the tenth
    monkeypatch.setattr(short.objective, "_loss", bad)
    with pytest.raises(UserError, match=r"steps in a row .*learning_rate"):
        short.run()
    assert all(torch.equal(weight, before[name]) for name, weight in weights_of(run.model).items())


def test_training_ends_when_patience_does_and_keeps_the_best(tmp_path: Path) -> None:
    bleu = iter([5.0, 7.0, 6.0, 6.5, 9.0])
    run = trainer(
        tmp_path,
        lambda _: {"loss": 1.0, "bleu": next(bleu), "chrf": 1.0},
        max_epochs=50,
        early_stopping={"metric": "bleu", "patience": 2},
    )
    state = run.run()
    assert [r["bleu"] for r in records(tmp_path, "validation")] == [5.0, 7.0, 6.0, 6.5]
    best = records(tmp_path, "validation")[1]["step"]
    assert state.ranking == [(7.0, best)]
    assert run.best_weights().keys() == weights_of(run.model).keys()


def test_a_damaged_best_model_is_named(tmp_path: Path) -> None:
    """One that no later checkpoint replaces: only training from scratch brings it back."""
    bleu = iter([7.0, 6.0, 5.0, 4.0])
    run = trainer(tmp_path, lambda _: {"loss": 1.0, "bleu": next(bleu), "chrf": 1.0}, max_epochs=4)
    _, best = run.run().ranking[0]
    file = tmp_path / "checkpoints" / f"step-{best:06d}" / checkpoint.TENSORS
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{file} is damaged .*; it held the best model: add --force to train from"):
        run.best_weights()


def test_a_plateau_lowers_the_rate(tmp_path: Path) -> None:
    run = trainer(
        tmp_path,
        max_epochs=6,
        early_stopping={"patience": None},
        schedule={"kind": "plateau", "factor": 0.5, "patience": 1},
        optimizer={"kind": "adam", "learning_rate": 0.01},
    )
    run.run()
    rates = sorted({r["learning_rate"] for r in records(tmp_path, "train")}, reverse=True)
    assert rates == pytest.approx([0.01, 0.005, 0.0025])


def test_validation_sees_the_running_mean_and_training_goes_on_with_its_own_weights(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    def validate(model: Seq2Seq) -> dict[str, float]:
        seen.append(model.output.bias.detach().clone())
        return {"loss": 1.0, "bleu": 1.0, "chrf": 1.0}

    run = trainer(tmp_path, validate, max_epochs=1, ema_decay=0.9)
    run.run()
    assert run.mean is not None
    assert torch.equal(seen[0], run.mean.weights["output.bias"])
    assert not torch.equal(seen[0], run.model.output.bias)
    assert torch.equal(run.best_weights()["output.bias"], seen[0])


@pytest.mark.parametrize("limit", [{"max_steps": 3}, {"max_epochs": 1}])
def test_the_last_step_is_validated(tmp_path: Path, limit: dict[str, int]) -> None:
    state = trainer(tmp_path, **limit).run()
    assert records(tmp_path, "validation")[-1]["step"] == state.step
    assert limit.get("max_steps", state.step) == state.step


def test_the_loss_falls(tmp_path: Path) -> None:
    run = trainer(
        tmp_path, max_epochs=40, optimizer={"kind": "adam", "learning_rate": 0.02}, early_stopping={"patience": None}
    )
    run.run()
    losses = [r["loss"] for r in records(tmp_path, "train")]
    assert losses[-1] < 0.6 * losses[0]


def test_a_budget_ends_the_training_with_its_best_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rare = {"checkpoints": {"every_steps": 10**6}, "validate_every": 10**6, "early_stopping": {"patience": None}}
    run = trainer(tmp_path, max_epochs=10_000, budget="1s", schedule={"kind": "cosine", "warmup_steps": 5}, **rare)
    state = run.run()
    assert state.seconds < 5 and state.ranking[0][1] == state.step
    assert "budget of 1s spent; best bleu 1.000 at step" in capsys.readouterr().err
    rates = [record["learning_rate"] for record in records(tmp_path, "train")]
    assert rates[-1] < 0.2 * max(rates)  # the cosine has run its course


@pytest.mark.parametrize("budget", ["20", "m", "1d", "-3m", "1,5h"])
def test_a_budget_is_a_time(budget: str) -> None:
    with pytest.raises(ValueError, match="budget"):
        recipe.TrainingConfig.model_validate({"budget": budget})


def test_r_drop_adds_the_divergence_of_two_passes(tmp_path: Path) -> None:
    """Without dropout the passes are the same, and so is the loss; with it they differ by the divergence."""
    plain, twice = trainer(tmp_path / "a"), trainer(tmp_path / "b", r_drop=3.0)
    batch, whole = plain.loader.take(0, 0, SINGLE_PROCESS)[0], StepTotals(step=1, tokens=1, sentences=1, parts=1)
    torch.testing.assert_close(plain.objective(batch, whole), twice.objective(batch, whole))
    twice.model.train().output_dropout.p = 0.5
    torch.manual_seed(3)
    loss, *_ = twice.objective(batch, whole)
    twice.objective.config = twice.config.model_copy(update={"r_drop": 1e-9})
    torch.manual_seed(3)
    without, *_ = twice.objective(batch, whole)
    assert loss > without + 0.01
    twice.model.zero_grad()
    loss.backward()
    assert all(weight.grad is not None for weight in twice.parameters)
