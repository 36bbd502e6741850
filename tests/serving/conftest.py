"""Servers of their own process, with models that are trained in seconds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import seq2seq
from tests.toy import write_toy

for package in ("starlette", "uvicorn", "python_multipart", "prometheus_client"):
    pytest.importorskip(package, reason="needs the extra [serve]")


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    text: str
    headers: Any

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Running:
    """A server's process."""

    def __init__(self, *arguments: str) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seq2seq", "serve", *arguments, "--port", "0", "--device", "cpu"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stderr is not None
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line)
            if " at http://" in line:
                break
        else:
            raise AssertionError("".join(self.said))
        self.url = self.said[-1].split()[-1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self._reading = threading.Thread(target=lambda: self.said.extend(self.process.stderr or []))
        self._reading.start()

    def ask(self, path: str, body: Any = None, kind: str = "application/json", **headers: str) -> Answer:
        """GET a path; or POST a body to it: bytes, or what is written as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind} | headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, response.read().decode(), response.headers)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(), error.headers)

    def translate(self, q: str | list[str], **others: Any) -> Any:
        """What is answered to a good request."""
        answer = self.ask("/translate", {"q": q, "source": "en", "target": "de"} | others)
        assert answer.status == 200, answer
        return answer.json

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._reading.join()
        return code


Start = Callable[..., contextlib.AbstractContextManager[Running]]


@pytest.fixture(scope="session")
def start() -> Start:
    """`with start(RUN, OPTION, ...) as server`"""

    @contextlib.contextmanager
    def starting(*arguments: str | Path) -> Iterator[Running]:
        server = Running(*map(str, arguments))
        try:
            yield server
        finally:
            server.stop(signal.SIGKILL)

    return starting


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By pair, runs that translate number words from English to German, and back."""
    runs = {}
    for src, tgt in (("en", "de"), ("de", "en")):
        folder = tmp_path_factory.mktemp(f"{src}-{tgt}")
        recipe = str(write_toy(folder))
        settings = [f"data.src={src}", f"data.tgt={tgt}", "training.max_epochs=8", "decoding.beam_size=4"]
        assert seq2seq("train", recipe, *settings, "--device", "cpu").code == 0
        runs[f"{src}-{tgt}"] = folder / "run"
    return runs


@pytest.fixture(scope="session")
def server(toys: dict[str, Path], start: Start) -> Iterator[Running]:
    """Serves both."""
    with start(*toys.values()) as running:
        yield running
