"""Welsch tasks f_i(w) = sum_j A psi(omega (w_j - c_ij)) + b_i . w with Gaussian wells psi = 1 - exp(-t^2/2).

The loss of Dennis and Welsch (1978), flat far from its well: THEORY.md section 5. psi'' = (1 - t^2) exp(-t^2/2) is 1 at
t = 0; psi''' = t (t^2 - 3) exp(-t^2/2) is largest in absolute value at t^2 = 3 - sqrt(6).
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from simulations import extremes
from simulations.family import Family
from simulations.kernels import inlined
from simulations.shape import Shape, around_wells, formulas
from theory import Constants
from theory.rationals import Number

_JERK = math.sqrt(3 - math.sqrt(6)) * math.sqrt(6) * math.exp((math.sqrt(6) - 3) / 2)


@inlined
def psi(t, shared):
    """1 - exp(-t^2/2)."""
    return -np.expm1(-0.5 * t * t)


@inlined
def psi_slope(t, shared):
    """First derivative of `psi`."""
    return t * np.exp(-0.5 * t * t)


@inlined
def psi_curvature(t, shared):
    """Second derivative of `psi`."""
    return (1.0 - t * t) * np.exp(-0.5 * t * t)


def expression(t):
    """psi as SymPy writes it."""
    return 1 - sp.exp(-(t**2) / 2)


def lowest(theta: float, p: float) -> tuple[float, float] | None:
    """With as many tasks on either side the minimum is in the middle: two normal densities at most two standard
    deviations apart have a sum with one peak."""
    return (-math.expm1(-theta * theta / 2), 0.0) if p == 1 / 2 or theta == 0 else None


def floors(family: Family, alpha: float) -> np.ndarray:
    """Searched for."""
    return np.full(family.dim, math.nan)


def windows(family: Family, alpha: float) -> tuple[np.ndarray, float]:
    """Around the wells; psi is 1 - p/2 at t^2 = 2 log(2/p)."""
    return around_wells(family, alpha, math.sqrt(2 * math.log(2 / family.probabilities.max())), math.exp(-0.5))


def proof():
    """Of sup|psi''|, sup|psi'''| and the reach of shifts."""
    t = extremes.t
    return extremes.by_critical_points(
        expression(t), sp.exp(-(t**2) / 2), sp.Integer(1), bend=1.0, jerk=_JERK, steepest=1.0
    )


SHAPE = Shape(
    formulas=formulas(psi, psi_slope, psi_curvature),
    expression=expression,
    numbers=(),
    bend=1.0,
    jerk=_JERK,
    steepest=1.0,
    start=(1.0, 2.0),
    lowest=lowest,
    floors=floors,
    windows=windows,
    proof=proof,
)


def welsch(
    dim: int = 16,
    tasks: int = 32,
    L: Number = 1.0,
    rho: Number = 1.0,
    sigma: Number = 0.5,
    sigma_tilde: Number = 0.3,
    sigma_H: Number = 0.2,
    shift_share: float | None = None,
    seed: int = 0,
) -> Family:
    """Gaussian wells with exactly these constants.

    Args:
        dim: dimension d of w.
        tasks: number of tasks, each with probability 1/tasks.
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained.
        shift_share: part of sigma^2 carried by shifts, which change curvature, the rest by tilts, which do not; by
            default one half, or as much as the amplitude allows, and none with fewer than three tasks.
        seed: of the signs, the tilts and the start.

    Returns:
        The family; it starts on hillsides, at the steepest place or beyond.

    Raises:
        ValueError: no such family has these constants; the message gives the range that can be reached.
    """
    return SHAPE.family("welsch", dim, tasks, Constants(L, rho, sigma, sigma_tilde, sigma_H), shift_share, seed)
