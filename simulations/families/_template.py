"""NAME tasks f_i(w) = sum_j A psi(omega (w_j - c_ij)) + b_i . w: one sentence on what psi is and where it comes from.

To add a family copy this file to NAME.py, rename `template` to NAME, and change what the comments point to. As it
stands it is the loss of Geman and McClure, psi = t^2/(2 (1 + t^2)).
"""

from __future__ import annotations

import math

import numpy as np

from simulations import extremes
from simulations.family import Family
from simulations.kernels import inlined
from simulations.shape import Shape, around_wells, formulas
from theory import Constants
from theory.rationals import Number


# 1. The function of one variable and its two derivatives, each once, in expressions that run on numbers and on arrays.
#    psi is even and not negative, and |psi''| is largest at 0. Its own numbers, if it has any, are shared[2], ...
@inlined
def psi(t, shared):
    """t^2/(2 (1 + t^2))."""
    return 0.5 * t * t / (1.0 + t * t)


@inlined
def psi_slope(t, shared):
    """First derivative of `psi`."""
    return t / (1.0 + t * t) ** 2


@inlined
def psi_curvature(t, shared):
    """Second derivative of `psi`."""
    return (1.0 - 3.0 * t * t) / (1.0 + t * t) ** 3


# 2. The same function for SymPy; the contract suite holds the three above against its derivatives.
def expression(t):
    """psi as SymPy writes it."""
    return t**2 / (2 * (1 + t**2))


# 3. sup|psi''|, sup|psi'''|, and the t at which |psi'| first peaks, in closed form.
_BEND = 1.0
_JERK = 24 / math.sqrt(5) * math.sqrt(1 - 2 / math.sqrt(5)) / (2 - 2 / math.sqrt(5)) ** 4
_STEEPEST = 1 / math.sqrt(3)


# 4. Their proof. psi' must be weight/base times a polynomial; for another psi write a Certificate of your own.
def proof():
    """Of sup|psi''|, sup|psi'''| and the reach of shifts."""
    t = extremes.t
    return extremes.by_critical_points(
        expression(t), weight=1 / (1 + t**2), base=1 + t**2, bend=_BEND, jerk=_JERK, steepest=_STEEPEST
    )


# 5. The minimum over t of p psi(t - theta) + (1 - p) psi(t + theta), (value, t), where it is known: it gives Delta.
def lowest(theta: float, p: float) -> tuple[float, float] | None:
    """Known without shifts."""
    return (0.0, 0.0) if theta == 0 else None


# 6. The infimum of each coordinate's part of F at any alpha, (d,); NaN is searched for, within the windows.
def floors(family: Family, alpha: float) -> np.ndarray:
    """Searched for."""
    return np.full(family.dim, math.nan)


def windows(family: Family, alpha: float) -> tuple[np.ndarray, float]:
    """Around the wells; psi is (1 - p/2)/2 at t^2 = 2/p - 1, and |psi'| peaks at 3 sqrt(3)/16."""
    return around_wells(family, alpha, math.sqrt(2 / family.probabilities.max() - 1), 3 * math.sqrt(3) / 16)


SHAPE = Shape(
    formulas=formulas(psi, psi_slope, psi_curvature),
    expression=expression,
    numbers=(),
    bend=_BEND,
    jerk=_JERK,
    steepest=_STEEPEST,
    start=(_STEEPEST, 2 * _STEEPEST),
    lowest=lowest,
    floors=floors,
    windows=windows,
    proof=proof,
)


# 7. The function users call. Constants have these names in every family; arguments of your own come after them.
def template(
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
    """NAME tasks with exactly these constants.

    Args:
        dim: dimension d of w.
        tasks: number of tasks, each with probability 1/tasks.
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained.
        shift_share: part of sigma^2 carried by shifts, which change curvature, the rest by tilts, which do not; by
            default one half, or as much as the amplitude allows, and none with fewer than three tasks.
        seed: of the signs, the tilts and the start.

    Raises:
        ValueError: no such family has these constants; the message gives the range that can be reached.
    """
    return SHAPE.family("template", dim, tasks, Constants(L, rho, sigma, sigma_tilde, sigma_H), shift_share, seed)
