"""How results show themselves in a notebook: plain tables that take on its colours, light or dark."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from seq2seq.errors import UserError

ROWS_SHOWN = 20
"""Of a long table: half of them from its beginning, half from its end."""


class Table(list[dict[str, Any]]):
    """Records that show themselves as a table; a record need not have every column."""

    @property
    def columns(self) -> list[str]:
        """All records' keys, in the order in which they first come."""
        return list(dict.fromkeys(key for record in self for key in record))

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            return importlib.import_module("pandas").DataFrame(list(self), columns=self.columns)
        except ImportError:
            raise UserError("to_pandas: pandas is not installed; pip install pandas") from None

    def _repr_html_(self) -> str:
        rows = [[record.get(column, "") for column in self.columns] for record in self]
        if len(rows) > ROWS_SHOWN:
            half = ROWS_SHOWN // 2
            rows = [*rows[:half], ["…"] * len(self.columns), *rows[-half:]]
        return table(self.columns, rows) + f"<p>{len(self):,} records</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table; everything in it is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def heat_map(columns: Sequence[str], rows: Sequence[str], weights: Sequence[Sequence[float]]) -> str:
    """An HTML table whose cells are the darker, the larger their weights (0 to 1) are; a cell's title says its weight.

    Args:
        weights: a row of numbers for each of `rows`.
    """
    head = "".join(f'<th dir="auto" style="writing-mode:vertical-rl">{escape(name)}</th>' for name in columns)
    lines = [
        f'<tr><th dir="auto" style="text-align:end">{escape(name)}</th>{"".join(map(_shade, row))}</tr>'
        for name, row in zip(rows, weights, strict=True)
    ]
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td style="text-align:end">{value:.4g}</td>'
    if isinstance(value, int):
        return f'<td style="text-align:end">{value}</td>'
    return f'<td dir="auto" style="text-align:start">{escape(str(value))}</td>'


def _shade(weight: float) -> str:
    return f'<td title="{weight:.3f}" style="background:rgba(51,122,204,{weight:.3f})"></td>'
