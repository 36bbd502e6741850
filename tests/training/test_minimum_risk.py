"""The risk against enumeration and finite differences; what it does to a model; that it trains as any other loss."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2seq import recipe
from seq2seq.bundle import make_model
from seq2seq.data.batching import Batch, collate
from seq2seq.data.preparation import PreparedPairs
from seq2seq.data.tokenization import BOS, EOS, PAD, load_tokenizers
from seq2seq.distributed import SINGLE_PROCESS, Processes
from seq2seq.evaluation.metrics import sentence_bleu
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.pipeline import Runner
from seq2seq.training import minimum_risk
from seq2seq.training.batch_loader import BatchLoader
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.log import TrainingLog
from seq2seq.training.minimum_risk import Risk, bleu_cost, expected_cost
from seq2seq.training.objective import Objective, StepTotals
from seq2seq.training.trainer import Trainer
from tests.command_line import seq2seq
from tests.test_distributed import log, train
from tests.toy import toy_recipe, write_toy

VOCAB = 6
EVERY = [[*words, EOS] for length in range(4) for words in itertools.product((4, 5), repeat=length)]
"""All translations of up to three words, in a language of two."""
Tokens = Sequence[int]


def far(translations: Sequence[Tokens], references: Sequence[Tokens]) -> list[float]:
    """A cost that differs from translation to translation."""
    return [abs(hash(tuple(t)) % 97 - len(r)) / 100 for t, r in zip(translations, references, strict=True)]


def tiny(**stack: object) -> Seq2Seq:
    """A model in float64, without dropout."""
    torch.manual_seed(4)
    values = {"cell": "gru", "hidden_size": 5} | stack
    config = recipe.ModelConfig.model_validate({"embedding": {"size": 4}, "encoder": values, "decoder": values})
    return Seq2Seq(config, VOCAB, VOCAB, PAD).double()


def batch() -> Batch:
    sources, targets = [[4, 5, EOS], [5, EOS], [4, 4, 5, EOS]], [[5, 4, EOS], [5, EOS], [5, 4, 4, EOS]]
    return collate(*([np.array(tokens) for tokens in side] for side in (sources, targets)))


def all_samples(*_: object) -> torch.Tensor:
    padded = torch.tensor([[*tokens, *[PAD] * (4 - len(tokens))] for tokens in EVERY])
    return padded.expand(3, -1, -1)


def enumerated(model: Seq2Seq, alpha: float) -> torch.Tensor:
    """The risk of the batch's sources over all translations, one after another, by the model's steps."""
    given, risks = batch(), []
    for i, length in enumerate(given.src_lengths.tolist()):
        reference = [t for t in given.tgt_output[i].tolist() if t != PAD]
        memory = model.encode(given.src[i : i + 1, :length], given.src_lengths[i : i + 1])
        scores = []
        for tokens in EVERY:
            state, score = model.start(memory), torch.zeros((), dtype=torch.double)
            for last, token in itertools.pairwise([BOS, *tokens]):
                logits, state = model.step(torch.tensor([[last]]), state, memory)
                score = score + logits[0, 0].log_softmax(-1)[token]
            scores.append(score)
        p = torch.stack(scores).exp() ** alpha
        costs = torch.tensor(far(EVERY, [reference] * len(EVERY)), dtype=torch.double)
        risks.append((p * costs).sum() / p.sum())
    return torch.stack(risks)


@pytest.mark.parametrize("stack", [{}, {"layers": 2, "cell": "lstm"}], ids=["gru", "deep lstm"])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_with_all_translations_as_candidates_risk_and_gradient_are_the_exact_ones(
    monkeypatch: pytest.MonkeyPatch, alpha: float, stack: dict[str, object]
) -> None:
    monkeypatch.setattr(minimum_risk, "sample", all_samples)
    model = tiny(**stack)
    risk = Risk(recipe.MinimumRiskConfig(alpha=alpha), model, far)(batch())
    expected = enumerated(model, alpha)
    torch.testing.assert_close(risk, expected)
    parameters = list(model.parameters())
    for one, other in zip(
        torch.autograd.grad(risk.sum(), parameters), torch.autograd.grad(expected.sum(), parameters), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_gradient_is_that_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minimum_risk, "sample", all_samples)
    model = tiny()
    risk = Risk(recipe.MinimumRiskConfig(alpha=0.5), model, far)
    weights = [model.output.bias, model.encoder.bridge.weight.weight, model.src_embedding.weight]
    gradients = torch.autograd.grad(risk(batch()).sum(), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        place = tuple(int(i) for i in torch.unravel_index(gradient.abs().argmax(), gradient.shape))
        values = []
        with torch.no_grad():
            for change in (1e-5, -2e-5):
                weight[place] += change
                values.append(risk(batch()).sum())
            weight[place] += 1e-5
        torch.testing.assert_close((values[0] - values[1]) / 2e-5, gradient[place], rtol=1e-6, atol=1e-10)


def test_the_distribution_is_even_for_a_small_alpha_and_the_best_alone_for_a_large_one() -> None:
    scores = torch.tensor([[-1.0, -5.0, -3.0], [-2.0, -4.0, -torch.inf]], requires_grad=True)
    costs = torch.tensor([[0.1, 0.5, 0.9], [0.2, 0.6, 0.0]])
    torch.testing.assert_close(expected_cost(scores, costs, 1e-9), torch.tensor([0.5, 0.4]))
    torch.testing.assert_close(expected_cost(scores, costs, 1e9), torch.tensor([0.1, 0.2]))
    expected_cost(scores, costs, 0.3).sum().backward()
    assert scores.grad is not None and scores.grad.isfinite().all() and scores.grad[1, 2] == 0


@pytest.mark.parametrize("reference", [True, False])
def test_candidates_are_different_and_hold_the_reference_if_wanted(
    monkeypatch: pytest.MonkeyPatch, reference: bool
) -> None:
    drawn = torch.tensor([[[4, 2, 0], [4, 2, 0], [5, 4, 2]], [[2, 0, 0]] * 3, [[5, 4, 2], [4, 2, 0], [4, 5, 2]]])
    monkeypatch.setattr(minimum_risk, "sample", lambda *_: drawn)
    given = collate([np.array([4, EOS])] * 3, [np.array([5, 4, EOS])] * 3)
    seen: list[list[int]] = []

    def cost(translations: Sequence[Tokens], references: Sequence[Tokens]) -> list[float]:
        assert references == [[5, 4, 2]] * len(translations)
        seen.extend(map(list, translations))
        return [0.5] * len(translations)

    risk = Risk(recipe.MinimumRiskConfig(reference=reference), tiny(), cost)(given)
    torch.testing.assert_close(risk, torch.full((3,), 0.5, dtype=torch.double))
    first = [[5, 4, 2]] if reference else []
    assert seen == [*first, [4, 2], *([] if reference else [[5, 4, 2]]), *first, [2], [5, 4, 2], [4, 2], [4, 5, 2]]


def toy(folder: Path, *settings: str) -> Trainer:
    """A trainer of the toy whose data are prepared, with minimum risk in epoch 1 and after."""
    given = toy_recipe(folder, "training.minimum_risk={after_epochs: 1, alpha: 0.05}", *settings)
    Runner(given).run("prepare")
    tokenizers = load_tokenizers(folder / "run/data")
    pairs = PreparedPairs(folder / "run/data/train.arrow")
    torch.manual_seed(1)
    return Trainer(
        given.training,
        Objective(given.training, make_model(given.model, tokenizers), "fp32", bleu_cost(tokenizers[1], "de")),
        BatchLoader(given.training.batch, pairs, None, seed=1),
        lambda _: {"loss": 1.0, "bleu": 1.0, "chrf": 1.0},
        Checkpoints(folder / "checkpoints", "id", given.training.checkpoints),
        TrainingLog(folder / "log"),
    )


def test_the_cost_is_one_less_the_bleu_of_the_text(tmp_path: Path) -> None:
    toy(tmp_path)
    tokenizer = load_tokenizers(tmp_path / "run/data")[1]
    texts = ["eins zwei drei vier", "vier eins zwei drei", "null"]
    tokens = [[*ids, EOS] for ids in tokenizer.encode_batch(texts)]
    costs = bleu_cost(tokenizer, "de")(tokens, tokens[:1] * 3)
    assert costs == pytest.approx([1 - b / 100 for b in sentence_bleu(texts, texts[:1] * 3, "de")])
    assert costs[0] == pytest.approx(0) and 0 < costs[1] < costs[2] == 1


def test_steps_lower_the_risk_of_a_trained_model(tmp_path: Path) -> None:
    run = toy(tmp_path, "training.schedule={kind: constant}", "training.ema_decay=null")
    given = run.loader.take(0, 0, SINGLE_PROCESS)
    for _ in range(60):  # the token loss
        run._seed_step()
        run.train_step(given)

    def risk() -> float:
        """Expected over many samples, the reference not among them."""
        assert isinstance(run.objective, Objective) and run.objective.risk is not None
        many = recipe.MinimumRiskConfig(samples=100, alpha=1e-9, reference=False)
        torch.manual_seed(99)
        with torch.no_grad():
            found: torch.Tensor = Risk(many, run.model, run.objective.risk.cost)(given[0])
        return float(found.mean())

    before, run.state.epoch = risk(), 1
    for group in run.optimizer.param_groups:
        group["lr"] = 0.003
    for _ in range(50):
        run._seed_step()
        run.train_step(given)
    assert 0.1 < before < 0.9
    assert risk() < before - 0.05


def few(_: Risk, __: Batch, references: Sequence[Tokens]) -> list[list[Tokens]]:
    """Candidates without chance."""
    return [[reference, reference[1:], [5, EOS]] for reference in references]


def test_a_step_in_parts_is_that_of_the_whole_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates fill the memory that a batch is planned for; sources are parted, sums are not."""
    monkeypatch.setattr(Risk, "_candidates", few)
    parted, whole = (toy(tmp_path, "model.decoder.dropout=0", "training.clip_norm=null") for _ in range(2))
    given = parted.loader.take(1, 0, SINGLE_PROCESS)
    parted.state.epoch = whole.state.epoch = 1
    parted.train_step(given)
    assert len(given[0].split(9)) >= 9
    monkeypatch.setattr(Batch, "split", lambda batch, _: [batch])
    whole.train_step(given)
    assert parted.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)
    one, other = parted.state.window, whole.state.window
    assert one.risk == pytest.approx(other.risk) and one.risked == other.risked == len(given[0].src)
    assert one.loss == pytest.approx(other.loss) and one.tokens == other.tokens == given[0].tgt_tokens


