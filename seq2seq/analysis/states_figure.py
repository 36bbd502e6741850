"""Hidden units over a sentence as heat maps, a layer below the other."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from seq2seq.analysis.states import LayerStates, Study
from seq2seq.charts import PALETTE

CELL, ROW, LEFT, HEAD, GAP = 34, 7, 14, 96, 34
"""Width and height of a cell, the room beside and above a map, and between maps; pixels."""
STYLE = """\
text { font: 11px ui-sans-serif, system-ui, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; fill: var(--soft); }
.title { font-size: 12px; font-weight: 600; fill: var(--ink); } .more { fill: var(--c0); } .less { fill: var(--c1); }
"""
LONGEST_NAME = 14


def states_figure(found: Study) -> str:
    """SVG: a row a unit, a column a token; the deeper blue, the nearer to the layer's largest h, the deeper orange, the
    nearer to the smallest."""
    maps, y, width = [], float(GAP), 0
    for layer in found.layers:
        tokens = found.tgt_tokens if layer.name.startswith("decoder") else found.src_tokens
        maps.append(_map(layer, tokens, y))
        y += HEAD + ROW * len(layer.heat) + GAP
        width = max(width, 2 * LEFT + CELL * len(tokens))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 420)} {y:.0f}">\n'
        f"<style>\n{PALETTE}{STYLE}</style>\n"
        f'<rect width="100%" height="100%" style="fill: var(--card)"/>\n{Markup("").join(maps)}</svg>\n'
    )


def _map(layer: LayerStates, tokens: Sequence[str], top: float) -> Markup:
    title = f"{layer.name}: {len(layer.shown_units)} of {layer.units} units, those that vary most"
    parts = [Markup('<text x="{}" y="{:.0f}" class="title">{}</text>').format(LEFT, top, title)]
    for column, token in enumerate(tokens):
        name = token if len(token) <= LONGEST_NAME else token[:LONGEST_NAME] + "…"
        x, y = LEFT + CELL * (column + 0.6), top + HEAD - 8
        turned = Markup('<text transform="translate({:.0f} {:.0f}) rotate(-55)">{}</text>')
        parts.append(turned.format(x, y, name))
    largest = max((abs(value) for row in layer.heat for value in row), default=0.0) or 1.0
    for place, (unit, row) in enumerate(zip(layer.shown_units, layer.heat, strict=True)):
        for column, value in enumerate(row):
            parts.append(
                Markup(
                    '<rect class="{}" x="{}" y="{:.0f}" width="{}" height="{}" fill-opacity="{:.2f}">'
                    "<title>unit {}: {}</title></rect>"
                ).format("more" if value > 0 else "less", LEFT + CELL * column, top + HEAD + ROW * place, CELL - 1,
                         ROW - 1, abs(value) / largest, unit, value)
            )  # fmt: skip
    return Markup('<g role="img" aria-label="{}">{}</g>\n').format(title, Markup("").join(parts))
