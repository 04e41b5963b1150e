"""The resisting ramp, one function per eps, on which the bound's 1/eps^2 is real: THEORY.md section 5.

Coordinate 0 is s tau softplus(-u/tau): a slope that falls smoothly from -s to 0, with the smallest width tau that
respects L and rho. The others are cosine wells that start at their stationary points; they bring L and rho up to their
nominal values and carry sigma as tilts. All coordinates are one formula with parameters of their own.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import sympy as sp

from simulations import extremes, separable
from simulations.family import Family, Formula, Minimum, positive_integer, real
from simulations.kernels import inlined, on_arrays
from simulations.shape import check_spread, tilts
from theory import Constants
from theory.certify import Certificate
from theory.rationals import Number, exact


@inlined
def value(u, ramp, tilt, shared):
    """ramp tau softplus(-u/tau), or where ramp is 0 a well A (1 - cos(omega u)) + tilt u; shared = (tau, omega, A)."""
    tau, omega, A = shared[0], shared[1], shared[2] * (ramp == 0.0)
    soft = np.maximum(-u / tau, 0.0) + np.log1p(np.exp(-np.abs(u) / tau))
    return ramp * tau * soft + A * (1.0 - np.cos(omega * u)) + tilt * u


@inlined
def slope(u, ramp, tilt, shared):
    """First derivative of `value`."""
    tau, omega, A = shared[0], shared[1], shared[2] * (ramp == 0.0)
    return -ramp * 0.5 * (1.0 - np.tanh(0.5 * u / tau)) + A * omega * np.sin(omega * u) + tilt


@inlined
def curvature(u, ramp, tilt, shared):
    """Second derivative of `value`."""
    tau, omega, A = shared[0], shared[1], shared[2] * (ramp == 0.0)
    falling = np.tanh(0.5 * u / tau)
    return 0.25 * ramp / tau * (1.0 - falling * falling) + A * omega * omega * np.cos(omega * u)


KERNELS = separable.rows(value, slope, curvature, shared=3)


def expression(row, shared, w):
    """The task as SymPy writes it, in the coordinates u."""
    tau, omega, A = shared[:3]
    return sum(
        ramp * tau * sp.log(1 + sp.exp(-x / tau)) if ramp else A * (1 - sp.cos(omega * x)) + tilt * x
        for x, ramp, tilt in zip(w, *row, strict=True)
    )


def floors(family: Family, alpha: float) -> np.ndarray:
    """The ramp falls to 0; the wells are searched."""
    return np.where(family.table[0, 0] > 0, 0.0, math.nan)


def windows(family: Family, alpha: float) -> tuple[np.ndarray, float]:
    """One period of the wells."""
    return np.zeros((family.dim, 1)), 2 * math.pi / family.shared[1]


def proof(L: float, rho: float, s: float, tau: float, omega: float, A: float) -> Certificate:
    """The wells attain L and rho; the ramp, whose derivatives are s/tau and s/tau^2 times those of psi, stays below."""
    title = f"resisting ramp: L = {L:g} and rho = {rho:g} are attained"
    on_L, on_rho = (exact(x) * (1 + exact(extremes.ROUNDING)) for x in (L, rho))
    s, tau, omega, A = map(exact, (s, tau, omega, A))
    steps = (
        *extremes.of_the_cosine().steps,
        *extremes.of_the_ramp().steps,
        extremes.equal("A omega^2 = L", A * omega**2, L),
        extremes.equal("A omega^3 = rho", A * omega**3, rho),
        extremes.no_less("s/(4 tau) <= L up to rounding", on_L, s / (4 * tau)),
        extremes.no_less("s/(6 sqrt(3) tau^2) <= rho up to rounding", on_rho, s / (6 * sp.sqrt(3) * tau**2)),
    )
    return Certificate(title, steps)


def resisting_ramp(
    eps: float = 0.01,
    slope_factor: float = 1.02,
    L: Number = 1.0,
    rho: Number = 1.0,
    Delta: Number = 1.0,
    sigma: Number = 0.0,
    sigma_tilde: Number = 0.0,
    sigma_H: Number = 0.0,
    dim: int = 2,
    tasks: int | None = None,
    seed: int = 0,
) -> Family:
    """The ramp that resists down to eps.

    Args:
        eps: target norm of grad F, positive.
        slope_factor: slope of the ramp over eps, above 1.
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained.
        Delta: gap f(w_0) - inf f, that is the gap of F at alpha = 0 (at other alpha see `exact.gap`).
        dim: dimension, at least 2: the ramp and the wells.
        tasks: number of tasks, by default one, or two where sigma is positive.
        seed: of the tilts.

    Returns:
        The family; tilts of the wells carry sigma, that of the first task and well upward.

    Raises:
        ValueError: an argument out of its range.
    """
    constants = Constants(L, rho, sigma, sigma_tilde, sigma_H, Delta)
    L, rho, Delta, sigma = real(L), real(rho), real(Delta), real(sigma)
    for name, number, least in (
        ("eps", eps, 0),
        ("slope_factor", slope_factor, 1),
        ("rho", rho, 0),
        ("Delta", Delta, 0),
    ):
        if not (math.isfinite(number) and number > least):
            raise ValueError(f"{name} must be above {least} for a resisting ramp, got {number:g}")
    d, n = positive_integer("dim", dim), positive_integer("tasks", (2 if sigma else 1) if tasks is None else tasks)
    if d < 2:
        raise ValueError("dim must be at least 2 for a resisting ramp, which needs a well beside it; got 1")
    check_spread(n, sigma)
    s, omega = slope_factor * eps, rho / L
    A = L / omega**2
    tau = max(s / (4 * L), math.sqrt(s / (6 * math.sqrt(3) * rho)))
    height = Delta / (s * tau)
    table = np.zeros((2, n, d))
    table[0, :, 0] = s
    drawn = tilts(np.random.Generator(np.random.Philox(seed)), np.zeros((n, d - 1)), sigma)
    table[1, :, 1:] = drawn * np.copysign(1.0, drawn[0, 0])
    start = np.zeros(d)
    start[0] = -tau * (height + math.log(-math.expm1(-height)))
    return Family(
        name="resisting_ramp",
        kernels=KERNELS,
        table=table,
        shared=np.array([tau, omega, A]),
        probabilities=np.full(n, 1 / n),
        constants=constants,
        standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H", "Delta"), "attained"),
        start=start,
        expression=expression,
        formula=Formula(on_arrays(value), on_arrays(slope), on_arrays(curvature), floors, windows),
        minimum=Minimum(0.0, None),
        rate_exponent=-2.0,
        proof=partial(proof, L, rho, s, tau, omega, A),
    )