@pytest.mark.parametrize("settings", [[], ["model.decoder.recurrent_dropout=0.2", "model.decoder.weight_dropout=0.1"]])
def test_every_weight_has_a_gradient_and_penalties_stay(tmp_path: Path, settings: list[str]) -> None:
    cell = "model.decoder.cell={kind: gru, activity_regularizer: {l2: 0.01}, kernel_regularizer: {l1: 0.01}}"
    run = toy(tmp_path, cell, *settings)
    given, whole = run.loader.take(1, 0, SINGLE_PROCESS)[0], StepTotals(step=1, tokens=1, sentences=1, parts=1, epoch=1)
    run.model.train()
    for _ in range(2):  # what one step leaves behind must not trouble the next
        target, loss, nll, risk, _ = run.objective(given, whole)
        target.backward()
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in run.parameters)
    assert 0 < float(risk) < len(given.src) and float(loss) > 0 and float(nll) > 0 and run.model.training


def test_a_batch_that_another_process_counts_has_a_gradient_of_zero(tmp_path: Path) -> None:
    run = toy(tmp_path)
    (given,) = run.loader.take(1, 0, Processes(rank=98, count=99))  # there are fewer sentences
    target, *sums = run.objective(given, StepTotals(step=1, tokens=1, sentences=1, parts=2, epoch=1))
    target.backward()
    assert sums == [0, 0, 0, 0] and all(weight.grad is not None and not weight.grad.any() for weight in run.parameters)


