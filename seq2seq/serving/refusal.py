"""A request that is not answered, and why."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """Told to the client as LibreTranslate tells it: `{"error": message}`.

    Args:
        status: of HTTP.
        headers: that go with it.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def busy(status: int, message: str, seconds: float) -> Refusal:
    """One that says when to come again."""
    return Refusal(status, message, {"Retry-After": str(max(1, round(seconds)))})
