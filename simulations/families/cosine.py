"""Cosine tasks f_i(w) = sum_j A (1 - cos(omega (w_j - c_ij))) + b_i . w: THEORY.md section 5.

sup|psi''| = sup|psi'''| = 1, so omega = rho/L and A = L/omega^2.
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from simulations import extremes
from simulations.elementary import cos, sin
from simulations.family import Family
from simulations.kernels import inlined
from simulations.noise import Coordinate
from simulations.shape import Shape, formulas
from theory import Constants
from theory.rationals import Number


@inlined
def psi(t, shared):
    """1 - cos t."""
    return 1.0 - cos(t)


@inlined
def psi_slope(t, shared):
    """First derivative of `psi`."""
    return sin(t)


@inlined
def psi_curvature(t, shared):
    """Second derivative of `psi`."""
    return cos(t)


def outer_moments(
    family: Family, centres: np.ndarray, alpha: float, inner: Coordinate
) -> tuple[np.ndarray, np.ndarray]:
    """E h_i and E h_i^2 in closed form: E sin(t - s X) = E cos(s X) sin t for symmetric X."""
    A, omega = family.shared
    shift, tilt = family.table
    sine = np.sin(omega * (centres - shift))
    once, twice = inner.wave(omega * alpha), inner.wave(2 * omega * alpha)
    wave = A * omega * once * sine
    square = (A * omega) ** 2 * (0.5 - twice * (0.5 - sine * sine))
    return wave + tilt, square + 2 * tilt * wave + tilt**2


def lowest(theta: float, p: float) -> tuple[float, float]:
    """p psi(t - theta) + (1 - p) psi(t + theta) = 1 - R cos(t - phase), so its minimum is 1 - R."""
    aside, along = (2 * p - 1) * math.sin(theta), math.cos(theta)
    return 4 * p * (1 - p) * math.sin(theta) ** 2 / (1 + math.hypot(aside, along)), math.atan2(aside, along)


def floors(family: Family, alpha: float) -> np.ndarray:
    """Searched for."""
    return np.full(family.dim, math.nan)


def windows(family: Family, alpha: float) -> tuple[np.ndarray, float]:
    """One period."""
    return np.zeros((family.dim, 1)), 2 * math.pi / family.shared[1]


SHAPE = Shape(
    formulas=formulas(psi, psi_slope, psi_curvature),
    expression=lambda t: 1 - sp.cos(t),
    numbers=(),
    bend=1.0,
    jerk=1.0,
    steepest=math.pi / 2,
    start=(math.pi / 2, 5 * math.pi / 6),
    lowest=lowest,
    floors=floors,
    windows=windows,
    outer_moments=outer_moments,
    proof=extremes.of_the_cosine,
)


def cosine(
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
    """Cosine tasks with exactly these constants.

    Args:
        dim: dimension d of w.
        tasks: number of tasks, each with probability 1/tasks.
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained.
        shift_share: part of sigma^2 carried by shifts, which change curvature, the rest by tilts, which do not; by
            default one half, or as much as the amplitude allows, and none with fewer than three tasks.
        seed: of the signs, the tilts and the start.

    Returns:
        The family; it starts on hillsides, halfway up or higher in every coordinate.

    Raises:
        ValueError: no cosine family has these constants; the message gives the range that can be reached.
    """
    return SHAPE.family("cosine", dim, tasks, Constants(L, rho, sigma, sigma_tilde, sigma_H), shift_share, seed)
