"""Hills with algebraic tails f_i(w) = sum_j A psi(omega (w_j - c_ij)) + b_i . w, psi = (1 + t^2)^((1-q)/2)/(q - 1).

From the hillside gradient descent slides outward without end: ||grad F|| ~ k^(-q/(1+q)), so that T(eps) grows like
eps^(-(1+q)/q) with full batches: THEORY.md section 5. psi'' is -1 at t = 0; the critical points of psi''' are the roots
t^2 of q (q + 2) x^2 - 6 (q + 2) x + 3 = 0.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import sympy as sp

from simulations import extremes
from simulations.family import Family
from simulations.kernels import inlined
from simulations.shape import Shape, formulas, tilt_variance
from theory import Constants
from theory.rationals import Number, exact


@inlined
def psi(t, shared):
    """(1 + t^2)^((1-q)/2)/(q - 1), with q = shared[2]."""
    return (1.0 + t * t) ** (0.5 - 0.5 * shared[2]) / (shared[2] - 1.0)


@inlined
def psi_slope(t, shared):
    """First derivative of `psi`."""
    return -t * (1.0 + t * t) ** (-0.5 - 0.5 * shared[2])


@inlined
def psi_curvature(t, shared):
    """Second derivative of `psi`."""
    return (shared[2] * t * t - 1.0) * (1.0 + t * t) ** (-1.5 - 0.5 * shared[2])


FORMULAS = formulas(psi, psi_slope, psi_curvature, numbers=1)


def expression(t, q):
    """psi as SymPy writes it."""
    return (1 + t**2) ** ((1 - q) / 2) / (q - 1)


def lowest(theta: float, p: float) -> tuple[float, None]:
    """psi is positive and tends to 0."""
    return 0.0, None


def floors(family: Family, alpha: float) -> np.ndarray:
    """-alpha E b_ij^2 at every alpha: psi is positive and tends to 0, and E b_ij psi'_i = 0 as the tilts have mean
    zero on each side, so F_j(u) = E A psi(omega (x_i - c_i)) - alpha E b_ij^2."""
    return -alpha * tilt_variance(family)


def jerk(q: float) -> float:
    """sup|psi'''|, with psi''' = (1 + q) t (3 - q t^2) (1 + t^2)^(-(5+q)/2)."""
    inner = 3 / (3 * (q + 2) + math.sqrt(9 * (q + 2) ** 2 - 3 * q * (q + 2)))
    outer = 3 / (q * (q + 2) * inner)
    return max((1 + q) * math.sqrt(x) * abs(3 - q * x) * math.exp(-(5 + q) / 2 * math.log1p(x)) for x in (inner, outer))


def proof(q: sp.Expr):
    """Of sup|psi''|, sup|psi'''| and the reach of shifts."""
    t, number = extremes.t, float(q)
    return extremes.by_critical_points(
        expression(t, q), (1 + t**2) ** ((1 - q) / 2), 1 + t**2, 1.0, jerk(number), 1 / math.sqrt(number)
    )


def algebraic_tail(
    dim: int = 16,
    tasks: int = 32,
    L: Number = 1.0,
    rho: Number = 1.0,
    sigma: Number = 0.5,
    sigma_tilde: Number = 0.3,
    sigma_H: Number = 0.2,
    q: Number = 2.0,
    shift_share: float | None = None,
    seed: int = 0,
) -> Family:
    """Hills with exactly these constants.

    Args:
        dim: dimension d of w.
        tasks: number of tasks, each with probability 1/tasks.
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained.
        q: the slope falls like t^-q; of (1, 100].
        shift_share: part of sigma^2 carried by shifts, which change curvature, the rest by tilts, which do not; by
            default one half, or as much as the amplitude allows, and none with fewer than three tasks.
        seed: of the signs, the tilts and the start.

    Returns:
        The family; it starts at the steepest place or up to twice as far out.

    Raises:
        ValueError: no such family has these constants; the message gives the range that can be reached.
    """
    power = float(exact(q, "q"))
    if not 1 < power <= 100:
        raise ValueError(f"q must lie in (1, 100] for algebraic tails, got {q}")
    steepest = 1 / math.sqrt(power)
    shape = Shape(
        formulas=FORMULAS,
        expression=expression,
        numbers=(power,),
        bend=1.0,
        jerk=jerk(power),
        steepest=steepest,
        start=(steepest, 2 * steepest),
        lowest=lowest,
        floors=floors,
        rate_exponent=-(1 + power) / power,
        proof=partial(proof, exact(power)),
    )
    return shape.family("algebraic_tail", dim, tasks, Constants(L, rho, sigma, sigma_tilde, sigma_H), shift_share, seed)
