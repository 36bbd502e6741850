"""Training and decoding rate of each cell beside torch's fused LSTM, in one run.

    python tools/benchmark_cells.py [--precision bf16] [--threads 1]

Training: forward and backward over a whole batch. Decoding: one step of every hypothesis. The
cells take turns, so that what else the machine does slows all alike; of each the fastest round
counts. Rates are time steps a second (positions times sentences), ratios to torch.nn.LSTM.
"""

import argparse
import time
from collections.abc import Callable

import torch
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from seq2seq import recipe
from seq2seq.device import Precision, autocast, set_up
from seq2seq.nn.layer import Layer

CELLS: dict[str, object] = {
    "rnn tanh": "rnn",
    "rnn identity": {"kind": "rnn", "activation": "identity"},
    "lstm": "lstm",
    "lstm peephole": {"kind": "lstm", "peephole": True},
    "lstm coupled": {"kind": "lstm", "coupled": True},
    "lstm layer norm": {"kind": "lstm", "layer_norm": True},
    "gru reset after": "gru",
    "gru reset before": {"kind": "gru", "reset": "before"},
    "gru layer norm": {"kind": "gru", "layer_norm": True},
    "transition gru, 2 deep": "transition_gru",
    "sru": "sru",
    "sru without peephole": {"kind": "sru", "peephole": False},
    "ssru": "ssru",
    "mingru": "mingru",
    "minlstm": "minlstm",
}
Job = Callable[[], object]


def jobs_of_torch(x: torch.Tensor, rows: int, hidden: int) -> tuple[Job, Job]:
    """torch.nn.LSTM: one training pass, one decoding step."""
    lstm = torch.nn.LSTM(x.shape[2], hidden)
    token = torch.randn(1, rows, x.shape[2])
    state = tuple(torch.zeros(1, rows, hidden) for _ in range(2))
    return lambda: lstm(x)[0].float().square().sum().backward(), lambda: lstm(token, state)


def jobs_of_cell(cell: object, x: torch.Tensor, rows: int, hidden: int) -> tuple[Job, Job]:
    """One of ours, the same work."""
    config = recipe.StackConfig(cell=TypeAdapter(recipe.AnyCell).validate_python(cell), hidden_size=hidden)
    layer = Layer(config, x.shape[2])
    token = torch.randn(rows, x.shape[2])
    state = layer.cell.zero_state(token, rows)
    return lambda: layer(x)[0].float().square().sum().backward(), lambda: layer.step(token, state)


def seconds(job: Job, device: torch.device, precision: Precision, training: bool) -> float:
    """Of one call."""
    with torch.inference_mode(not training), autocast(device, precision):
        started = time.perf_counter()
        job()
        return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input-size", type=int, default=256)
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=75, help="sentences of a training batch")
    parser.add_argument("--time", type=int, default=20, help="tokens of a sentence")
    parser.add_argument("--rows", type=int, default=160, help="hypotheses of a decoding step (32 sentences, beam 5)")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    device = set_up("cpu", options.threads)
    x = torch.randn(options.time, options.batch, options.input_size, requires_grad=True)
    pairs = {"torch.nn.LSTM": jobs_of_torch(x, options.rows, options.hidden_size)}
    pairs |= {name: jobs_of_cell(cell, x, options.rows, options.hidden_size) for name, cell in CELLS.items()}
    best: dict[tuple[str, bool], float] = {}
    for _ in range(options.rounds):
        for name, jobs in pairs.items():
            for job, training in zip(jobs, (True, False), strict=True):
                took = min(seconds(job, device, options.precision, training) for _ in range(1 if training else 5))
                best[name, training] = min(took, best.get((name, training), float("inf")))
    table = Table(title=f"{options.precision}, {options.threads} thread(s), hidden size {options.hidden_size}")
    for column in ("cell", "training, steps/s", "ratio", "decoding, steps/s", "ratio"):
        table.add_column(column, justify="left" if column == "cell" else "right")
    for name in pairs:
        cells = [name]
        for training, positions in ((True, options.time * options.batch), (False, options.rows)):
            rate, base = positions / best[name, training], positions / best["torch.nn.LSTM", training]
            cells += [f"{rate:,.0f}", f"{rate / base:.2f}"]
        table.add_row(*cells)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
