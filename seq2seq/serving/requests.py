"""What a client asks for: read within limits, checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from seq2seq.serving.limits import Limits
from seq2seq.serving.refusal import Refusal

EXTRAS = ("scores", "alignment", "confidence")
"""What an answer has only when asked for it."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


@dataclass(frozen=True)
class Asked:
    """A request to translate."""

    texts: list[str]
    listed: bool
    """Whether it came as a list, and is answered so."""
    source: str
    target: str
    html: bool
    alternatives: int
    extras: frozenset[str]
    """Of EXTRAS."""
    api_key: str | None

    @property
    def characters(self) -> int:
        """Of all texts."""
        return sum(map(len, self.texts))


async def read(request: Request, limits: Limits) -> Asked:
    """Read and check a request to translate.

    Raises:
        Refusal: it is too large, too slow, or wrong.
        ClientDisconnect: the client has gone.
    """
    return checked(await _values(request, await _body(request, limits), limits), limits)


async def _body(request: Request, limits: Limits) -> bytes:
    too_large = Refusal(413, f"Request body exceeds {limits.body:,} bytes", {"Connection": "close"})
    if int(request.headers.get("content-length", 0)) > limits.body:  # h11 has seen that it is a number
        raise too_large
    body = b""
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body:
                    raise too_large
    except TimeoutError:
        message = f"Request not received within {limits.seconds:g} seconds"
        raise Refusal(408, message, {"Connection": "close"}) from None
    return body


async def _values(request: Request, body: bytes, limits: Limits) -> dict[str, Any]:
    """Of the body, and of the query behind the address."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in FORMS:
        return dict(request.query_params) | await _form(request, body, limits)
    if not body:
        return dict(request.query_params)
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise Refusal(400, "Invalid JSON format")
    return dict(request.query_params) | values


async def _form(request: Request, body: bytes, limits: Limits) -> dict[str, Any]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    again = Request(request.scope, receive)
    try:
        form = await again.form(max_files=0, max_fields=limits.texts + 16, max_part_size=limits.body)
    except (HTTPException, ValueError, KeyError) as error:
        reason = error.detail if isinstance(error, HTTPException) else "cannot be read"
        raise Refusal(400, f"Invalid form: {reason}") from None
    values = {name: form.getlist(name) for name in form}
    return {name: given if len(given) > 1 else given[0] for name, given in values.items()}


def checked(values: Mapping[str, Any], limits: Limits) -> Asked:
    """A request from its values.

    Raises:
        Refusal: 400, in LibreTranslate's words where it has some.
    """
    for name in ("q", "source", "target"):
        if not values.get(name):
            raise Refusal(400, f"Invalid request: missing {name} parameter")
    texts, listed = _texts(values["q"], limits)
    form = _text(values, "format", "text")
    if form not in ("text", "html"):
        raise Refusal(400, f"{form[:40]} format is not supported")
    extras = frozenset(name for name in EXTRAS if _flag(values, name))
    if extras and form == "html":
        raise Refusal(400, f"Invalid request: {', '.join(sorted(extras))} of html: ask for text")
    return Asked(
        texts=texts,
        listed=listed,
        source=_text(values, "source"),
        target=_text(values, "target"),
        html=form == "html",
        alternatives=_count(values, "alternatives"),
        extras=extras,
        api_key=_text(values, "api_key", "") or None,
    )


def _texts(given: Any, limits: Limits) -> tuple[list[str], bool]:
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise Refusal(400, "Invalid request: q parameter must be a text or a list of texts")
    if len(texts) > limits.texts:
        raise Refusal(400, f"Invalid request: request ({len(texts)}) exceeds batch limit ({limits.texts})")
    size = sum(map(len, texts))
    if size > limits.characters:
        raise Refusal(400, f"Invalid request: request ({size}) exceeds text limit ({limits.characters})")
    return [_writable(text).replace("\r\n", "\n") for text in texts], isinstance(given, list)


def _text(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = values.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Refusal(400, f"Invalid request: {name} parameter must be a text")
    return _writable(value)


def _count(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name) or 0
    try:
        if isinstance(value, str | int):
            return max(0, int(value))
    except ValueError:
        pass
    raise Refusal(400, f"Invalid request: {name} parameter is not a number")


def _flag(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name)
    word = str(value).lower() if isinstance(value, str | int) else "" if value is None else "?"
    if word not in (*_YES, *_NO):
        raise Refusal(400, f"Invalid request: {name} parameter must be true or false")
    return word in _YES


def _writable(text: str) -> str:
    """JSON can hold half a surrogate pair, which no answer can."""
    return text.encode("utf-8", "replace").decode()
