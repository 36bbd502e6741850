"""How fast `seq2seq serve` answers: lines/s and latency at several numbers of clients, beside translating without it.

    python -m tools.benchmark_serving RUN FILE
    python -m tools.benchmark_serving EXPORTED FILE --clients 1 8 64 --rounds 3 --sentences 500

Rows: the lines of FILE translated in this process one by one, and all at once in batches; then asked of a server by so
many clients, each with one line a request over a connection that is kept, and the next when the last is answered. All
with the same model and threads, in turn, `--rounds` times; the fastest counts, since other work on the machine only
slows. Latency is from a request's first byte to its answer's last. "CPU" is lines by processor time of whoever
translates, which other work disturbs less. "of batch" and "p99 of one" set lines/s beside those of the batches, p99
beside that of one by one. "other" counts answers that are not what this process translates.
"""

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from seq2seq.cli.translate import load_models
from seq2seq.decoding.translator import Translator
from tools.served import Client, Served

COLUMNS = ("lines/s", "CPU", "p50 ms", "p95 ms", "p99 ms", "of batch", "p99 of one", "other")


@dataclass(frozen=True)
class Measured:
    """Lines translated in one way."""

    texts: list[str]
    wall: float
    cpu: float
    latencies: list[float]
    """In seconds, of each request; none of batches."""

    @property
    def rate(self) -> float:
        return len(self.texts) / self.wall

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return 1000 * sorted(self.latencies)[math.ceil(share * len(self.latencies)) - 1]


def alone(translator: Translator, lines: Sequence[str], size: int) -> Measured:
    """Translated here, `size` lines at a call."""
    texts, latencies = [], []
    start, used = time.perf_counter(), time.process_time()
    for first in range(0, len(lines), size):
        asked = time.perf_counter()
        texts += [found.text for found in translator.translate(lines[first : first + size])]
        latencies.append(time.perf_counter() - asked)
    return Measured(texts, time.perf_counter() - start, time.process_time() - used, latencies if size == 1 else [])


async def asked_of(served: Served, pair: tuple[str, str], lines: Sequence[str], clients: int) -> Measured:
    """Translated by the server.

    Raises:
        SystemExit: an answer is none.
    """
    texts, latencies, waiting = [""] * len(lines), [], iter(range(len(lines)))

    async def one() -> None:
        client = Client(served)
        for i in waiting:
            asked = time.perf_counter()
            answer = await client.translate(lines[i], *pair)
            latencies.append(time.perf_counter() - asked)
            if answer.status != 200:
                raise SystemExit(f"status {answer.status}: {answer.body.decode()}")
            texts[i] = answer.text
        client.close()

    start, used = time.perf_counter(), served.seconds
    await asyncio.gather(*(one() for _ in range(clients)))
    return Measured(texts, time.perf_counter() - start, served.seconds - used, latencies)


def measure(options: argparse.Namespace) -> dict[str, Measured]:
    """The fastest round of each row."""
    (model,) = load_models([options.run], None, "cpu", options.threads)
    translator = Translator(model, batch_size=options.batch_size)
    lines = [line for line in options.file.read_text(encoding="utf-8").split("\n") if line.strip()][: options.sentences]
    pair = (model.config.src.replace("_", "-"), model.config.tgt.replace("_", "-"))
    threads = ["--threads", str(options.threads), "--batch-size", str(options.batch_size), "--queue", "10000"]
    best: dict[str, Measured] = {}
    with Served(options.run, *threads, "--device", "cpu") as served:
        for _ in range(options.rounds):
            taken = {"one by one": alone(translator, lines, 1), "batches": alone(translator, lines, len(lines))}
            for clients in options.clients:
                name = f"{clients} client{'s' * (clients > 1)}"
                taken[name] = asyncio.run(asked_of(served, pair, lines, clients))
            for name, found in taken.items():
                print(f"{name}: {found.wall:.1f} s", file=sys.stderr, flush=True)
                best[name] = min(best.get(name, found), found, key=lambda measured: measured.wall)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="run, model or exported folder")
    parser.add_argument("file", type=Path, metavar="FILE", help="text to translate, a sentence a line")
    parser.add_argument("--sentences", type=int, default=1000, metavar="N", help="at most so many of FILE")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()
    rows = measure(options)
    one, batches = rows["one by one"], rows["batches"]
    table = Table("", *(Column(name, justify="right") for name in COLUMNS))
    for name, row in rows.items():
        shares = [row.percentile(share) for share in (0.5, 0.95, 0.99)] if row.latencies else []
        values = [f"{row.rate:.1f}", f"{len(row.texts) / row.cpu:.1f}", *(f"{value:.0f}" for value in shares)]
        values += [""] * (5 - len(values)) + [f"{row.rate / batches.rate:.0%}"]
        values += [f"{row.percentile(0.99) / one.percentile(0.99):.1f}" if row.latencies else ""]
        values += [str(sum(a != b for a, b in zip(row.texts, batches.texts, strict=True)))]
        table.add_row(name, *values)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
