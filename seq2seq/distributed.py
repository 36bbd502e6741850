"""Several processes that train one model together, started by torchrun; one process alone is the simplest case.

Every process holds the whole model and knows the whole order of the data; of each batch it takes
its share of the sentences. DistributedDataParallel adds the gradients up, so that all processes
take the same step, as one process would that saw the whole batch.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from seq2seq.errors import UserError

T = TypeVar("T")

PREPARING = timedelta(days=1)
"""Longest wait for what the first process alone does: much data takes hours to prepare. All other waits end after
torch's own time (half an hour for gloo), so that a machine that is gone without a word is noticed."""


class ProcessLost(UserError):
    """Another process of the same training is gone: it cannot continue, and has to be started again."""

    every_process = True


@dataclass(frozen=True)
class Processes:
    """The processes of a training, and which of them this is."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009  (immutable)
    patient: Any = None
    """The group of all processes in which one may wait as long as `PREPARING`."""

    @classmethod
    def join(cls, device: torch.device) -> Processes:
        """Meet the others that torchrun has started; alone where it has not.

        Raises:
            UserError: the others cannot be reached.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls(device=device)
        try:
            if not dist.is_initialized():
                dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            patient = dist.new_group(backend="gloo", timeout=PREPARING)
            atexit.register(dist.destroy_process_group)  # else the interpreter's end aborts where gloo's threads run
        except (RuntimeError, ValueError) as error:
            raise ProcessLost(f"torchrun: the {count} processes cannot meet: {_first_line(error)}") from None
        return cls(dist.get_rank(), count, device, patient)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of some items."""
        return items[self.rank :: self.count]

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each number, added up over all processes."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        with self.meeting():
            dist.all_reduce(total)
        return [float(value) for value in total]

    def gather(self, items: Sequence[T]) -> list[T]:
        """The parts that `share` gave to the processes, put together again in the items' order."""
        if self.count == 1:
            return list(items)
        parts: list[Any] = [None] * self.count
        with self.meeting():
            dist.all_gather_object(parts, list(items))
        whole: list[Any] = [None] * sum(map(len, parts))
        for rank, part in enumerate(parts):
            whole[rank :: self.count] = part
        return whole

    def broadcast(self, value: T) -> T:
        """What the first process holds."""
        if self.count == 1:
            return value
        held: list[Any] = [value]
        with self.meeting():
            dist.broadcast_object_list(held, group=self.patient)
        received: T = held[0]
        return received

    @contextlib.contextmanager
    def meeting(self) -> Iterator[None]:
        """Name the cause where the work of the block fails because another process is gone.

        Raises:
            ProcessLost: it does.
        """
        try:
            yield
        except RuntimeError as error:
            text = str(error).lower()
            if self.count == 1 or not any(word in text for word in ("gloo", "nccl", "connection", "process group")):
                raise
            raise ProcessLost(
                f"process {self.rank} of {self.count}: another process of this training is gone "
                f"({_first_line(error)}); the same command resumes from the last checkpoint"
            ) from None


SINGLE_PROCESS = Processes()


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0]
