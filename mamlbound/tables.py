"""How the commands print tables: columns apart by space alone, and a width that does not depend on a pipe."""

from __future__ import annotations


def table(*heads: str):
    """An empty table with these heads."""
    from rich.table import Table

    return Table(*heads, box=None, pad_edge=False, header_style="bold")


def console(piped: int = 160):
    """Standard output; where it is no terminal, so many columns wide."""
    from rich.console import Console

    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = piped
    return found
