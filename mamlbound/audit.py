"""`mamlbound audit`: a bound of the user's own, tried on everything there is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

CODES = {"violated": 1, "proved": 0, "not refuted": 3, "undecided": 3}


def audit(
    file: Annotated[str, typer.Argument(metavar="FILE.py[:ID]", help="Sets CLAIM = theory.stated(...), or CLAIMS.")],
    budget: Annotated[int, typer.Option(min=1, help="Cells the search may decide.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
) -> None:
    """Try to refute a bound of your own: replay its certificate, check it exactly, search for its worst instance, plant
    faults it should see, and use up its constants.

    Exit code 0: proved, and nothing found against it. 1: an instance violates it. 3: not refuted, which is no proof.
    """
    from simulations.auditing import audit as examine

    found = examine(file, budget, seed, _step)
    if as_json:
        import json

        print(json.dumps(found.record(), indent=1))
    else:
        _print(found)
    code = CODES[found.outcome]
    if code:
        raise typer.Exit(code)


def _step(name: str) -> None:
    if sys.stderr.isatty():
        print(f"{name} ...", file=sys.stderr)


def _print(found) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(found.verdict, markup=False)
    if found.key:
        console.print(f"key {found.key}", markup=False)
    counts = Counter(verdict.status for _, verdict in found.cells)
    console.print(f"certificate: {found.certificate}")
    console.print("exact checks: " + (", ".join(f"{number} {status}" for status, number in counts.items()) or "none"))
    console.print(f"search: {found.tried} cells")
    if found.faults:
        table = Table("planted fault", "seen on", "left/right", box=None, pad_edge=False, header_style="bold")
        for each in found.faults:
            table.add_row(each.fault, each.instance or "not seen", f"{each.ratio:.4g}" if each.ratio else "")
        console.print(table)
    if found.constants:
        table = Table("constant", "value", "share used up", box=None, pad_edge=False, header_style="bold")
        for each in found.constants:
            table.add_row(each.constant, each.value, f"{each.share:.4g}" if each.share else "none seen")
        console.print(table)
