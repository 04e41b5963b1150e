"""Constants cut below the worst case: how much of a constant an instance uses up, and the claim with less of it."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import sympy as sp

from simulations.verdicts import judged
from simulations.verdicts.cell import Cell
from simulations.verdicts.verdict import Verdict
from theory.claim import constant

_HALVINGS = 24


def cut(cell: Cell, name: str, factor: Fraction | float) -> Cell:
    """The same cell, its claim with one constant changed for the stronger: times the factor, by it in a lower claim.

    Raises:
        ValueError: the version has no such constant.
    """
    claim, record = cell.claim, cell.claim.versions[cell.version]
    if name not in record.constants:
        known = ", ".join(record.constants)
        raise ValueError(f"constant of {claim.id} [{cell.version}] must be one of {known}, got {name!r}")
    ratio = sp.Rational(Fraction(factor))
    changed = record.constants[name] * (ratio if claim.kind == "upper" else 1 / ratio)
    versions = {**claim.versions, cell.version: replace(record, constants={**record.constants, name: changed})}
    return replace(cell, claim=replace(claim, versions=versions))


def share(found: Verdict, name: str) -> float:
    """How much of a constant an instance uses up while the others are as they are: 1 if no less would do.

    Of a lower claim, by which factor the constant could grow, inverted. -inf where the cell is not decided or the
    constant has no part in it.
    """
    if found.status not in ("HOLDS", "VIOLATED"):
        return -math.inf
    form = found.cell.claim.versions[found.cell.version].form
    return _of_affine(found, name) if _affine(form, name) else _by_halving(found, name)


@cache
def _affine(form: sp.Expr, name: str) -> bool:
    return not form.has(sp.Max, sp.Min) and form.diff(constant(name), 2) == 0


def _of_affine(found: Verdict, name: str) -> float:
    """Two values of an affine right side give all of it."""
    upper = found.cell.claim.kind == "upper"
    other = judged(cut(found.cell, name, Fraction(1, 2)))
    grown = (found.rhs - other.rhs) / (0.5 if upper else -1.0)
    if not math.isfinite(other.rhs) or grown <= 0:
        return -math.inf
    needed = 1 + (found.lhs - found.rhs) / grown
    return needed if upper else 1 / needed if needed > 0 else math.inf


def _by_halving(found: Verdict, name: str) -> float:
    """Where the claim with less of the constant stops to hold."""
    low, high = 0.0, 1.0
    if found.status != "HOLDS" or judged(cut(found.cell, name, Fraction(1, 2**30))).status == "HOLDS":
        return -math.inf
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if judged(cut(found.cell, name, middle)).status == "HOLDS" else (middle, high)
    return high
