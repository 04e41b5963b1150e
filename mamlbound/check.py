"""`mamlbound check`: every claim decided on every instance; `mamlbound replay`: one cell again, from its key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mamlbound.tables import console, table

VIOLATED, UNDECIDED, ERRED = 1, 3, 4


def check(
    claim_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID ...]", help="Claims; by default all.")] = None,
    family: Annotated[
        list[str] | None, typer.Option(metavar="NAME|FILE.py", help="A family; may be given again.")
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="Plant faults instead, and show what catches them.")] = False,
    hypotheses: Annotated[
        bool, typer.Option("--hypotheses", help="Show instead what breaks when a hypothesis is left behind.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One row per cell.")] = False,
) -> None:
    """Decide each claim on each family without sampling.

    Exit code 0: every proved version holds and every refuted one is found refuted. 1: a proved version is violated.
    3: something is undecided. 4: a cell ended in an error.
    """
    if faults:
        _print_faults(as_json)
        return
    if hypotheses:
        _print_hypotheses(as_json)
        return
    from simulations.verdicts import judged, suite

    cells = suite.everything(suite.chosen_claims(claim_ids or []), family or [])
    found = []
    for done, (column, cell) in enumerate(cells, start=1):
        found.append((column, judged(cell)))
        _show("cells", done, len(cells))
    _print_json(found) if as_json else _print_table(found)
    code = _exit_code([verdict for _, verdict in found])
    if code:
        raise typer.Exit(code)


def replay(
    key: Annotated[str, typer.Argument(metavar="KEY", help="From `check --json`, Verdict.key, or a sweep's table.")],
    ledger: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of a sweep: KEY is then that of a cell, or its beginning.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The row of the cell.")] = False,
) -> None:
    """Decide one cell again; the key carries all that it depends on. Exit codes as of `check`.

    With --ledger the result is compared with what is written there: exit code 1 if it differs.
    """
    from mamlbound.sweep import replay_cell
    from simulations.verdicts import replay as again

    if replay_cell(key, ledger, as_json):
        return

    verdict = again(key)
    if as_json:
        import json

        print(json.dumps(verdict.row(), indent=2))
    else:
        print(verdict)
        for name, value in {"family": verdict.cell.family.recipe, **verdict.cell.options()}.items():
            print(f"  {name}: {value}")
    code = _exit_code([verdict])
    if code:
        raise typer.Exit(code)


def _show(what: str, done: int, total: int) -> None:
    """How far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{done}/{total} {what}", end="\n" if done == total else "", file=sys.stderr)


def _print_hypotheses(as_json: bool) -> None:
    """Exit code 1: a claim fails within its hypotheses."""
    from functools import partial

    from simulations.verdicts import hypotheses

    cells = hypotheses.table(progress=partial(_show, "studies"))
    inside = cells[(cells.beyond <= 1) & (cells.status == "VIOLATED")]
    if as_json:
        print(cells.to_json(orient="records", indent=1))
    else:
        _print_summary(hypotheses.summary(cells))
    for row in inside.itertuples():
        print(f"mamlbound: {row.claim} [{row.version}] fails within its hypotheses: key {row.key}", file=sys.stderr)
    if len(inside):
        raise typer.Exit(VIOLATED)


def _print_summary(found) -> None:
    heads = "without", "claim", "version", "fails", "alpha L", "on", "left/right", "cells"
    rows = table(*heads)
    for row in found.itertuples():
        fails = f"at {row.beyond:.3g} times the edge" if row.fails else f"not seen, up to {row.beyond:.3g} times"
        numbers = f"{row.alpha_L:.4g}", row.instance, f"{row.ratio:.4g}", str(row.tried)
        rows.add_row(f"the bound on {row.hypothesis}", row.claim, row.version, fails, *numbers)
    console().print(rows)


def _print_faults(as_json: bool) -> None:
    """Exit code 1: a fault goes unseen."""
    from dataclasses import asdict

    from simulations.search import searched
    from simulations.verdicts import faults
    from simulations.verdicts.worst import worst_cases

    found = dict(faults.everything())
    if as_json:
        import json

        print(json.dumps([asdict(each) for rows in found.values() for each in rows], indent=1))
    else:
        shown = table("fault", "caught by", "on", "at cell", "CPU s", "left/right")
        for name, rows in found.items():
            for each in rows:
                by = f"{each.claim}, {each.version}"
                work = str(each.cells), f"{each.seconds:.2g}"
                shown.add_row(name, by, each.instance, *work, "" if each.excess is None else f"{each.excess:.4g}")
            if not rows:
                shown.add_row(name, "NOTHING", *[""] * 4)
        console().print(shown)
        needed = {(case.claim, case.constant) for case in worst_cases()}
        spare = ", ".join(f"{name} of {claim}" for claim, name in searched() if (claim, name) not in needed)
        print(f"No instance is on file that needs {spare}: that these were cut would not be seen.")
    if not all(found.values()):
        raise typer.Exit(VIOLATED)


def _exit_code(verdicts: list) -> int:
    if any(v.status == "VIOLATED" and not v.expected for v in verdicts):
        return VIOLATED
    if any(v.status == "ERROR" for v in verdicts):
        return ERRED
    return UNDECIDED if any(v.status == "UNDECIDED" for v in verdicts) else 0


def _print_json(found: list) -> None:
    import json

    print(json.dumps([{"instance": column, **verdict.row()} for column, verdict in found], indent=1))


def _print_table(found: list) -> None:
    from simulations.verdicts.table import NOTE, VerdictTable

    verdicts = VerdictTable.of(found)
    texts = verdicts.texts
    equations = {verdict.cell.claim.id: verdict.cell.claim.equation for _, verdict in found}
    rows = table("claim", "", *texts.columns)
    for claim_id, row in texts.iterrows():
        rows.add_row(claim_id, equations[claim_id], *row)
    out = console()
    out.print(rows)
    out.print(NOTE)
    for column, verdict in found:
        if not verdict.expected or verdict.status == "UNDECIDED":
            out.print(f"{column}: {verdict}", soft_wrap=True, markup=False)
    out.print(", ".join(f"{number} {status}" for status, number in verdicts.counts.items()))
