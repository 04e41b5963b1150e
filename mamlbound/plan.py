"""`mamlbound plan`: the smallest batches for a given eps, and the ladder of the constant K."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

NOT_SHOWN = 1


def _number(name: str, meaning: str):
    return Annotated[str | None, typer.Option(f"--{name.replace('_', '-')}", metavar="NUMBER", help=meaning)]


def plan(
    eps: _number("eps", "Target norm of grad F.") = None,
    L: _number("L", "Smoothness of every task.") = "1",
    rho: _number("rho", "Lipschitz constant of every Hessian.") = "1",
    sigma: _number("sigma", "Spread of the task gradients.") = "0",
    sigma_tilde: _number("sigma_tilde", "Noise of one gradient.") = "0",
    sigma_H: _number("sigma_H", "Noise of one Hessian.") = "0",
    Delta: _number("Delta", "Gap F(w_0) - inf F.") = "1",
    alpha: _number("alpha", "Inner step; 1/(6 L) by default.") = None,
    method: Annotated[str, typer.Option(help="The method to plan for.")] = "maml",
    step: Annotated[str, typer.Option(help="published, exact or sharp.")] = "published",
    step_factor: _number("step_factor", "Of the step rule; a number or best.") = None,
    floor: _number("floor", "Constant of the noise floor; by default the cheapest.") = None,
    least_B: _number("least_B", "The fewest tasks in a batch.") = "20",
    ladder: Annotated[bool, typer.Option("--ladder", help="Prove every rung from K = 1600 down instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, numbers as exact strings.")] = False,
) -> None:
    """Plan a run: the smallest batches, the iterations and the samples that are proved to reach eps.

    Numbers may be written 0.05 or 1/20. Exit code 1: a rung of the ladder was not proved.
    """
    if ladder:
        _print_ladder(as_json)
        return
    if eps is None:
        raise ValueError("plan needs --eps, the target norm of grad F (or --ladder)")
    import theory
    from theory.rationals import exact

    smooth = exact(L, "L")
    theory.Constants(L=smooth, rho=rho)
    found = theory.plan(
        eps=eps,
        L=smooth,
        rho=rho,
        sigma=sigma,
        sigma_tilde=sigma_tilde,
        sigma_H=sigma_H,
        Delta=Delta,
        alpha=1 / (6 * smooth) if alpha is None else alpha,
        method=method,
        step=step,
        step_factor=step_factor,
        floor=floor,
        least_B=least_B,
    )
    print(_json(found.record()) if as_json else found)


def _json(record: object) -> str:
    import json

    return json.dumps(record, indent=2)


def _print_ladder(as_json: bool) -> None:
    from theory.sharpening import LADDER

    records = []
    for number, rung in enumerate(LADDER.values(), start=1):
        shown = rung.show()
        proved = shown.certificate().ok
        kind = ">=" if rung.lower else "<="
        records.append(
            {
                "rung": rung.title,
                "kind": "lower" if rung.lower else "upper",
                "K": str(shown.K),
                "floor": str(shown.floor),
                "figure": rung.figure,
                "proved": proved,
            }
        )
        if as_json:
            if sys.stderr.isatty():
                end = "\n" if number == len(LADDER) else ""
                print(f"\r{number}/{len(LADDER)} rungs proved", end=end, file=sys.stderr)
            continue
        floor = "no noise" if shown.floor.is_infinite else f"floor {shown.floor}"
        outcome = "proved" if proved else "NOT PROVED"
        print(f"K {kind} {float(shown.K):<9.6g} {floor:<9} {outcome}  {rung.title}", flush=True)
    if as_json:
        print(_json(records))
    if not all(record["proved"] for record in records):
        raise typer.Exit(NOT_SHOWN)