def test_the_token_loss_weighs_what_the_recipe_says(tmp_path: Path) -> None:
    run = toy(tmp_path)
    assert isinstance(run.objective, Objective) and run.objective.risk is not None
    token, risk = torch.tensor(2.0, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    for share in (0.0, 0.3):
        run.objective.risk.config = recipe.MinimumRiskConfig(alpha=0.05, token_weight=share)
        found = run.objective.risk.weighted(token, risk)
        assert found.item() == pytest.approx(share * 2 + (1 - share) * 0.3 / 0.05)
    assert [float(g) for g in torch.autograd.grad(found, [token, risk])] == pytest.approx([0.3, 14])


def test_bf16_has_about_the_same_gradient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Risk, "_candidates", few)
    run = toy(tmp_path, "model.decoder.dropout=0")
    given, whole = (
        run.loader.take(1, 0, SINGLE_PROCESS)[0],
        StepTotals(step=1, tokens=100, sentences=1, parts=1, epoch=1),
    )
    gradients = []
    for precision in ("fp32", "bf16"):
        run.objective.precision = precision  # type: ignore[assignment]
        target, *_ = run.objective(given, whole)
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(target, run.parameters)]))
    assert gradients[1].dtype == torch.float32
    assert (gradients[0] - gradients[1]).norm() < 0.1 * gradients[0].norm()


