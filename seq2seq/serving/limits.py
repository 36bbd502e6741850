"""What a server allows: sizes, times, and who may ask how often."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.files import read_bounded
from seq2seq.serving.refusal import Refusal, busy

KEY_FILE_BYTES = 1 << 22
MOST_KNOWN = 10_000
"""Clients whose rates are remembered; of more the longest silent are forgotten."""


@dataclass(frozen=True)
class Limits:
    """Of one server."""

    characters: int = 10_000
    """Of all texts of a request together."""
    texts: int = 128
    """In a request."""
    queue: int = 512
    """Lines that wait or are being translated; more are refused with 429."""
    seconds: float = 30.0
    """Until a request is answered; and until it has been sent."""

    @property
    def body(self) -> int:
        """Bytes: each character may be written as \\ud83d\\ude00, and percent-encoded as that."""
        return 36 * self.characters + 4096 + 256 * self.texts


class Rate:
    """So many texts a minute for each client, in a token bucket that holds a minute's."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # texts left, and when that was

    def take(self, client: str, texts: int, a_minute: int) -> float:
        """Seconds until so many texts are allowed: 0 if they are, and then they are taken."""
        now = time.monotonic()
        left, since = self._left.pop(client, (float(a_minute), now))
        left = min(float(a_minute), left + (now - since) * a_minute / 60)
        cost = min(texts, a_minute)  # a list of more takes all of a minute
        allowed = left >= cost
        self._left[client] = (left - cost if allowed else left, now)
        while len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        return 0.0 if allowed else (cost - left) * 60 / a_minute


class Access:
    """Who may translate, and how much.

    Args:
        keys: API keys, each with its texts a minute (None: any number); none: no key is asked for.
        rate: texts a minute of each client without a key of its own; None: any number.
    """

    def __init__(self, keys: dict[str, int | None] | None = None, rate: int | None = None) -> None:
        self._keys = {_hash(key): limit for key, limit in (keys or {}).items()}
        self._rate, self._rates = rate, Rate()

    @property
    def keys_required(self) -> bool:
        """Whether a request needs an API key."""
        return bool(self._keys)

    def admit(self, key: str | None, address: str, texts: int) -> None:
        """Let a request in.

        Raises:
            Refusal: 403 without a valid key, 429 above the rate.
        """
        client, limit = f"address {address}", self._rate
        if self._keys:
            if not key:
                raise Refusal(403, "Please contact the server operator to get an API key")
            client = _hash(key)
            if client not in self._keys:
                raise Refusal(403, "Invalid API key")
            limit = self._keys[client]
        if limit is not None and (seconds := self._rates.take(client, texts, limit)):
            raise busy(429, f"Slowdown: {limit} texts per 1 minute", seconds)


def read_keys(path: Path) -> dict[str, int | None]:
    """A file of API keys: one a line, with the texts a minute it may ask for behind it; `#` begins a comment.

    Raises:
        UserError: it cannot be read, or a line is not so.
    """
    try:
        lines = read_bounded(path, KEY_FILE_BYTES).split("\n")
    except (OSError, ValueError) as error:
        raise UserError(f"--keys {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found: dict[str, int | None] = {}
    for number, line in enumerate(lines, 1):
        key, *rest = line.split("#")[0].split() or [""]
        if not key:
            continue
        if len(rest) > 1 or not all(word.isascii() and word.isdigit() and 0 < int(word) < 1e9 for word in rest):
            raise UserError(f"--keys {path}, line {number}: must be a key and, where it is limited, texts a minute")
        found[key] = int(rest[0]) if rest else None
    if not found:
        raise UserError(f"--keys {path}: holds no key; write one a line, or leave --keys away")
    return found


def _hash(key: str) -> str:
    """What is compared and remembered instead of a key."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
