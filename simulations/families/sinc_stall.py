"""Two tasks on a line on which Hessian-free MAML with the published delta stands still: THEORY.md section 4.

f_1(w) = tilt_1 w and f_2(w) = A (1 - cos(omega w)) + tilt_2 w. By default the tilts are -b and b with b = (2 pi^2 -
sqrt(3)/2) A omega. With alpha = 1/(6 pi L), at w_0 = pi/(3 omega), task 2 steps to x_2 = 0 and the central difference
spans one whole period about w_0, so it sees no curvature: HF-MAML is FO-MAML there, both have mean zero, and
grad F(w_0) = -(pi/12 - sqrt(3)/(48 pi)) A omega is not zero.
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from simulations.elementary import cos, sin
from simulations.family import Family, Formula, real
from simulations.kernels import GRADIENTS, JETS, PRODUCTS, VALUES, callback, inlined, on_arrays
from theory import Constants
from theory.rationals import Number


@inlined
def value(u, well, tilt, shared):
    """well (1 - cos(omega u)) + tilt u, with shared = (omega,)."""
    return well * (1.0 - cos(shared[0] * u)) + tilt * u


@inlined
def slope(u, well, tilt, shared):
    """First derivative of `value`."""
    return well * shared[0] * sin(shared[0] * u) + tilt


@inlined
def curvature(u, well, tilt, shared):
    """Second derivative of `value`."""
    return well * shared[0] * shared[0] * cos(shared[0] * u)


@callback(VALUES)
def values(points, picks, parameters, shared, out):
    for r in range(picks.size):
        out[r] = value(points[r, 0], parameters[0, r, 0], parameters[1, r, 0], shared)


@callback(GRADIENTS)
def gradients(points, picks, parameters, shared, out):
    for r in range(picks.size):
        out[r, 0] = slope(points[r, 0], parameters[0, r, 0], parameters[1, r, 0], shared)


@callback(PRODUCTS)
def products(points, vectors, picks, parameters, shared, out):
    for r in range(picks.size):
        out[r, 0] = curvature(points[r, 0], parameters[0, r, 0], parameters[1, r, 0], shared) * vectors[r, 0]


@callback(JETS)
def jets(points, picks, parameters, shared, slopes, bends):
    for r in range(picks.size):
        slopes[r, 0] = slope(points[r, 0], parameters[0, r, 0], parameters[1, r, 0], shared)
        bends[r, 0] = curvature(points[r, 0], parameters[0, r, 0], parameters[1, r, 0], shared)


def expression(row, shared, w):
    """The task as SymPy writes it."""
    ((well,), (tilt,)), (omega,), (x,) = row, shared, w
    return well * (1 - sp.cos(omega * x)) + tilt * x


def sinc_stall(
    L: Number = 1.0,
    rho: Number = 1.0,
    sigma: Number | None = None,
    sigma_tilde: Number = 0.0,
    sigma_H: Number = 0.0,
) -> Family:
    """The two tasks.

    Args:
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained. By default sigma = (2 pi^2 -
            sqrt(3)/2 + 1/2) L^2/rho, that of the counterexample; below L^2/(2 rho) the two tasks are not equally
            likely and have no tilts.

    Returns:
        The family; it starts at pi/(3 omega), omega = rho/L.

    Raises:
        ValueError: rho or sigma is not positive.
    """
    steep = real(L) ** 2 / real(rho) if real(rho) else math.inf
    if sigma is None:
        sigma = (2 * math.pi**2 - math.sqrt(3) / 2 + 0.5) * steep
    for name, number in (("rho", rho), ("sigma", sigma)):
        if not real(number) > 0:
            raise ValueError(f"{name} must be positive for the tasks of sinc_stall, got {number}")
    constants = Constants(L, rho, sigma, sigma_tilde, sigma_H)
    omega, spread = real(rho) / real(L), real(sigma) / steep
    tilt = max(spread - 0.5, 0.0) * steep
    likely = 0.5 if spread >= 0.5 else (1 + math.sqrt(1 - 4 * spread**2)) / 2
    return Family(
        name="sinc_stall",
        kernels=(values, gradients, products, jets),
        table=np.array([[[0.0], [steep / omega]], [[-tilt], [tilt]]]),
        shared=np.array([omega]),
        probabilities=np.array([1 - likely, likely]),
        constants=constants,
        standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H"), "attained"),
        start=np.array([math.pi / (3 * omega)]),
        expression=expression,
        formula=Formula(
            on_arrays(value), on_arrays(slope), on_arrays(curvature), np.full(1, np.nan), 2 * math.pi / omega
        ),
    )
