"""A client that sends far too much gets to read why it is refused, whether or not it reads meanwhile."""

import asyncio
import functools
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from seq2seq.serving import server as module
from seq2seq.serving.server import LINGERING_BYTES, Lingering
from tests.serving.conftest import Running

CHUNK = b"x" * (1 << 20)
HUGE = 100
"""Chunks."""


@pytest.fixture
def client(server: Running) -> Iterator[socket.socket]:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        yield connection


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /translate HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def answer(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


@pytest.mark.parametrize("told", [True, False], ids=["told before", "in chunks"])
def test_all_is_sent_and_the_answer_is_read(client: socket.socket, server: Running, told: bool) -> None:
    length = f"Content-Length: {HUGE * len(CHUNK)}" if told else "Transfer-Encoding: chunked"
    client.sendall(head(length))
    for _ in range(HUGE):
        client.sendall(CHUNK if told else b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
    found = answer(client).lower()
    assert found.startswith(b"http/1.1 413 ") and b"connection: close" in found and b"request body exceeds" in found
    assert server.translate("one two three")["translatedText"]


def test_it_is_not_dropped_without_end(client: socket.socket, server: Running) -> None:
    client.sendall(head(f"Content-Length: {1 << 40}"))
    sent = 0
    with pytest.raises(ConnectionError):
        while sent < 4 * LINGERING_BYTES:
            client.sendall(CHUNK)
            sent += len(CHUNK)
    assert sent > LINGERING_BYTES // 2
    assert server.translate("one two three")["translatedText"]


def test_it_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.05)
    done: list[str] = []
    transport: Any = SimpleNamespace(
        is_closing=lambda: False,
        **{name: functools.partial(done.append, name) for name in ("close", "abort", "write_eof", "resume_reading")},
    )

    async def closed(sends: bool) -> list[str]:
        done.clear()
        lingering = Lingering(transport, lambda: sends)
        lingering.close()
        assert lingering.is_closing() == sends
        await asyncio.sleep(0.2)
        return done

    assert asyncio.run(closed(True)) == ["write_eof", "resume_reading", "abort"]
    assert asyncio.run(closed(False)) == ["close"]
