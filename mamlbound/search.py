"""`mamlbound search`: the instance on which a claim is nearest to failing."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

BEATEN = 1
USED = 1e-3


def search(
    claim_id: Annotated[str | None, typer.Argument(metavar="[CLAIM]", help="A claim that instances can show.")] = None,
    budget: Annotated[int, typer.Option(min=1, help="Cells to decide.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Of the candidates.")] = 0,
    constant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Use up this constant alone, such as co of second-moment.")
    ] = None,
    at: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hold a parameter, such as D_in=2; repeatable.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Instead of a claim: every published constant, one by one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look for the instance that brings a claim's sides together; report it with the share of the constants it reaches.

    Exit code 1: a proved claim is beaten, which means that the program is wrong.
    """
    from simulations.search import Beaten

    if every == (claim_id is not None):
        raise ValueError("search needs a CLAIM, or --all for every constant of all claims, and not both")
    try:
        _search_all(budget, seed, as_json) if every else _search(claim_id, budget, seed, constant, at or [], as_json)
    except Beaten as wrong:
        print(f"mamlbound: {wrong}", file=sys.stderr)
        raise typer.Exit(BEATEN) from wrong


def _search_all(budget: int, seed: int, as_json: bool) -> None:
    import json

    from simulations.search import search, searched

    found = []
    for claim_id, constant in searched():
        try:
            worst = search(claim_id, budget, seed, constant)
        except ValueError as reason:
            print(f"{claim_id} {constant}: {reason}", file=sys.stderr)
            continue
        print(f"{claim_id} {constant}: {worst.ratio:.6g} on {worst.published.cell.family.name}", file=sys.stderr)
        if worst.ratio > USED:
            key = worst.published.key
            found.append({"claim": claim_id, "constant": constant, "share": worst.ratio, "key": key})
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for each in found:
        print(f"{each['claim']:<28} {each['constant']:<3} {each['share']:.6g} of the published constant")


def _search(claim_id: str, budget: int, seed: int, constant: str | None, at: list[str], as_json: bool) -> None:
    from simulations.search import search as look

    found = look(claim_id, budget, seed, constant, _held(at))
    record = {
        "claim": claim_id,
        "constant": constant,
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
    what = "right side" if constant is None else constant
    print(f"  {found.ratio:.6g} of the published {what}, {found.share:.6g} of the sharp one; {found.tried} cells")
    print(f"  {found.published.cell.family.recipe}")
    print(f"  key {record['key']}")


def _held(given: list[str]) -> dict[str, object]:
    """NAME=VALUE, the values as the fields of a cell want them.

    Raises:
        ValueError: one is not of this form or names no parameter.
    """
    from simulations.verdicts.cell import BATCHES

    wholes, numbers, found = (*BATCHES, "N", "T"), ("alpha", "zeta", "eps"), {}
    for each in given:
        name, _, value = each.partition("=")
        try:
            found[name] = int(value) if name in wholes else float(value) if name == "eps" else value
        except ValueError:
            raise ValueError(f"--at {name} must be a number, got {value!r}") from None
        if name not in (*wholes, *numbers):
            raise ValueError(f"--at must be NAME=VALUE with NAME one of {', '.join((*wholes, *numbers))}, got {each!r}")
    return found
