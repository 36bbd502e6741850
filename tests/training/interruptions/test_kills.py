"""Killed at any moment, stopped by SIGTERM and Ctrl-C: the same command resumes and ends in the same bits."""

import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.training.interruptions.processes import (
    OPERATIONS,
    Command,
    arguments,
    assert_same_bits,
    copy,
    die_writing,
    finish,
    logged,
    newest,
    partials,
    wait,
)

SEED = 3
KILLS = 20


@pytest.mark.slow
def test_killed_twenty_times_at_random_moments(prepared: Path, straight: Path, tmp_path: Path) -> None:
    """In the write of a checkpoint, soon after one, at any time from the start on; the real command line too."""
    run, moments = copy(prepared, tmp_path), random.Random(SEED)
    kinds = ["writing"] * 8 + ["after"] * 5 + ["any"] * 4 + ["command after", "command writing"]
    moments.shuffle(kinds)
    seen, to_first = [0], 0.0
    for kind in ["after", *kinds]:
        before, command, started = seen[-1], arguments(run), time.perf_counter()
        if kind == "writing":
            process = Forked(
                *command, first=partial(die_writing, moments.randint(1, 2), moments.randint(2, OPERATIONS))
            )
        else:
            process = Command(*command) if "command" in kind else Forked(*command)
            if kind != "any":
                wait(process, lambda since=before: newest(run) > since)
                to_first = to_first or time.perf_counter() - started
            if kind == "command writing":
                wait(process, lambda: bool(partials(run)))
            else:  # not so long that the training could end
                until = time.perf_counter() + moments.uniform(0, to_first if kind == "any" else to_first / 5)
                wait(process, lambda until=until, far=before + 6: time.perf_counter() > until or newest(run) >= far)
            process.send_signal(signal.SIGKILL)
        code, said = process.end()
        assert code == -signal.SIGKILL, said
        assert kind != "writing" or partials(run), "it was not in the midst of writing"
        seen.append(newest(run))
        assert seen[-1] > before or kind in ("any", "writing")
    assert len(seen) == 1 + KILLS and seen == sorted(seen), "no checkpoint is ever lost"
    assert f"resuming from step {seen[-1]} of 120" in finish(run)
    assert_same_bits(straight, run)


# --- SIGTERM and Ctrl-C ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_first(number: signal.Signals, killed: Path, straight: Path, tmp_path: Path) -> None:
    """The checkpoint is of the step that the training had come to, though none is due there."""
    run = copy(killed, tmp_path)
    before = newest(run)
    process = Command(*arguments(run, "training.checkpoints.every_steps=1000"))
    wait(process, lambda: logged(run) > logged(killed))
    process.send_signal(number)
    code, said = process.end()
    assert code == 130, said
    assert said.count("stopping after this step; saving ...") == 1 and "Traceback" not in said
    assert said.endswith("stopped; all finished work is saved, the same command resumes from there\n")
    reached = newest(run)
    assert before < logged(run) <= reached < logged(run) + 3
    assert f"resuming from step {reached} of 120" in finish(run)
    assert_same_bits(straight, run)


def test_killed_while_saving_for_a_signal(killed: Path, straight: Path, tmp_path: Path) -> None:
    """What it leaves, half-written for a step that gets no checkpoint later, is cleared away."""
    run = copy(killed, tmp_path)
    before = newest(run)
    rarely = "training.checkpoints.every_steps=1000"
    process = Forked(*arguments(run, rarely), first=partial(die_writing, 1, OPERATIONS // 2))
    wait(process, lambda: logged(run) > logged(killed))
    process.send_signal(signal.SIGTERM)
    code, said = process.end()
    assert code == -signal.SIGKILL and "saving ..." in said and partials(run), said
    assert f"resuming from step {before} of 120" in finish(run, rarely)
    assert_same_bits(straight, run)
