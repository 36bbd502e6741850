"""Guided alignment: attention learns to look where it is told, and the token loss stays what it is."""

from pathlib import Path

import pytest
import torch

from seq2seq.bundle import load_bundle
from seq2seq.data.alignment import parse
from seq2seq.data.tokenization import EOS
from seq2seq.decoding.scoring import attention_weights
from seq2seq.distributed import SINGLE_PROCESS
from seq2seq.nn.seq2seq import Seq2Seq
from seq2seq.pipeline import Runner
from seq2seq.pipeline.trainer import make_trainer
from seq2seq.training.objective import Objective, StepTotals
from seq2seq.training.trainer import Trainer
from tests.command_line import seq2seq
from tests.test_distributed import EXACT, log, train
from tests.toy import toy_recipe, write_toy

GUIDED = ["data.train.alignments=train.align", "training.guided_alignment=1.0"]


def found(folder: Path) -> float:
    """Share of the validation set's target words whose attention is greatest where the given alignment is."""
    trained = load_bundle(folder / "run/model", torch.device("cpu"))
    lines = zip(*((folder / f"valid.{name}").read_text().splitlines() for name in ("en", "de", "align")), strict=True)
    right = []
    for src, tgt, line in lines:
        ids = trained.src_tokenizer.encode_batch([src, tgt])
        weights = attention_weights(trained.model, *([*side, EOS] for side in ids))
        assert weights is not None
        right += [int(weights[t].argmax()) == s for s, t in parse(line)]
    return sum(right) / len(right)


@pytest.mark.parametrize("settings", [[], ["model.decoder.input_feeding=true", "model.decoder.cell=lstm"]])
def test_attention_looks_where_it_is_told_sooner_than_it_would(tmp_path: Path, settings: list[str]) -> None:
    shares, settings = [], [*settings, "training.max_epochs=6", "training.ema_decay=null"]
    for name, guide in (("guided", GUIDED), ("alone", [])):
        (tmp_path / name).mkdir()
        Runner(toy_recipe(tmp_path / name, *settings, *guide)).run("train")
        shares.append(found(tmp_path / name))
    assert shares[0] > 0.9 and shares[0] > shares[1] + 0.2, shares
    losses = [r["alignment_loss"] for r in log(tmp_path / "guided/run") if r["kind"] == "train"]
    assert losses[-1] < losses[0] / 3
    assert not any("alignment_loss" in record for record in log(tmp_path / "alone/run"))


def trainer(folder: Path, *settings: str) -> Trainer:
    """A trainer of the toy whose data are prepared, with dropout off."""
    runner = Runner(toy_recipe(folder, *GUIDED, "model.decoder.dropout=0", *settings, train=31))
    runner.run("prepare")
    return make_trainer(runner.context())


def test_the_token_loss_is_the_same_and_the_target_has_the_weighted_mean_besides(tmp_path: Path) -> None:
    run = trainer(tmp_path, "training.guided_alignment=0.3")
    batch = run.loader.take(0, 0, SINGLE_PROCESS)[0]
    assert isinstance(run.objective, Objective) and isinstance(run.model, Seq2Seq) and batch.alignment is not None
    assert batch.aligned == batch.tgt_tokens - len(batch.src)  # all but </s>
    whole = StepTotals(step=1, tokens=50, sentences=1, parts=1, aligned=20)
    target, loss, nll, _, alignment = run.objective(batch, whole)
    weights = run.model(batch.src, batch.src_lengths, batch.tgt_input, with_attention=True).attention
    assert weights is not None
    expected = -(batch.alignment * weights.log().nan_to_num(neginf=0)).sum()
    torch.testing.assert_close(alignment, expected.detach())
    torch.testing.assert_close(target.detach(), loss / 50 + 0.3 * alignment / 20)
    plain = run.objective(type(batch)(**{**vars(batch), "alignment": None}), whole)
    torch.testing.assert_close(plain[1], loss)
    torch.testing.assert_close(plain[2], nll)
    assert plain[4] == 0


def test_two_passes_for_r_drop_count_as_their_mean(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    runs = trainer(tmp_path / "a"), trainer(tmp_path / "b", "training.r_drop=1.0", "model.decoder.dropout=1e-9")
    batch, whole = (
        runs[0].loader.take(0, 0, SINGLE_PROCESS)[0],
        StepTotals(step=1, tokens=1, sentences=1, parts=1, aligned=1),
    )
    torch.testing.assert_close(*(run.objective(batch, whole)[4] for run in runs))


def test_parts_of_a_step_weigh_by_their_aligned_tokens(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    settings = "training.batch={tokens: 40, accumulate: 4}", "training.clip_norm=null"
    parted, whole = trainer(tmp_path / "a", *settings), trainer(tmp_path / "b", *settings)
    batches = parted.loader.take(0, 0, SINGLE_PROCESS)
    parted.train_step(batches)
    whole.train_step([part for batch in batches for part in batch.split(len(batch.src))])
    one, other = parted.state.window, whole.state.window
    assert one.alignment_loss == pytest.approx(other.alignment_loss) and one.aligned == other.aligned
    assert parted.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one(tmp_path: Path) -> None:
    """Even where a batch has fewer sentences than processes."""
    path, settings = (
        write_toy(tmp_path, train=31),
        [*GUIDED, *EXACT, "training.batch.tokens=7", "training.max_steps=15"],
    )
    for processes in (1, 2):
        train(processes, path, *settings, f"output_dir={tmp_path}/{processes}")
    one, other = ([r for r in log(tmp_path / name) if r["kind"] == "train"] for name in ("1", "2"))
    for record, again in zip(one, other, strict=True):
        assert again["alignment_loss"] == pytest.approx(record["alignment_loss"], rel=1e-3)


@pytest.mark.slow
def test_killed_trainings_end_in_the_same_bits(tmp_path: Path) -> None:
    settings = [*GUIDED, "training.max_steps=30"]
    done = seq2seq("verify-resume", str(write_toy(tmp_path, train=100)), *settings, "--kills", "1")
    assert done.code == 0, done.err
    assert "the same bits" in done.out
