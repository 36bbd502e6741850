"""The study of gradient flow as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from seq2seq.charts import Chart, Line, figure, line_chart

SMALLEST = 1e-16
"""Where the axis of gradient norms ends: fp32 rounds what is smaller, beside 1, away."""
LEARNED = 1e-4
"""Where the axes of the clipping panels end."""
BACK = "steps back, T - t"


def gradient_figure(study: dict[str, Any]) -> str:
    """SVG of `gradient_flow.study`: six panels."""
    cells, names = study["cells"], [cell_label(cell["cell"]) for cell in study["cells"]]
    at_first, trained = (
        [Line(name, _norms(cell[key]), i % 6) for i, (name, cell) in enumerate(zip(names, cells, strict=True))]
        for key in ("at_first", "trained")
    )
    recall = [
        Line(name, [(float(d), share) for d, share in cell["accuracy"].items()], i % 6, dots=True)
        for i, (name, cell) in enumerate(zip(names, cells, strict=True))
    ]
    distances = [float(distance) for distance in cells[0]["accuracy"]] if cells else []
    recall.append(Line("chance", [(distance, 0.1) for distance in distances], 5))
    radii = [
        Line(f"radius {radius}", _norms(norms), i % 6)
        for i, (radius, norms) in enumerate(study["spectral_radius"].items())
    ]
    clipped = {
        key: [Line(_clipping(one), _steps(one[key]), i, dots=one["failed"]) for i, one in enumerate(study["clipping"])]
        for key in ("losses", "gradient_norms")
    }
    panels = [
        line_chart("Gradient norm at initialisation", at_first, BACK, log_y=True),
        line_chart("Gradient norm after training at up to 32 words", trained, BACK, log_y=True),
        line_chart("Share of words recalled", recall, "words between it and the blank", log_x=True),
        line_chart("Gradient norm of a linear RNN, by spectral radius of W_h", radii, BACK, log_y=True),
        line_chart("ReLU RNN of radius 1.2 under SGD: loss", clipped["losses"], "steps", log_y=True),
        line_chart("ReLU RNN of radius 1.2 under SGD: gradient norm", clipped["gradient_norms"], "steps", log_y=True),
    ]
    return figure([panel for panel in panels if isinstance(panel, Chart)])


def cell_label(text: str) -> str:
    """A cell as people write it: rnn (relu, identity), for {kind: rnn, activation: relu, ...}."""
    read = yaml.safe_load(text)
    if not isinstance(read, Mapping):
        return text
    options = [str(value) if not isinstance(value, bool) else f"{key} {value}" for key, value in read.items()]
    return f"{options[0]} ({', '.join(options[1:])})" if options[1:] else options[0]


def _norms(norms: Sequence[float]) -> list[tuple[float, float]]:
    return [(float(i), max(norm, SMALLEST)) for i, norm in enumerate(norms)]


def _steps(values: Sequence[float]) -> list[tuple[float, float]]:
    """By step; what is smaller than LEARNED says no more than that the task is learned."""
    return [(float(i), max(value, LEARNED)) for i, value in enumerate(values, start=1)]


def _clipping(one: Mapping[str, Any]) -> str:
    """How a training was clipped, and whether it failed."""
    name = "not clipped" if one["clip_norm"] is None else f"clipped at {one['clip_norm']:g}"
    return f"{name}: not a number from step {len(one['losses']) + 1}" if one["failed"] else name
