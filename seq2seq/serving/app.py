"""The server's routes: LibreTranslate's, metrics, and the page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.languages import language_name
from seq2seq.serving.answers import answer
from seq2seq.serving.batching import Batcher, Way
from seq2seq.serving.limits import Access, Limits
from seq2seq.serving.metrics import Metrics
from seq2seq.serving.models import Pairs
from seq2seq.serving.refusal import Refusal, busy
from seq2seq.serving.requests import Asked, read
from seq2seq.serving.spec import openapi
from seq2seq.serving.static import page_routes

T = TypeVar("T")
GONE = 499
"""The status that is counted where a client has not waited for its answer (nginx's number)."""


class Service:
    """Answers requests with the models of `pairs`.

    Args:
        batch_size: lines translated together, at the most.
        origins: web pages of which sites may ask (CORS); none: only the server's own.
    """

    def __init__(
        self, pairs: Pairs, limits: Limits, access: Access, batch_size: int = 32, origins: list[str] | None = None
    ) -> None:
        self.pairs, self.limits, self.access = pairs, limits, access
        self.batcher = Batcher(batch_size, limits.queue, self._translated)
        self.metrics = Metrics(lambda: self.batcher.lines)
        self.paths = {
            "/translate": (self.translate, ["POST"]),
            "/languages": (self.languages, ["GET"]),
            "/frontend/settings": (self.settings, ["GET"]),
            "/health": (self.health, ["GET"]),
            "/spec": (self.spec, ["GET"]),
            "/metrics": (self.tell_metrics, ["GET"]),
        }
        cors = Middleware(CORSMiddleware, allow_origins=origins or [], allow_methods=["*"], allow_headers=["*"])
        self.app = Starlette(
            routes=[
                *(Route(path, function, methods=methods) for path, (function, methods) in self.paths.items()),
                *page_routes(),
            ],
            middleware=[Middleware(Counted, service=self), *([cors] if origins else [])],
            exception_handlers={Refusal: _refused, HTTPException: _not_found, Exception: _failed},
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        working = asyncio.create_task(self.batcher.work())
        yield
        working.cancel()
        await asyncio.wait([working])

    def _translated(self, way: Way, lines: int, seconds: float) -> None:
        self.metrics.batches.labels(str(way.pair)).observe(lines)
        self.metrics.computing.labels(str(way.pair)).inc(seconds)

    async def translate(self, request: Request) -> Response:
        """`POST /translate`"""
        try:
            asked = await read(request, self.limits)
            address = request.client.host if request.client else ""
            self.access.admit(asked.api_key, address, len(asked.texts))
            return _json(await _unless_gone(request, self._answer(asked)))
        except ClientDisconnect:
            return Response(status_code=GONE)

    async def _answer(self, asked: Asked) -> dict[str, Any]:
        pair = self.pairs.find(asked.source, asked.target)
        try:
            async with asyncio.timeout(self.limits.seconds):
                result = await answer(asked, pair, self.batcher)
        except TimeoutError:
            raise busy(503, f"Not translated within {self.limits.seconds:g} seconds", self.limits.seconds) from None
        self.metrics.characters.labels(str(pair)).inc(asked.characters)
        if asked.source == "auto":
            detected = {"confidence": 100.0, "language": pair.source}
            result["detectedLanguage"] = [detected] * len(asked.texts) if asked.listed else detected
        return result

    async def languages(self, request: Request) -> Response:
        """`GET /languages`"""
        return _json(self.pairs.languages())

    async def settings(self, request: Request) -> Response:
        """`GET /frontend/settings`"""
        first = self.pairs.all[0]
        named = {
            side: {"code": code, "name": language_name(code)}
            for side, code in (("source", first.source), ("target", first.target))
        }
        return _json(
            {
                "apiKeys": self.access.keys_required,
                "charLimit": self.limits.characters,
                "filesTranslation": False,
                "frontendTimeout": 500,
                "keyRequired": self.access.keys_required,
                "language": named,
                "suggestions": False,
                "supportedFilesFormat": [],
            }
        )

    async def health(self, request: Request) -> Response:
        """`GET /health`"""
        return _json({"status": "ok"})

    async def spec(self, request: Request) -> Response:
        """`GET /spec`"""
        return _json(openapi(self.pairs, self.limits))

    async def tell_metrics(self, request: Request) -> Response:
        """`GET /metrics`"""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; stopped where the client goes away.

    Raises:
        ClientDisconnect: it went.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Counted:
    """Counts requests, with their status and seconds, and keeps what browsers should not do with answers."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            await self.app(scope, receive, watching)
        finally:
            path = scope["path"] if scope["path"] in self.service.paths else "other"
            metrics = self.service.metrics
            metrics.requests.labels(path, status).inc()
            metrics.seconds.labels(path).observe(time.perf_counter() - start)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, headers, "application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _json({"error": error.message}, error.status, error.headers)


async def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code, dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> Response:
    """Ours: what it was stands in uvicorn's log, not in the answer."""
    return _json({"error": "Internal server error"}, 500)
