"""What is said before a training, and soon after it has begun, is so."""

import re
from pathlib import Path

import pytest

from seq2seq.training import pace
from tests.command_line import seq2seq
from tests.toy import write_toy

SMALL = """training.batch.tokens=60 training.max_steps=114 training.max_epochs=5 training.validate_every=114
training.log_every=50 training.checkpoints.every_steps=1000""".split()


def test_the_estimate_is_told_once_when_the_speed_is_known() -> None:
    """100 steps: three slow ones of 9 seconds, then two a second."""
    clock, told = pace.Pace(), []
    for step in range(1, 101):
        told += [(step, line) for line in [clock.after(9.0 if step <= 3 else 0.5, 100 - step)] if line]
    ((step, line),) = told
    assert step == 13 and "about 44 seconds for the remaining 87 steps, at 2 steps a second" in line


def test_nothing_is_told_of_a_training_that_is_over() -> None:
    clock = pace.Pace()
    assert [clock.after(2.0, 3 - step) for step in (1, 2, 3)] == [None] * 3
    assert clock.after(9.0, 0) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (40, "40 seconds"), (100, "2 minutes"), (1560, "26 minutes"), (12_600, "3.5 hours")],
)
def test_durations(seconds: float, text: str) -> None:
    assert pace.duration(seconds) == text


def trained(folder: Path, *settings: str) -> tuple[str, float]:
    """What a training says, and its last loss."""
    result = seq2seq("train", str(write_toy(folder, train=2000)), *SMALL, *settings)
    assert result.code == 0, result.err
    (loss,) = re.findall(r"step 114: loss ([\d.]+)", result.err)
    return result.err, float(loss)


def test_a_training_of_114_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long for it is told before the first step, and following that helps."""
    monkeypatch.setattr(pace, "MEASURED", 0.05)
    for name in ("long", "short", "default"):
        (tmp_path / name).mkdir()
    told, slow = trained(tmp_path / "long", "training.schedule.warmup_steps=300")
    before, _, after = told.partition("step 1: loss")
    assert "plan: at most 114 steps" in before and "plan: warm-up of 300 steps" in before
    (advice,) = re.findall(
        r"warning: training.schedule.warmup_steps: training has 114 steps, and the learning rate rises for 300, "
        r"to 38% of optimizer.learning_rate at the end; set (\d+), or train longer",
        before,
    )
    assert re.search(r"warning: training.max_steps: .* an epoch has \d+: \d+% of the pairs are seen", before)
    assert re.search(r"plan: about \d+ seconds? for the remaining \d+ steps", after)

    told, fast = trained(tmp_path / "short", f"training.schedule.warmup_steps={advice}")
    assert "warmup_steps: training has" not in told and fast < slow - 0.1
    told, default = trained(tmp_path / "default", "training.schedule.warmup_steps=null")
    assert "plan: warm-up of 11 steps" in told and "warmup_steps: training has" not in told and default < slow - 0.1


def test_a_warm_up_of_most_of_the_training(tmp_path: Path) -> None:
    told, _ = trained(tmp_path, "training.schedule.warmup_steps=100")
    assert "114 steps, and the learning rate rises for 100; set 11, or train longer" in told
