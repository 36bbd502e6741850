"""Whether `seq2seq serve` stays well among broken clients: memory flat, no error 500, every good request answered.

    python -m tools.soak_serving RUN FILE --minutes 10

Good clients ask for lines of FILE, one or several a request, and compare what they are answered with what the server
translated before; beside them broken clients of every kind below, two of each, come again and again. Ends with exit
code 1 and says why where the server failed. Memory is the server's resident set, by the second; its growth is the
median of the last quarter of the time beside that of the second.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tools.served import Answer, Client, Served, read_answer

GOOD = 8
BROKEN = 2
HUGE = 100 << 20
PATIENCE = 60
"""Seconds that a good client waits."""
GROWTH = 0.05
"""Of memory, that is still called flat."""
WARM = 120
"""Seconds that a soak takes at least for its memory to be judged."""
CHUNK = b"x" * (1 << 16)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Broken = Callable[[Stream, bytes], Awaitable[Answer | None]]
"""What a broken client does with its connection and a good body."""


def head(length: int | None, kind: str = "application/json") -> bytes:
    """Of a request, with its body's length; None: it comes in chunks."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST /translate HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode()


async def half_sent(stream: Stream, good: bytes) -> None:
    """Hangs up in the middle of a body."""
    stream[1].write(head(len(good)) + good[: len(good) // 2])
    await stream[1].drain()


async def half_a_head(stream: Stream, good: bytes) -> None:
    """Says nothing more until the server hangs up."""
    stream[1].write(head(len(good))[:30])
    await stream[0].read()


async def closed(stream: Stream, good: bytes) -> None:
    """Asks, and hangs up before it is answered."""
    stream[1].write(head(len(good)) + good)
    await stream[1].drain()
    await asyncio.sleep(random.random() / 20)


async def huge(stream: Stream, good: bytes) -> Answer:
    """100 MB, as it says before."""
    stream[1].write(head(HUGE))
    with contextlib.suppress(ConnectionError):
        for _ in range(HUGE // len(CHUNK)):
            stream[1].write(CHUNK)
            await stream[1].drain()
    return await read_answer(stream[0])


async def huge_in_chunks(stream: Stream, good: bytes) -> Answer:
    """100 MB, without saying so."""
    stream[1].write(head(None))
    with contextlib.suppress(ConnectionError):
        for _ in range(HUGE // len(CHUNK)):
            stream[1].write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
            await stream[1].drain()
    return await read_answer(stream[0])


async def slow_reader(stream: Stream, good: bytes) -> None:
    """Asks for many answers, and reads a byte of them now and then."""
    stream[1].write((head(len(good)) + good) * 20)
    await stream[1].drain()
    for _ in range(20):
        await stream[0].read(1)
        await asyncio.sleep(0.1)


async def slow_writer(stream: Stream, good: bytes) -> Answer:
    """Sends a good request byte by byte."""
    stream[1].write(head(len(good)))
    for i in range(len(good)):
        stream[1].write(good[i : i + 1])
        await asyncio.sleep(0.01)
    return await read_answer(stream[0])


async def no_json(stream: Stream, good: bytes) -> Answer:
    """JSON that is none, or too deep."""
    body = random.choice([good[:-1], b"{" * 5000, b"[" * 5000, bytes(range(256)), b"null", b'"q"'])
    stream[1].write(head(len(body)) + body)
    return await read_answer(stream[0])


async def wrong_types(stream: Stream, good: bytes) -> Answer:
    """Values that no request has."""
    names = ["q", "source", "target", "format", "alternatives", "scores", "api_key"]
    wrong = [[], {}, [None], [[]], {"a": 1}, 1e308, -1.5, True, "\ud800", "x" * 20_000]
    changed = json.loads(good) | {random.choice(names): random.choice(wrong)}
    body = json.dumps(changed).encode()
    stream[1].write(head(len(body)) + body)
    return await read_answer(stream[0])


async def no_http(stream: Stream, good: bytes) -> None:
    """Noise."""
    stream[1].write(random.randbytes(3000) + b"\r\n\r\n")
    await stream[0].read()


async def wrong_form(stream: Stream, good: bytes) -> Answer:
    """Parts of a form that never end."""
    body = b"--x\r\nContent-Disposition: form-data; name=q\r\n\r\n" + good
    stream[1].write(head(len(body), "multipart/form-data; boundary=x") + body)
    return await read_answer(stream[0])


KINDS: list[Broken] = [half_sent, half_a_head, closed, huge, huge_in_chunks, slow_reader, slow_writer, no_json,
                       wrong_types, no_http, wrong_form]  # fmt: skip


class Soak:
    """What came of it.

    Args:
        pair: languages.
        until: by `time.monotonic`.
    """

    def __init__(self, served: Served, pair: tuple[str, str], lines: list[str], until: float) -> None:
        self.served, self.pair, self.lines, self.until = served, pair, lines, until
        self.known: dict[str, str] = {}
        self.memory: list[float] = []
        self.statuses: Counter[int] = Counter()
        """That the server counts in the end; 499: the client did not wait."""
        self.faults: list[str] = []
        self.good = 0
        self.broken: Counter[str] = Counter()

    async def run(self) -> None:
        """Until the time is up."""
        good = [self._good_client() for _ in range(GOOD)]
        broken = [self._broken_client(kind) for kind in KINDS for _ in range(BROKEN)]
        await asyncio.gather(*good, *broken, self._watch())

    async def _good_client(self) -> None:
        client = Client(self.served)
        while time.monotonic() < self.until:
            lines = random.sample(self.lines, min(len(self.lines), random.choice([1, 1, 1, 5])))
            try:
                async with asyncio.timeout(PATIENCE):
                    answer = await client.translate("\n".join(lines), *self.pair)
            except (OSError, EOFError) as error:  # TimeoutError is an OSError
                self.faults.append(f"a good request was not answered: {error!r}")
                client.close()
                continue
            self.good += 1
            if answer.status != 200:
                self.faults.append(f"a good request was answered with {answer.status}: {answer.body[:200]!r}")
                continue
            for line, text in zip(lines, answer.text.split("\n"), strict=True):
                if self.known.setdefault(line, text) != text:
                    self.faults.append(f"{line!r} became {text!r}, and before {self.known[line]!r}")
        client.close()

    async def _broken_client(self, kind: Broken) -> None:
        source, target = self.pair
        while time.monotonic() < self.until:
            good = json.dumps({"q": random.choice(self.lines), "source": source, "target": target}).encode()
            stream = None
            with contextlib.suppress(OSError, EOFError, TimeoutError):  # the server may hang up on such
                async with asyncio.timeout(max(0.1, min(60, self.until - time.monotonic()))):
                    stream = await asyncio.open_connection(self.served.host, self.served.port)
                    await kind(stream, good)
            if stream:
                stream[1].transport.abort()
            self.broken[kind.__name__] += 1
            await asyncio.sleep(0.05)

    async def _watch(self) -> None:
        while time.monotonic() < self.until:
            self.memory.append(self.served.memory)
            await asyncio.sleep(1)

    def look_back(self) -> None:
        """At what the server counted, and at its memory."""
        counts = re.findall(r'^seq2seq_requests_total{.*status="(\d+)".* (\S+)$', self.served.get("/metrics"), re.M)
        for status, count in counts:
            self.statuses[int(status)] += int(float(count))
        if self.statuses[500]:
            self.faults.append(f"{self.statuses[500]} requests ended in error 500")
        before, after = self._quarters()
        if len(self.memory) > WARM and after > before * (1 + GROWTH):
            self.faults.append(f"memory has grown from {before:.0f} to {after:.0f} MiB")
        if not self.good:
            self.faults.append("no good request was answered")

    def _quarters(self) -> tuple[float, float]:
        """Memory in the second quarter of the time, and in the last: medians, in MiB."""
        size = max(1, len(self.memory) // 4)
        return statistics.median(self.memory[size : 2 * size] or self.memory), statistics.median(self.memory[-size:])

    def __str__(self) -> str:
        before, after = self._quarters()
        broken = ", ".join(f"{name} {count}" for name, count in sorted(self.broken.items()))
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return "\n".join(
            [
                f"good requests answered: {self.good:,}",
                f"broken clients: {sum(self.broken.values()):,} ({broken})",
                f"statuses by the server's count: {statuses}",
                f"memory: {self.memory[0]:.0f} MiB at first, {before:.0f} in the second quarter, "
                f"{after:.0f} in the last, {max(self.memory):.0f} at the most",
            ]
        )


def main() -> None:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="run, model or exported folder")
    parser.add_argument("file", type=Path, metavar="FILE", help="text to translate, a sentence a line")
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    lines = [line for line in options.file.read_text(encoding="utf-8").split("\n") if line.strip()]
    with Served(options.run, "--device", "cpu", "--threads", "1") as served:
        first = next(language for language in json.loads(served.get("/languages")) if language["targets"])
        pair = (first["code"], first["targets"][0])
        soak = Soak(served, pair, lines, time.monotonic() + 60 * options.minutes)
        asyncio.run(soak.run())
        soak.look_back()
    print(soak)
    if soak.faults:
        raise SystemExit("\n".join(soak.faults[:20]))


if __name__ == "__main__":
    main()
