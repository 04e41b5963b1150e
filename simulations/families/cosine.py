"""Cosine tasks f_i(w) = sum_j A (1 - cos(omega (w_j - c_ij))) + b_i . w: THEORY.md section 5.

With omega = rho/L and A = L/omega^2 the constants L and rho are attained. The shifts c_ij = +-delta carry a share of
sigma^2 in curvature, d A^2 omega^2 sin^2(omega delta) times the share of tasks that are shifted; the tilts b_i have
mean zero over the tasks and are orthogonal to the signs of the shifts, so the two shares add up. At w = 0 both are
met with equality in every coordinate at once.
"""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from simulations.elementary import cos, sin
from simulations.family import Family, Formula, positive_integer, real
from simulations.kernels import GRADIENTS, JETS, PRODUCTS, VALUES, callback, inlined, on_arrays
from theory import Constants
from theory.rationals import Number


@inlined
def value(u, shift, tilt, shared):
    """A (1 - cos(omega (u - shift))) + tilt u, with shared = (A, omega)."""
    return shared[0] * (1.0 - cos(shared[1] * (u - shift))) + tilt * u


@inlined
def slope(u, shift, tilt, shared):
    """First derivative of `value`."""
    return shared[0] * shared[1] * sin(shared[1] * (u - shift)) + tilt


@inlined
def curvature(u, shift, tilt, shared):
    """Second derivative of `value`."""
    return shared[0] * shared[1] * shared[1] * cos(shared[1] * (u - shift))


@callback(VALUES)
def values(points, picks, parameters, shared, out):
    both, each = (shared[0], shared[1]), np.empty(points.shape[1])
    for r in range(picks.size):
        for j in range(each.size):
            each[j] = value(points[r, j], parameters[0, r, j], parameters[1, r, j], both)
        out[r] = each.sum()


@callback(GRADIENTS)
def gradients(points, picks, parameters, shared, out):
    both = shared[0], shared[1]
    u, shift, tilt, found = points.ravel(), parameters[0].ravel(), parameters[1].ravel(), out.ravel()
    for e in range(found.size):
        found[e] = slope(u[e], shift[e], tilt[e], both)


@callback(PRODUCTS)
def products(points, vectors, picks, parameters, shared, out):
    both = shared[0], shared[1]
    u, v, shift, found = points.ravel(), vectors.ravel(), parameters[0].ravel(), out.ravel()
    for e in range(found.size):
        found[e] = curvature(u[e], shift[e], 0.0, both) * v[e]


@callback(JETS)
def jets(points, picks, parameters, shared, slopes, bends):
    both = shared[0], shared[1]
    u, shift, tilt, first, second = (
        points.ravel(), parameters[0].ravel(), parameters[1].ravel(), slopes.ravel(), bends.ravel()
    )  # fmt: skip
    for e in range(u.size):
        first[e] = slope(u[e], shift[e], tilt[e], both)
        second[e] = curvature(u[e], shift[e], 0.0, both)


def expression(row, shared, w):
    """The task as SymPy writes it."""
    (shift, tilt), (A, omega) = row, shared
    return sum(A * (1 - sp.cos(omega * (x - c))) + b * x for x, c, b in zip(w, shift, tilt, strict=True))


def outer_moments(family: Family, w: np.ndarray, alpha: float, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """E h_i and E h_i^2 in closed form: E sin(t - omega alpha xi) = exp(-omega^2 alpha^2 variance/2) sin t."""
    A, omega = family.shared
    shift, tilt = family.table
    angle = omega * (w - alpha * family.gradients(w) - shift)
    spread = (omega * alpha) ** 2 * variance
    wave = A * omega * math.exp(-spread / 2) * np.sin(angle)
    square = (A * omega) ** 2 * (1 - math.exp(-2 * spread) * np.cos(2 * angle)) / 2
    return wave + tilt, square + 2 * tilt * wave + tilt**2


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
            default one half, or as much as the amplitude allows, and none with fewer than four tasks.
        seed: of the signs, the tilts and the start.

    Returns:
        The family; it starts on hillsides, halfway up or higher in every coordinate.

    Raises:
        ValueError: no cosine family has these constants; the message gives the range that can be reached.
    """
    d, n = positive_integer("dim", dim), positive_integer("tasks", tasks)
    constants = Constants(L, rho, sigma, sigma_tilde, sigma_H)
    L, rho, sigma = real(L), real(rho), real(sigma)
    if rho == 0:
        raise ValueError("rho must be positive for cosine tasks, whose curvature varies; got 0")
    if n == 1 and sigma > 0:
        raise ValueError(f"sigma must be 0 for a single task, got {sigma:g}")
    omega = rho / L
    A = L / omega**2
    generator = np.random.Generator(np.random.Philox(seed))
    shifted = 2 * (n // 2) if n >= 4 else 0
    largest = d * (A * omega) ** 2 * shifted / n
    share = _shift_share(shift_share, sigma, largest)
    sine = math.sqrt(share * sigma**2 / largest) if share else 0.0
    signs = np.zeros((n, d))
    signs[:shifted] = generator.permuted(np.tile([[1.0], [-1.0]], (shifted // 2, d)), axis=0)
    tilts = _tilts(generator, signs, math.sqrt(1 - share) * sigma)
    height = generator.uniform(math.pi / 2, 5 * math.pi / 6, d) * generator.choice([-1.0, 1.0], d)
    return Family(
        name="cosine",
        kernels=(values, gradients, products, jets),
        table=np.stack([signs * math.asin(sine) / omega, tilts]),
        shared=np.array([A, omega]),
        probabilities=np.full(n, 1 / n),
        constants=constants,
        standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H"), "attained"),
        start=height / omega,
        expression=expression,
        formula=Formula(
            on_arrays(value), on_arrays(slope), on_arrays(curvature), np.full(d, np.nan), 2 * math.pi / omega
        ),
        outer_moments=outer_moments,
    )


def _shift_share(asked: float | None, sigma: float, largest: float) -> float:
    """The part of sigma^2 for the shifts, which can carry `largest` at most."""
    reachable = min(1.0, largest / sigma**2) if sigma else 1.0
    if asked is None:
        return min(0.5, reachable) if sigma else 0.0
    if not 0 <= asked <= 1:
        raise ValueError(f"shift_share must lie in [0, 1], got {asked}")
    if asked > reachable:
        raise ValueError(
            f"shift_share = {asked:g} of sigma = {sigma:g} is beyond the amplitude of these cosine tasks: "
            f"shift_share can be at most {reachable:.6g} here"
        )
    return asked if sigma else 0.0


def _tilts(generator: np.random.Generator, signs: np.ndarray, spread: float) -> np.ndarray:
    """(tasks, d) tilts with mean zero, orthogonal to the shifts, and root mean square norm `spread` over the tasks."""
    n, d = signs.shape
    tilts = np.zeros((n, d))
    if spread == 0:
        return tilts
    flat = (signs == 0).astype(float)
    for j in range(d):
        constraints = np.stack([np.ones(n), signs[:, j], flat[:, j]], axis=1)
        basis, weights, _ = np.linalg.svd(constraints, full_matrices=True)
        rank = int((weights > 1e-9).sum())
        tilts[:, j] = basis[:, rank:] @ generator.standard_normal(n - rank)
    return tilts * spread / math.sqrt((tilts**2).sum() / n)
