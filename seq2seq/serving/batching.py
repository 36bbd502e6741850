"""Lines of many requests, translated together: whatever waits when the last ones are done comes next."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from seq2seq.decoding.translation import Translation
from seq2seq.serving.models import Pair
from seq2seq.serving.refusal import busy

GATHER_SECONDS = 0.02
"""How long, at the most, lines wait for as many as came last: clients answered together ask again together."""
BATCHES = 2
"""That are taken at once, to be sorted: a batch takes the time of its longest line."""


@dataclass(frozen=True)
class Way:
    """How a line is to be translated; only those of one way go together."""

    pair: Pair
    n_best: int = 1
    align: bool = False


@dataclass(order=True)
class Waiting:
    """A line of a request."""

    turn: tuple[int, int]
    line: str = field(compare=False)
    done: asyncio.Future[Translation] = field(compare=False)


class Batcher:
    """Translates in a thread of its own, a batch at a time.

    Lines take turns: the n-th of a request comes with the n-th of others, so that a long text holds nobody up.

    Args:
        batch_size: lines translated together, at the most.
        most: lines that may wait or be in work; a request is taken whole or not at all, and always by an idle server.
        translated: is told of each batch: its way, how many lines it had, and seconds.
    """

    def __init__(self, batch_size: int, most: int, translated: Callable[[Way, int, float], None]) -> None:
        self.batch_size, self.most = batch_size, most
        self.lines = 0
        """That wait or are in work."""
        self._translated = translated
        self._queues: dict[Way, list[Waiting]] = {}
        self._arrived = asyncio.Event()
        self._order = itertools.count()
        self._turn = 0
        self._seconds_a_line = 0.05
        self._thread = ThreadPoolExecutor(1, "translating")

    async def translate(self, lines: Sequence[str], way: Way) -> list[Translation]:
        """One translation a line; equal to what they are alone.

        Raises:
            Refusal: 429, too many lines wait.
        """
        if not lines:
            return []
        if self.lines and self.lines + len(lines) > self.most:
            raise busy(429, "Slowdown: too many requests at once", self.lines * self._seconds_a_line)
        loop = asyncio.get_running_loop()
        waiting = [
            Waiting((self._turn + i, next(self._order)), line, loop.create_future()) for i, line in enumerate(lines)
        ]
        queue = self._queues.setdefault(way, [])
        self.lines += len(waiting)
        for one in waiting:
            one.done.add_done_callback(self._leave)
            heapq.heappush(queue, one)
        self._arrived.set()
        return await asyncio.gather(*(one.done for one in waiting))  # cancels them where it is cancelled

    def _leave(self, done: asyncio.Future[Translation]) -> None:
        self.lines -= 1

    async def work(self) -> None:
        """Translate what arrives, until it is cancelled."""
        size, seconds = 0, 0.0
        try:
            while True:
                await self._gather(size, min(GATHER_SECONDS, seconds / 4))
                way, taken = self._next()
                if way is not None:
                    size, seconds = len(taken), await self._sorted(way, taken)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _gather(self, size: int, seconds: float) -> None:
        """Wait for a line, and then a moment for as many as came last."""
        while not self._queues:
            self._arrived.clear()
            await self._arrived.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while sum(map(len, self._queues.values())) < size:
                    self._arrived.clear()
                    await self._arrived.wait()

    def _next(self) -> tuple[Way | None, list[Waiting]]:
        """Of the way whose turn it is, the lines that are still wanted."""
        way = min(self._queues, key=lambda way: self._queues[way][0])
        queue, taken = self._queues[way], list[Waiting]()
        while queue and len(taken) < BATCHES * self.batch_size:
            one = heapq.heappop(queue)
            self._turn = max(self._turn, one.turn[0])
            if not one.done.done():
                taken.append(one)
        if not queue:
            del self._queues[way]
        return (way if taken else None), taken

    async def _sorted(self, way: Way, taken: Sequence[Waiting]) -> float:
        """Translate lines, in batches of those that are about as long; returns seconds."""
        lengths = way.pair.lengths([one.line for one in taken])
        taken = [taken[i] for i in sorted(range(len(taken)), key=lengths.__getitem__)]
        seconds = 0.0
        size = math.ceil(len(taken) / math.ceil(len(taken) / self.batch_size))
        for start in range(0, len(taken), size):
            if batch := [one for one in taken[start : start + size] if not one.done.done()]:
                seconds += await self._carry_out(way, batch)
        return seconds

    async def _carry_out(self, way: Way, batch: Sequence[Waiting]) -> float:
        """Translate a batch; returns seconds."""
        start = time.perf_counter()
        run = asyncio.get_running_loop().run_in_executor
        try:
            found = await run(self._thread, way.pair.translate, [one.line for one in batch], way.n_best, way.align)
        except Exception as error:
            if len(batch) == 1:
                _end(batch[0].done, error)
                return 0.0
            for one in batch:  # each by itself: one that cannot be translated takes no other with it
                await self._carry_out(way, [one])
            return time.perf_counter() - start
        seconds = time.perf_counter() - start
        self._seconds_a_line += 0.2 * (seconds / len(batch) - self._seconds_a_line)
        self._translated(way, len(batch), seconds)
        for one, translation in zip(batch, found, strict=True):
            _end(one.done, translation)
        return seconds


def _end(done: asyncio.Future[Translation], result: Translation | Exception) -> None:
    if done.done():  # nobody waits for it any more
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)
