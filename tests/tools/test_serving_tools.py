"""The server among broken clients for a few seconds; and that the tools measure it and see what is wrong."""

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.toy import ENGLISH
from tools.served import Served
from tools.soak_serving import KINDS, Soak

for package in ("starlette", "uvicorn", "python_multipart", "prometheus_client"):
    pytest.importorskip(package, reason="needs the extra [serve]")


RUN = str(Path(__file__).parents[1] / "stored_models" / "format-2-first")


def test_good_requests_are_answered_among_broken_clients() -> None:
    with Served(RUN, "--device", "cpu", "--threads", "1") as served:
        soak = Soak(served, ("en", "de"), ENGLISH, time.monotonic() + 5)
        asyncio.run(soak.run())
        soak.look_back()
    assert not soak.faults, soak
    assert soak.good > 10 and set(soak.broken) == {kind.__name__ for kind in KINDS}
    assert {200, 400, 413} <= soak.statuses.keys() <= {200, 400, 413, 499}
    assert "good requests answered" in str(soak)


def test_what_is_wrong_is_seen() -> None:
    """A server that fails at every request, changes its mind and grows."""
    texts = iter(f'{{"translatedText": "{i}"}}' for i in range(100_000))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = next(texts).encode()
        status = 500 if len(body) % 2 else 200
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        await writer.drain()
        writer.close()

    async def soak() -> Soak:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        count = 'seq2seq_requests_total{path="/translate",status="500"} 3.0\n'
        fake: Any = SimpleNamespace(host=host, port=port, memory=100.0, get=lambda path: count)
        found = Soak(fake, ("en", "de"), ["one"], time.monotonic() + 0.5)
        await found.run()
        found.memory = [100.0] * 200 + [110.0] * 100
        found.look_back()
        server.close()
        return found

    faults = "\n".join(asyncio.run(soak()).faults)
    for said in ("answered with 500", "became", "3 requests ended in error 500", "from 100 to 110 MiB"):
        assert said in faults


def test_the_benchmark_has_a_row_for_each_number_of_clients(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("one two\n\nthree four\nfive\n")
    command = [sys.executable, "-m", "tools.benchmark_serving", RUN, str(tmp_path / "text"), "--rounds", "1",
               "--clients", "1", "2"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"│ (one by one|batches|\d clients?) .*│\s+(\d+) │$", done.stdout, re.M)
    assert rows == [("one by one", "0"), ("batches", "0"), ("1 client", "0"), ("2 clients", "0")]
