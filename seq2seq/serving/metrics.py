"""What a server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LINES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """One server's, with those of its process (memory, processor time, open files).

    Args:
        waiting: how many lines wait or are being translated.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter("seq2seq_requests", "Requests answered.", ["path", "status"], registry=self._registry)
        self.seconds = self._histogram("request_seconds", "From a request to its answer.", "path", SECONDS)
        self.characters = self._counter("characters", "Characters of the texts translated.")
        self.batches = self._histogram("batch_lines", "Lines translated together.", "pair", LINES)
        self.computing = self._counter("translating_seconds", "Time spent translating.")
        gauge = Gauge("seq2seq_waiting_lines", "Lines that wait or are being translated.", registry=self._registry)
        gauge.set_function(waiting)

    def _counter(self, name: str, what: str) -> Counter:
        """Of each pair."""
        return Counter(f"seq2seq_{name}", what, ["pair"], registry=self._registry)

    def _histogram(self, name: str, what: str, label: str, bounds: Sequence[float]) -> Histogram:
        return Histogram(f"seq2seq_{name}", what, [label], buckets=bounds, registry=self._registry)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)
