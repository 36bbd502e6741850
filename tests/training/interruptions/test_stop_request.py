"""Signals while a training runs, and after it."""

import os
import signal

import pytest

from seq2seq.distributed import ProcessLost
from seq2seq.training.interruption import StopRequest


def test_signals_are_noted_while_the_block_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # the same request
    assert stop.made is not None and signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(ValueError, match="other"), StopRequest().listening():
        raise ValueError("other")
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_has_lost_another_process_has_time_to_say_so() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(ProcessLost), StopRequest().listening():
            raise ProcessLost("process 0 of 2: another process of this training is gone")
        os.kill(os.getpid(), signal.SIGTERM)  # torchrun's
        assert signal.getsignal(signal.SIGINT) == before[1]
    finally:
        signal.signal(signal.SIGTERM, before[0])
