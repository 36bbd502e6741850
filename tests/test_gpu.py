"""On a GPU: the same numbers as on a processor, and trainings that go on from one to the other."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from seq2seq.nn.seq2seq import Seq2Seq
from tests.command_line import seq2seq
from tests.nn.test_seq2seq import batches, models
from tests.toy import write_toy

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
@given(models(), batches())
def test_every_model_computes_on_a_gpu_what_it_computes_on_a_processor(
    model: Seq2Seq, batch: tuple[torch.Tensor, ...]
) -> None:
    model, other = model.float(), deepcopy(model).float().cuda()
    found = other.logits(other(*(part.cuda() for part in batch)).states)
    expected = model.logits(model(*batch).states)
    torch.testing.assert_close(found.cpu(), expected, atol=1e-4, rtol=1e-4)
    expected.pow(2).sum().backward()
    found.pow(2).sum().backward()
    for (name, parameter), twin in zip(model.named_parameters(), other.parameters(), strict=True):
        if parameter.grad is not None:
            torch.testing.assert_close(
                twin.grad.cpu(), parameter.grad, atol=1e-3, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
            )


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "train.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "settings", [["model.decoder.dropout=0"], ["model.decoder.dropout=0", "model.encoder.cell=lstm"]]
)
def test_a_training_has_the_loss_curve_of_a_processor(tmp_path: Path, settings: list[str]) -> None:
    curves = []
    for device in ("cpu", "cuda"):
        (tmp_path / device).mkdir()
        recipe = write_toy(tmp_path / device)
        done = seq2seq("train", str(recipe), "--device", device, "training.log_every=1", *settings)
        assert done.code == 0, done.err
        curves.append(losses(tmp_path / device / "run"))
    assert curves[1] == pytest.approx(curves[0], rel=1e-2)
    assert curves[1][:10] == pytest.approx(curves[0][:10], rel=1e-4)


@pytest.mark.parametrize(("first", "second"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_a_run_goes_on_on_another_device(tmp_path: Path, first: str, second: str) -> None:
    """Trained in bf16 here, then translated there: the test set and standard input."""
    recipe = write_toy(tmp_path)
    done = seq2seq("train", str(recipe), "--device", first, "training.precision=bf16")
    assert done.code == 0, done.err
    done = seq2seq("run", str(recipe), "--device", second, "training.precision=bf16")
    assert done.code == 0, done.err
    assert (tmp_path / "run/report/report.html").exists()


def test_translations_are_those_of_a_processor(tmp_path: Path) -> None:
    recipe = write_toy(tmp_path)
    assert seq2seq("run", str(recipe), "--device", "cuda", "training.max_epochs=8").code == 0
    hypotheses = []
    for device, size in (("cpu", "32"), ("cuda", "32"), ("cuda", "1"), ("cuda", "7")):
        words = ["translate", str(tmp_path / "run"), "--device", device, "--batch-size", size]
        with (tmp_path / "test.en").open() as lines:
            done = subprocess.run(
                [sys.executable, "-m", "seq2seq", *words], stdin=lines, capture_output=True, check=True
            )
        hypotheses.append(done.stdout)
    assert len(set(hypotheses)) == 1 and hypotheses[0].strip()
