"""Serving an application until it is told to stop, whatever its clients do."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from seq2seq.errors import UserError
from seq2seq.serving.app import Service

CONNECTIONS = 1000
HEADER_BYTES = 1 << 15
SILENT_SECONDS = 15.0
"""Until a client has sent a request's head, or has read some of an answer."""
LINGERING_BYTES = 1 << 27
"""Of a request that is refused before all of it is there, so many are dropped, for `SILENT_SECONDS` at the most: its
client gets to read why."""


class Lingering:
    """A connection that says what it has to say before it is closed: while the client still sends, that would be lost.

    Args:
        sending: whether it does.
    """

    def __init__(self, transport: asyncio.Transport, sending: Callable[[], bool]) -> None:
        self._transport, self._sending = transport, sending
        self.lingers, self._dropped = False, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Say that nothing comes any more, and close when the client has understood."""
        if self.is_closing() or not self._sending():
            self._transport.close()
            return
        self.lingers = True
        asyncio.get_running_loop().call_later(SILENT_SECONDS, self._transport.abort)
        self._transport.write_eof()
        self._transport.resume_reading()

    def drop(self, data: bytes) -> None:
        """What was sent meanwhile."""
        self._dropped += len(data)
        if self._dropped > LINGERING_BYTES:
            self._transport.abort()


class Protocol(H11Protocol):
    """uvicorn's, which does not wait for ever for a client's head, nor for it to read, nor for its refused body."""

    silent_seconds = SILENT_SECONDS
    _silent: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._lingering = Lingering(transport, lambda: self.conn.their_state is h11.SEND_BODY)
        super().connection_made(self._lingering)  # type: ignore[arg-type]
        self._expect_something(True)

    def data_received(self, data: bytes) -> None:
        if self._lingering.lingers:
            self._lingering.drop(data)
            return
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # nonsense behind a request that is being answered
            self.transport.abort()
        answering = self.cycle is not None and not self.cycle.response_complete
        self._expect_something(not answering)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_something(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._expect_something(False)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._expect_something(False)

    def _expect_something(self, expected: bool) -> None:
        """Begin to count a client's silence, unless it is counted already; or end it."""
        if not expected and self._silent is not None:
            self._silent.cancel()
            self._silent = None
        elif expected and self._silent is None:
            self._silent = self.loop.call_later(self.silent_seconds, self.transport.abort)


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises:
        UserError: the address is taken, or is none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"--host {host} --port {port}: {reason}; name another, --port 0 takes any that is free"
        ) from None


def serve(service: Service, listening: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM; those accepted by then are answered first."""
    config = uvicorn.Config(
        service.app,
        http=Protocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=round(2 * service.limits.seconds) + 1,
    )
    host, port = listening.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    print(f"serving {', '.join(map(str, service.pairs.all))} at http://{address}:{port}", file=sys.stderr, flush=True)
    with contextlib.ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again when all is answered
            stack.callback(signal.signal, number, signal.signal(number, _ended))
        uvicorn.Server(config).run(sockets=[listening])


def _ended(number: int, frame: Any) -> None:
    """It has been obeyed."""
