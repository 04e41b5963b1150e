"""`mamlbound search`: the instance on which a claim is nearest to failing."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

BEATEN = 1


def search(
    claim_id: Annotated[str, typer.Argument(metavar="CLAIM", help="A claim about a point.")],
    budget: Annotated[int, typer.Option(min=1, help="Cells to decide.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Of the candidates.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look for the instance that brings a claim's sides together; report it with the share of the constants it reaches.

    Exit code 1: a proved claim is beaten, which means that the program is wrong.
    """
    from simulations.search import Beaten
    from simulations.search import search as look

    try:
        found = look(claim_id, budget, seed)
    except Beaten as wrong:
        print(f"mamlbound: {wrong}", file=sys.stderr)
        raise typer.Exit(BEATEN) from wrong
    record = {
        "claim": claim_id,
        "ratio": found.ratio,
        "share_of_sharp": found.share,
        "tried": found.tried,
        **{name: value for name, value in found.published.row().items() if name not in ("claim", "version")},
    }
    if as_json:
        import json

        print(json.dumps(record, indent=2))
        return
    print(found.published)
    print(f"  {found.ratio:.6g} of the published right side, {found.share:.6g} of the sharp one; {found.tried} cells")
    print(f"  {found.published.cell.family.recipe}")
    print(f"  key {record['key']}")
