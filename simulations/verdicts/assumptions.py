"""A1-A5 of a family: declared constants attacked by search, and proved by the family's certificate or by Arb balls.

What is seen is a lower bound of the true constant, so a declared constant that is too small is refuted; one that is
declared attained must be reached. HOLDS needs a proof besides, and the proof is of the constants the family was built
with: a family altered since has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import sympy as sp
from scipy.optimize import minimize

from simulations import exact
from simulations.family import Family, real
from simulations.verdicts.cell import Cell
from simulations.verdicts.key import KNOWN, recipe
from simulations.verdicts.verdict import Verdict, undecided
from theory import ASSUMPTIONS
from theory.claim import Claim, Version

_BEATEN, _REACHED = 1e-9, 1e-3
_STARTS, _EVALUATIONS = 6, 300
_RULE = {"A2": "L", "A3": "rho", "A4": "sigma"}


def _claim(assumption) -> Claim:
    seen, declared = (sp.Symbol(f"{what}_{assumption.id}", nonnegative=True) for what in ("seen", "declared"))
    version = Version(declared, {}, assumption.source)
    return Claim(assumption.id, assumption.text, "", assumption.source, "upper", seen, (), {"published": version})


ASSUMED: dict[str, Claim] = {name: _claim(assumption) for name, assumption in ASSUMPTIONS.items()}
KNOWN.update(ASSUMED)


def judged(cell: Cell) -> Verdict:
    """Decide one of A1-A5 on a family."""
    family, name = cell.family, cell.claim.id
    if name == "A1":
        gap = exact.gap(family, real(cell.inner_step))
        if not math.isfinite(gap):
            return undecided(cell, "the gap F(w_0) - inf F is not a number", "ERROR")
        return Verdict("HOLDS", "exact", gap, math.inf, math.inf, "", cell)
    if name == "A5":
        return _noise(cell)
    constant = _RULE[name]
    declared, seen = real(getattr(family.constants, constant)), largest(family, constant)
    if not math.isfinite(seen):
        return undecided(cell, f"{constant} is not a number somewhere", "ERROR")
    slack = declared / seen if seen else math.inf
    if seen > declared * (1 + _BEATEN):
        return Verdict("VIOLATED", "exact", seen, declared, slack, f"{constant} is larger than declared", cell)
    standing = family.standing.get(constant)
    if standing == "attained" and seen < declared * (1 - _REACHED):
        return undecided(cell, f"{constant} = {declared:g} is declared attained, but {seen:g} is the largest seen")
    evidence = _proved(family, constant)
    if not evidence:
        return undecided(cell, f"no {constant} above {seen:g} was seen, but nothing proves that there is none")
    return Verdict("HOLDS", evidence, seen, declared, slack, "", cell)


def _proved(family: Family, constant: str) -> str:
    """By what the declared constant is proved, "" if by nothing."""
    if family.name == "cosine" and not family.turned:
        own, declared = exact.constant_balls(family)[constant], real(getattr(family.constants, constant))
        return "interval" if own <= declared * (1 + _BEATEN) else ""
    try:
        recipe(family)
    except ValueError:
        return ""
    return "symbolic" if family.proof is not None and family.certificate().ok else ""


def _noise(cell: Cell) -> Verdict:
    """The variance of one sample's gradient by its law; that of one Hessian is sigma_H^2 in the weak reading."""
    family, noise = cell.family, cell.family.noise
    sigma_tilde, sigma_H = (real(getattr(family.constants, name)) for name in ("sigma_tilde", "sigma_H"))
    if noise.gradient.law is None:
        return undecided(cell, f"{noise.gradient.name} noise has no law of a coordinate")
    seen = math.sqrt(family.dim * noise.gradient.law(sigma_tilde / math.sqrt(family.dim), 1, family.dim).variance)
    weak = math.sqrt(exact.hessian_variance(family)[0])
    held = seen <= sigma_tilde * (1 + _BEATEN) and weak <= sigma_H * (1 + _BEATEN)
    slack = sigma_tilde / seen if seen else math.inf
    return Verdict("HOLDS" if held else "VIOLATED", "exact", seen, sigma_tilde, slack, "", cell)


def largest(family: Family, constant: str, seed: int = 0) -> float:
    """The largest value of L, rho or sigma that a search finds: a lower bound of the true constant."""
    L, rho = real(family.constants.L), real(family.constants.rho)
    length = L / rho if rho else 1.0
    if constant == "rho" and not rho:
        length = max(1.0, float(np.abs(family.start).max()))
    value = _SEEN[constant](family, length)
    generator, d = np.random.Generator(np.random.Philox(seed)), family.dim
    scales = length * 10.0 ** generator.uniform(-1.5, 0.7, (_STARTS, 1))
    anchors = family.start * generator.choice([0.0, 1.0], (_STARTS, 1))
    starts = [np.zeros(d), family.start, *(anchors + scales * generator.standard_normal((_STARTS, d)))]
    options = {"maxfev": _EVALUATIONS, "xtol": 1e-9, "ftol": 1e-14}
    found = [value(w) for w in starts]
    for w in starts:
        best = minimize(lambda w: -value(w), w, method="Powell", options=options)
        found.append(-float(best.fun))
    return max(found) if np.isfinite(found).all() else math.nan


def _hessians(family: Family, w: np.ndarray) -> np.ndarray:
    """(tasks, d, d), by products with unit vectors."""
    return np.stack([family.hessian_vector_products(w, unit) for unit in np.eye(family.dim)], axis=2)


def _curvature(family: Family, length: float) -> Callable[[np.ndarray], float]:
    return lambda w: float(np.linalg.norm(_hessians(family, w), 2, axis=(1, 2)).max())


def _jerk(family: Family, length: float) -> Callable[[np.ndarray], float]:
    """Difference quotients of Hessians along each axis and the diagonal."""
    d = family.dim
    ways = [*np.eye(d), np.ones(d) / math.sqrt(d)]
    if family.turned:
        ways += [*family.rotation]
    h = 1e-3 * length

    def value(w: np.ndarray) -> float:
        quotients = [(_hessians(family, w + h * v) - _hessians(family, w - h * v)) / (2 * h) for v in ways]
        return float(np.linalg.norm(np.concatenate(quotients), 2, axis=(1, 2)).max())

    return value


def _spread(family: Family, length: float) -> Callable[[np.ndarray], float]:
    def value(w: np.ndarray) -> float:
        gradients, p = family.gradients(np.asarray(w)), family.probabilities
        return math.sqrt(p @ ((gradients - p @ gradients) ** 2).sum(axis=1))

    return value


_SEEN = {"L": _curvature, "rho": _jerk, "sigma": _spread}
