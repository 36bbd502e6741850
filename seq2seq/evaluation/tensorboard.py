"""A run's curves for TensorBoard (`pip install tensorboard`); train.jsonl stays their only source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from seq2seq.errors import UserError

NOT_CURVES = {"step", "epoch", "kind", "best"}


def write_events(log: Path, folder: Path) -> int:
    """Write a log's numbers as event files, in the place of earlier ones; returns how many records it had.

    Args:
        log: train.jsonl.
        folder: of the event files.

    Raises:
        UserError: there is no such log, or TensorBoard is not installed.
    """
    if not log.exists():
        raise UserError(f"{log}: no such log; train the recipe first")
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (an optional package)
    except ImportError:
        raise UserError("tensorboard is not installed; pip install tensorboard") from None
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").split("\n") if line]
    shutil.rmtree(folder, ignore_errors=True)
    with SummaryWriter(str(folder)) as writer:
        for record in records:
            for name, value in record.items():
                if name not in NOT_CURVES and isinstance(value, int | float):
                    writer.add_scalar(f"{record['kind']}/{name}", value, record["step"])
    return len(records)
