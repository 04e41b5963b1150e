"""HTML for notebooks and pages: tables whose every cell is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable


def table(heads: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """An HTML table; the first cell of a row names it.

    Args:
        heads: of the columns.
        rows: cells as anything that prints.
    """
    head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table>"


def _row(cells: Iterable[object]) -> str:
    first, *others = (html.escape(str(cell)) for cell in cells)
    return f"<tr><th scope=row>{first}</th>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>"
