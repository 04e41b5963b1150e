"""A claim as plain data: what tables, pages and other programs show of it."""

from __future__ import annotations

import sympy as sp

from theory import symbols as s
from theory.claim import Claim, Version, plain

EDGE = {s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2)}


def edge(claim: Claim) -> dict[sp.Symbol, sp.Expr]:
    """Where the constants of a claim are quoted: a = 1/6 and lam = 1/2, or the end of its box if that comes earlier."""
    ends = {x: span.end if isinstance(span, sp.Interval) else span[1] for x, span in claim.box.items()}
    return {symbol: min(value, ends.get(symbol, value)) for symbol, value in EDGE.items()}


def at_edge(claim: Claim, which: str) -> dict[str, sp.Expr]:
    """The constants of a version where they are quoted; those that depend on more than a and lam stay formulas."""
    constants = {name: sp.sympify(value) for name, value in claim.versions[which].constants.items()}
    quoted = {name: value.subs(edge(claim)) for name, value in constants.items()}
    return {name: value if value.is_number else constants[name] for name, value in quoted.items()}


def record(claim: Claim) -> dict:
    """Everything a claim states, as strings and lists that JSON can carry; numbers are exact."""
    return {
        "id": claim.id,
        "title": claim.title,
        "equation": claim.equation,
        "source": claim.source,
        "kind": claim.kind,
        "verdict": claim.verdict,
        "needs": list(claim.needs),
        "domain": [{"hypothesis": plain(h.relation), "source": h.source} for h in claim.domain],
        "versions": {name: _version(claim, name, version) for name, version in claim.versions.items()},
    }


def _version(claim: Claim, name: str, version: Version) -> dict:
    return {
        "statement": plain(claim.relation(name)),
        "latex": sp.latex(claim.relation(name), symbol_names=s.LATEX_NAMES),
        "source": version.source,
        "status": version.status,
        "attained": version.attained is not None,
        "constants": {key: str(value) for key, value in version.constants.items()},
        "constants_at_the_edge": {key: str(value) for key, value in at_edge(claim, name).items()},
    }
