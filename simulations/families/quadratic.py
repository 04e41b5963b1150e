"""Quadratic tasks f_i(w) = sum_j h_j w_j^2/2 + b_i . w, the control: rho = 0, and T grows like log(1/eps).

All tasks share the Hessian, since two quadratics with different ones have task gradients that spread without bound.
The curvatures h_j fall geometrically from L to L/condition. F is quadratic too, for every alpha: its coordinate j is
    h_j (1 - alpha h_j)^2 w_j^2/2 + (alpha^2 h_j/2 - alpha) E b_ij^2.
"""

from __future__ import annotations

import math

import numpy as np

from simulations import extremes, separable
from simulations.family import Family, Formula, Minimum, positive_integer, real
from simulations.kernels import inlined, on_arrays
from simulations.shape import check_spread, tilt_variance, tilts
from theory import Constants
from theory.certify import Certificate
from theory.rationals import Number, exact


@inlined
def value(u, bend, tilt, shared):
    """bend u^2/2 + tilt u."""
    return (0.5 * bend * u + tilt) * u


@inlined
def slope(u, bend, tilt, shared):
    """First derivative of `value`."""
    return bend * u + tilt


@inlined
def curvature(u, bend, tilt, shared):
    """Second derivative of `value`."""
    return bend + 0.0 * u


KERNELS = separable.rows(value, slope, curvature, shared=1)


def expression(row, shared, w):
    """The task as SymPy writes it."""
    return sum(bend * x**2 / 2 + tilt * x for x, bend, tilt in zip(w, *row, strict=True))


def floors(family: Family, alpha: float) -> np.ndarray:
    """At w = 0, for every alpha."""
    return (alpha**2 * family.table[0, 0] / 2 - alpha) * tilt_variance(family)


def quadratic(
    dim: int = 16,
    tasks: int = 32,
    L: Number = 1.0,
    rho: Number = 0,
    sigma: Number = 0.5,
    sigma_tilde: Number = 0.3,
    sigma_H: Number = 0.2,
    condition: float = 10.0,
    distance: float = 1.0,
    seed: int = 0,
) -> Family:
    """Quadratic tasks with exactly these constants.

    Args:
        dim: dimension d of w.
        tasks: number of tasks, each with probability 1/tasks.
        L, sigma, sigma_tilde, sigma_H: the constants of A2, A4 and A5, each attained.
        rho: 0.
        condition: largest curvature over the smallest, at least 1; all are L in one dimension.
        distance: ||w_0||, positive; the minimum of E_i f_i is at 0.
        seed: of the tilts and the start.

    Raises:
        ValueError: no quadratic family has these constants.
    """
    d, n = positive_integer("dim", dim), positive_integer("tasks", tasks)
    if real(rho) != 0:
        raise ValueError(f"rho must be 0 for quadratic tasks, whose curvature does not vary; got {rho}")
    check_spread(n, real(sigma))
    for name, number, least in (("condition", condition, 1.0), ("distance", distance, math.nextafter(0, 1))):
        if not least <= number < math.inf:
            raise ValueError(f"{name} must be finite and at least {least:g}, got {number}")
    generator = np.random.Generator(np.random.Philox(seed))
    bends = real(L) * np.geomspace(1.0, 1.0 / condition, d)
    away = generator.uniform(0.5, 1.0, d) * generator.choice([-1.0, 1.0], d)
    start = distance * away / np.linalg.norm(away)
    return Family(
        name="quadratic",
        kernels=KERNELS,
        table=np.stack([np.tile(bends, (n, 1)), tilts(generator, np.zeros((n, d)), real(sigma))]),
        shared=np.zeros(1),
        probabilities=np.full(n, 1 / n),
        constants=Constants(L, rho, sigma, sigma_tilde, sigma_H, Delta=float(bends @ start**2) / 2),
        standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H", "Delta"), "attained"),
        start=start,
        expression=expression,
        formula=Formula(on_arrays(value), on_arrays(slope), on_arrays(curvature), floors),
        minimum=Minimum(0.0, np.zeros(d)),
        proof=lambda: Certificate("quadratic tasks", (extremes.equal("max h_j = L", exact(bends.max()), real(L)),)),
    )
