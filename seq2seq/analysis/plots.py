"""The study of gradient flow as one picture."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SMALLEST = 1e-16
"""Where the axis of gradient norms ends: fp32 rounds what is smaller, beside 1, away."""


def gradient_figure(study: dict[str, Any]) -> str:
    """SVG of `gradient_flow.study`: five panels."""
    figure = Figure(figsize=(13, 7.5), layout="constrained")
    panels = figure.subplots(2, 3).flatten()
    for axes, key, title in (
        (panels[0], "at_first", "Gradient norm at initialisation"),
        (panels[1], "trained", "Gradient norm after training (distances up to 32)"),
    ):
        for cell in study["cells"]:
            _norms(axes, cell[key], cell["cell"])
        _label(axes, title, "T - t, steps back", "norm of dL_T / ds_t")
    for cell in study["cells"]:
        accuracy = cell["accuracy"]
        panels[2].plot([int(d) for d in accuracy], list(accuracy.values()), "o-", label=cell["cell"])
    panels[2].axhline(0.1, color="grey", linestyle=":", label="chance")
    panels[2].set_xscale("log", base=2)
    panels[2].set_ylim(0, 1.05)
    _label(panels[2], "Recall of a word", "words between it and the blank", "accuracy")
    for radius, norms in study["spectral_radius"].items():
        _norms(panels[3], norms, f"radius {radius}")
    _label(panels[3], "Linear RNN by spectral radius of W_h", "T - t, steps back", "norm of dL_T / ds_t")
    for one in study["clipping"]:
        label = "not clipped" if one["clip_norm"] is None else f"clipped at {one['clip_norm']:g}"
        panels[4].plot(one["losses"], label=label, linewidth=0.9)
        panels[5].plot(one["gradient_norms"], label=label, linewidth=0.9)
    for axes, title, name in (
        (panels[4], "ReLU RNN of radius 1.2: loss", "nats"),
        (panels[5], "ReLU RNN of radius 1.2: gradient norm", "norm over all weights"),
    ):
        axes.set_yscale("symlog", linthresh=1e-3)
        _label(axes, title, "updates", name)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "seq2seq"}):  # the same picture, byte for byte, each time
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _norms(axes: Axes, norms: list[float], label: str) -> None:
    axes.plot([max(norm, SMALLEST) for norm in norms], label=label)
    axes.set_yscale("log")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=6, framealpha=0.4)
