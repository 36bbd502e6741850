"""What the layers of a model did as it read and wrote: every h_t, and what their gates let through."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator

from torch import Tensor, nn

from seq2seq.nn.cells import Cell, ElementwiseCell, LstmCell
from seq2seq.nn.cells.elementwise import SruCell
from seq2seq.nn.cells.gru import GruCell
from seq2seq.nn.layer import Layer

GatedCell = LstmCell | GruCell | SruCell


class Recording:
    """What one layer did.

    Attributes:
        states: every h_t, each [batch, time, hidden], in the order of the tokens.
        gates: by name what a gate gave, each [..., hidden]; a cell of your own shows none.
    """

    def __init__(self) -> None:
        self.states: list[Tensor] = []
        self.gates: dict[str, list[Tensor]] = {}

    @property
    def keeping(self) -> str | None:
        """The gate that says how much of the state is kept; None: the cell has none."""
        return next((name for name in ("forget", "update") if name in self.gates), None)

    def add(self, gate: str, values: Tensor) -> None:
        """Note what a gate gave."""
        self.gates.setdefault(gate, []).append(values.detach())


@contextlib.contextmanager
def recorded(layer: Layer) -> Iterator[Recording]:
    """Listen to a layer while the block lasts. Its cell takes no fused kernel meanwhile: those show no gates."""
    found = Recording()
    with contextlib.ExitStack() as stack:
        layer.listener = lambda h: found.states.append(h.detach())
        stack.callback(setattr, layer, "listener", None)
        for cell in (part for part in layer.cell.modules() if isinstance(part, Cell)):
            if isinstance(cell, GatedCell):
                stack.enter_context(_with(cell, "gate", _watched_gate(cell, found)))
            elif isinstance(cell, ElementwiseCell):
                stack.enter_context(_with(cell, "flow", _watched_flow(cell, found)))
            stack.enter_context(_with(cell, "fused", False))
        yield found


@contextlib.contextmanager
def _with(cell: nn.Module, name: str, value: object) -> Iterator[None]:
    """An attribute of this one cell, as it was afterwards."""
    own = vars(cell)
    missing = object()
    before = own.get(name, missing)
    own[name] = value
    try:
        yield
    finally:
        if before is missing:
            del own[name]
        else:
            own[name] = before


def _watched_flow(cell: ElementwiseCell, found: Recording) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    flow = cell.flow

    def watched(projected: Tensor) -> tuple[Tensor, Tensor]:
        kept, inflow = flow(projected)
        found.add("forget", kept)
        return kept, inflow

    return watched


def _watched_gate(cell: GatedCell, found: Recording) -> Callable[[Tensor], Tensor]:
    """A GRU's two gates come together, those of others one after the other."""
    gate, names = cell.gate, ["reset", "update"]
    if isinstance(cell, SruCell):
        names = ["forget", "reset"]
    elif isinstance(cell, LstmCell):
        names = ["forget", "output"] if cell.coupled else ["forget", "input", "output"]
    calls = itertools.cycle(names)

    def watched(x: Tensor) -> Tensor:
        values: Tensor = gate(x)
        if isinstance(cell, GruCell):
            for name, part in zip(names, values.chunk(2, -1), strict=True):
                found.add(name, part)
        else:
            found.add(next(calls), values)
        return values

    return watched
