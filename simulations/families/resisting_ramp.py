"""The resisting ramp, one function per eps, on which the bound's 1/eps^2 is real: THEORY.md section 5.

Coordinate 0 is s tau softplus(-x/tau): a slope that falls smoothly from -s to 0, with the smallest width tau that
respects L and rho. Coordinate 1 is a cosine well that starts at its stationary point; it brings L and rho up to their
nominal values and carries sigma as two opposite tilts. Both coordinates are one formula with parameters of their own.
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from simulations.family import Family, Formula, real
from simulations.kernels import GRADIENTS, JETS, PRODUCTS, VALUES, callback, inlined, on_arrays
from theory import Constants
from theory.rationals import Number


@inlined
def value(u, ramp, well, tilt, shared):
    """ramp tau softplus(-u/tau) + well (1 - cos(omega u)) + tilt u, with shared = (tau, omega)."""
    tau, omega = shared[0], shared[1]
    soft = np.maximum(-u / tau, 0.0) + np.log1p(np.exp(-np.abs(u) / tau))
    return ramp * tau * soft + well * (1.0 - np.cos(omega * u)) + tilt * u


@inlined
def slope(u, ramp, well, tilt, shared):
    """First derivative of `value`."""
    tau, omega = shared[0], shared[1]
    return -ramp * 0.5 * (1.0 - np.tanh(0.5 * u / tau)) + well * omega * np.sin(omega * u) + tilt


@inlined
def curvature(u, ramp, well, tilt, shared):
    """Second derivative of `value`."""
    tau, omega = shared[0], shared[1]
    falling = np.tanh(0.5 * u / tau)
    return 0.25 * ramp / tau * (1.0 - falling * falling) + well * omega * omega * np.cos(omega * u)


@callback(VALUES)
def values(points, picks, parameters, shared, out):
    both = shared[0], shared[1]
    for r in range(picks.size):
        total = 0.0
        for j in range(points.shape[1]):
            total += value(points[r, j], parameters[0, r, j], parameters[1, r, j], parameters[2, r, j], both)
        out[r] = total


@callback(GRADIENTS)
def gradients(points, picks, parameters, shared, out):
    both = shared[0], shared[1]
    for r in range(picks.size):
        for j in range(points.shape[1]):
            out[r, j] = slope(points[r, j], parameters[0, r, j], parameters[1, r, j], parameters[2, r, j], both)


@callback(PRODUCTS)
def products(points, vectors, picks, parameters, shared, out):
    both = shared[0], shared[1]
    for r in range(picks.size):
        for j in range(points.shape[1]):
            bend = curvature(points[r, j], parameters[0, r, j], parameters[1, r, j], parameters[2, r, j], both)
            out[r, j] = bend * vectors[r, j]


@callback(JETS)
def jets(points, picks, parameters, shared, slopes, bends):
    both = shared[0], shared[1]
    for r in range(picks.size):
        for j in range(points.shape[1]):
            own = parameters[0, r, j], parameters[1, r, j], parameters[2, r, j]
            slopes[r, j] = slope(points[r, j], own[0], own[1], own[2], both)
            bends[r, j] = curvature(points[r, j], own[0], own[1], own[2], both)


def expression(row, shared, w):
    """The task as SymPy writes it."""
    tau, omega = shared
    return sum(
        ramp * tau * sp.log(1 + sp.exp(-x / tau)) + well * (1 - sp.cos(omega * x)) + tilt * x
        for x, ramp, well, tilt in zip(w, *row, strict=True)
    )


def resisting_ramp(
    eps: float = 0.01,
    slope_factor: float = 1.02,
    L: Number = 1.0,
    rho: Number = 1.0,
    Delta: Number = 1.0,
    sigma: Number = 0.0,
    sigma_tilde: Number = 0.0,
    sigma_H: Number = 0.0,
) -> Family:
    """The ramp that resists down to eps.

    Args:
        eps: target norm of grad F, positive.
        slope_factor: slope of the ramp over eps, above 1.
        L, rho, sigma, sigma_tilde, sigma_H: the constants of A2-A5, each attained.
        Delta: gap f(w_0) - inf f, that is the gap of F at alpha = 0 (at other alpha see `exact.gap`).

    Returns:
        The family: one task, or two with opposite tilts where sigma is positive.

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
    s, omega = slope_factor * eps, rho / L
    tau = max(s / (4 * L), math.sqrt(s / (6 * math.sqrt(3) * rho)))
    height = Delta / (s * tau)
    start = -tau * (height + math.log(-math.expm1(-height)))
    tilts = [sigma, -sigma] if sigma else [0.0]
    table = np.array([[[s, 0.0], [0.0, L / omega**2], [0.0, tilt]] for tilt in tilts]).swapaxes(0, 1).copy()
    return Family(
        name="resisting_ramp",
        kernels=(values, gradients, products, jets),
        table=table,
        shared=np.array([tau, omega]),
        probabilities=np.full(len(tilts), 1 / len(tilts)),
        constants=constants,
        standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H", "Delta"), "attained"),
        start=np.array([start, 0.0]),
        expression=expression,
        formula=Formula(
            on_arrays(value), on_arrays(slope), on_arrays(curvature), np.array([0.0, np.nan]), 2 * math.pi / omega
        ),
    )