SETTINGS = ["training.max_epochs=3", "training.minimum_risk={after_epochs: 1, samples: 3}", "training.log_every=1"]


@pytest.mark.slow
def test_killed_trainings_end_in_the_same_bits(tmp_path: Path) -> None:
    done = seq2seq("verify-resume", str(write_toy(tmp_path, train=60)), *SETTINGS, "--kills", "1")
    assert done.code == 0, done.err
    assert "the same bits" in done.out


def test_the_log_tells_the_risk_from_its_first_epoch_on(tmp_path: Path) -> None:
    Runner(toy_recipe(tmp_path, *SETTINGS, train=60)).run("train")
    lines = (tmp_path / "run/train.jsonl").read_text().splitlines()
    records = [record for record in map(json.loads, lines) if record["kind"] == "train"]
    per_epoch = len(records) // 3
    assert [("risk" in record) for record in records] == [False] * per_epoch + [True] * (2 * per_epoch)
    assert all(0 < record["risk"] < 1 for record in records[per_epoch:])
    losses = [record["loss"] for record in records]
    assert abs(losses[per_epoch] - losses[per_epoch - 1]) < 1.5  # nats a token of the reference, before and after


@pytest.mark.slow
def test_two_processes_train_together(tmp_path: Path) -> None:
    """Each samples for itself; gradients meet once a step, whatever the number of its parts, even if it has none."""
    path = write_toy(tmp_path, train=31)
    train(2, path, *SETTINGS, "training.batch={tokens: 7, accumulate: 2}", f"output_dir={tmp_path}/two")
    risks = [record["risk"] for record in log(tmp_path / "two") if "risk" in record]
    assert len(risks) > 4 and all(0 < risk < 1 for risk in risks)


def test_a_recipe_whose_training_ends_before_is_refused(tmp_path: Path) -> None:
    path = write_toy(tmp_path)
    done = seq2seq("validate", str(path), "training.minimum_risk={after_epochs: 2}")
    assert done.code == 2 and "training.minimum_risk.after_epochs: training ends before" in done.err
    done = seq2seq("validate", str(path), "training.minimum_risk={after_epochs: 1, samples: 1, reference: false}")
    assert done.code == 2 and "training.minimum_risk.samples: one candidate alone" in done.err
    done = seq2seq("validate", str(path), "training.mrt={after_epochs: 1}")
    assert "did you mean `minimum_risk`?" in done.err
