"""`mamlbound claims`: the claims as a table, one claim in full, and the replay of their proofs."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from mamlbound.tables import console, table

NOT_SHOWN = 1
_WIDTH = 140


def claims(
    claim_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A claim, shown in full.")] = None,
    certify: Annotated[bool, typer.Option("--certify", help="Replay the proofs; with an ID, show them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON, numbers as exact strings.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="The statements as LaTeX.")] = False,
) -> None:
    """List the claims of the theory with their verdicts, or show one, or replay the proofs.

    Exit code 1: a replay failed.
    """
    chosen = _chosen(claim_id)
    replays = _replayed(chosen) if certify else {}
    if as_json:
        _print_json(chosen, replays)
    elif latex:
        _print_latex(chosen)
    elif claim_id:
        _print_one(chosen[0], replays)
    elif certify:
        _print_replays(chosen, replays)
    else:
        _print_table(chosen)
    if not all(certificate.ok for versions in replays.values() for certificate, _ in versions.values()):
        raise typer.Exit(NOT_SHOWN)


def _chosen(claim_id: str | None) -> list:
    import difflib

    from theory import CLAIMS

    if claim_id is None:
        return list(CLAIMS.values())
    if claim_id not in CLAIMS:
        near = difflib.get_close_matches(claim_id, CLAIMS, n=3) or list(CLAIMS)
        raise ValueError(f"there is no claim {claim_id!r}; did you mean {', '.join(near)}?")
    return [CLAIMS[claim_id]]


def _replayed(chosen: list) -> dict:
    """By claim and version: the certificate and the seconds its replay took. Open versions have none."""
    found: dict = {}
    for done, claim in enumerate(chosen, start=1):
        found[claim.id] = {}
        for which, version in claim.versions.items():
            if version.status != "open":
                start = time.perf_counter()
                certificate = claim.certificate(which)
                found[claim.id][which] = certificate, time.perf_counter() - start
        if sys.stderr.isatty() and len(chosen) > 1:
            print(f"\r{done}/{len(chosen)} claims replayed", end="\n" if done == len(chosen) else "", file=sys.stderr)
    return found


def _print_json(chosen: list, replays: dict) -> None:
    import json

    from theory.record import record

    records = [record(claim) for claim in chosen]
    for entry in records:
        for which, (certificate, seconds) in replays.get(entry["id"], {}).items():
            steps = [
                {"name": step.name, "slack": str(step.slack), "ground": step.ground, "ok": step.ok}
                for step in certificate.steps
            ]
            entry["versions"][which]["replay"] = {"ok": certificate.ok, "seconds": round(seconds, 3), "steps": steps}
    print(json.dumps(records, indent=2))


def _print_latex(chosen: list) -> None:
    import sympy as sp

    from theory.symbols import LATEX_NAMES

    for claim in chosen:
        for which, version in claim.versions.items():
            print(f"% {claim.id} {claim.equation} {which}: {version.status}, {version.source}")
            print(sp.latex(claim.relation(which), symbol_names=LATEX_NAMES))


def _print_one(claim, replays: dict) -> None:
    from theory.claim import plain

    print(f"{claim.id}  {claim.equation}".rstrip())
    print(f"  {claim.title}")
    print(f"  {claim.source}; kind: {claim.kind}; verdict: {claim.verdict}")
    print("  on the domain")
    for hypothesis in claim.domain:
        print(f"    {plain(hypothesis.relation)}    ({hypothesis.source})")
    for which, version in claim.versions.items():
        reached = ", reached by an instance" if version.attained else ""
        print(f"  {which}: {version.status}{reached} ({version.source})")
        print(f"    {plain(claim.relation(which))}")
        print(f"    {_constants(claim, which)}")
    for certificate, seconds in replays.get(claim.id, {}).values():
        print(f"\n{certificate}\n  {len(certificate.steps)} steps in {seconds:.2f} s")


def _print_replays(chosen: list, replays: dict) -> None:
    total = 0.0
    for claim in chosen:
        print(f"{claim.id} {claim.equation}".rstrip() + f": {claim.verdict}")
        for which, version in claim.versions.items():
            if which not in replays[claim.id]:
                print(f"  {which:<11} open")
                continue
            certificate, seconds = replays[claim.id][which]
            total += seconds
            outcome = "replayed" if certificate.ok else "REPLAY FAILED"
            print(f"  {which:<11} {version.status}, {outcome}: {len(certificate.steps)} steps in {seconds:.2f} s")
            if version.refutation:
                for instance in certificate.instances:
                    print(f"{'':<14}instance: {instance}")
    shown = sum(certificate.ok for versions in replays.values() for certificate, _ in versions.values())
    print(f"{shown} of {sum(map(len, replays.values()))} certificates replay; {total:.1f} s")


def _print_table(chosen: list) -> None:
    rows = table("claim", "", "kind", "verdict", "published", "sharp")
    for claim in chosen:
        cells = (_constants(claim, which) for which in ("published", "sharp"))
        rows.add_row(claim.id, claim.equation, claim.kind, claim.verdict, *cells)
    out = console(_WIDTH)
    out.print(rows)
    out.print("Constants at a = alpha L = 1/6 and alpha^2 sigma_H^2/D_h = 1/2, or where the domain ends earlier.")


def _constants(claim, which: str) -> str:
    from theory.record import at_edge

    return ", ".join(f"{name} = {_number(value)}" for name, value in at_edge(claim, which).items())


def _number(value) -> str:
    """Exact if short, else with a decimal beside or instead of it."""
    import sympy as sp

    text = str(sp.factor(value) if not value.is_number else value)
    if not value.is_number or value.is_Integer:
        return text
    rounded = f"{float(value):.6g}"
    return f"{text} = {rounded}" if len(text) <= 16 else rounded
