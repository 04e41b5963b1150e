"""`mamlbound audit`: a bound of the user's own, tried on everything there is."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mamlbound.tables import console, table

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

    out = console()
    out.print(found.verdict, markup=False, soft_wrap=True)
    if found.key:
        out.print(f"key {found.key}", markup=False, soft_wrap=True)
    counts = Counter(verdict.status for _, verdict in found.cells)
    out.print(f"certificate: {found.certificate}")
    counted = ", ".join(f"{number} {status}" for status, number in counts.items())
    out.print(f"exact checks: {counted or 'none'}")
    out.print(f"search: {found.tried} cells")
    if found.faults:
        rows = table("planted fault", "seen on", "left/right")
        for each in found.faults:
            rows.add_row(each.fault, each.instance or "not seen", f"{each.ratio:.4g}" if each.ratio else "")
        out.print(rows)
    if found.constants:
        rows = table("constant", "value", "share used up")
        for each in found.constants:
            rows.add_row(each.constant, each.value, f"{each.share:.4g}" if each.share else "none seen")
        out.print(rows)
