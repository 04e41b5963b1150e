"""Bounded losses psi of a scaled residual t: formulas, the same for SymPy, and the exact suprema of their derivatives.

Each is even, psi(0) = 0, psi''(0) = 1, and psi and its derivatives of every order are bounded: outliers are forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import sympy as sp

from simulations import extremes
from simulations.kernels import inlined
from theory.certify import Certificate

WELSCH, GEMAN_MCCLURE = 0, 1
LOSSES = {"welsch": WELSCH, "geman-mcclure": GEMAN_MCCLURE}
T = sp.Symbol("t", real=True)
EXPRESSIONS = (1 - sp.exp(-(T**2) / 2), T**2 / (2 * (1 + T**2)))
_FACTORS = ((sp.exp(-(T**2) / 2), sp.Integer(1)), (1 / (1 + T**2), 1 + T**2))
_STEEPEST = (1.0, 1 / math.sqrt(3))


@inlined
def value(t, loss):
    """psi(t): Welsch's 1 - exp(-t^2/2) or Geman and McClure's t^2/(2 (1 + t^2))."""
    if loss == WELSCH:
        return -np.expm1(-0.5 * t * t)
    return 0.5 * t * t / (1.0 + t * t)


@inlined
def slope(t, loss):
    """psi'(t)."""
    if loss == WELSCH:
        return t * np.exp(-0.5 * t * t)
    c = 1.0 / (1.0 + t * t)
    return t * c * c


@inlined
def curvature(t, loss):
    """psi''(t)."""
    if loss == WELSCH:
        return (1.0 - t * t) * np.exp(-0.5 * t * t)
    c = 1.0 / (1.0 + t * t)
    return c * c * (4.0 * c - 3.0)


def certificate(loss: int) -> Certificate:
    """The proof of the suprema of the second and third derivative, replayed."""
    found = ranges(loss)
    bend, jerk = float(max(found.highest, -found.lowest)), float(found.third)
    return extremes.by_critical_points(EXPRESSIONS[loss], *_FACTORS[loss], bend, jerk, _STEEPEST[loss])


class Range(NamedTuple):
    """slope: max |psi'|. lowest, highest: of psi''. third: max |psi'''|. Exact numbers, each attained."""

    slope: sp.Expr
    lowest: sp.Expr
    highest: sp.Expr
    third: sp.Expr


@cache
def ranges(loss: int) -> Range:
    """The exact ranges of psi', psi'' and psi'''.

    Each derivative is continuous, vanishes at infinity and takes both signs, so its extremes are among its values
    where the next derivative is zero; SymPy solves those equations.
    """
    first, second, third = (_stationary_values(EXPRESSIONS[loss].diff(T, order)) for order in (1, 2, 3))
    return Range(max(first), min(second), max(second), max(third))


@cache
def third(loss: int) -> Callable[[np.ndarray], np.ndarray]:
    """The third derivative of psi on arrays."""
    return sp.lambdify(T, EXPRESSIONS[loss].diff(T, 3), "numpy")


def _stationary_values(function: sp.Expr) -> list[sp.Expr]:
    """The function's values at every real point where its derivative is zero."""
    points = sp.solveset(sp.numer(sp.together(function.diff(T).simplify())), T, sp.S.Reals)
    return [function.subs(T, t) for t in points]
