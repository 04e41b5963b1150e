"""F, grad F and the moments of the stochastic meta-gradient without sampling error: sums over tasks, closed forms and
Gauss-Hermite quadrature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simulations.family import Family, real
from simulations.noise import Coordinate

_CELLS = 1024
_MOST_NODES = 512
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Moments:
    """What is known of G = (I - alpha H~_i) h~_i, i ~ p.

    mean: E G, (d,). second: E||G||^2. bias: E G - grad F, (d,).
    variance: E||G - E G||^2 by source, "tasks", "D_in", "D_o" and "D_h" in this order: each is what its randomness adds
        to that of the earlier ones (law of total variance).
    error: of `second`, as the last doubling of the nodes shows it; 0 for closed forms and finite sums.
    """

    mean: np.ndarray
    second: float
    bias: np.ndarray
    variance: Mapping[str, float] | None = None
    error: float | None = None


def objective(family: Family, w: np.ndarray, alpha: float) -> float:
    """F(w) = E_i f_i(w - alpha grad f_i(w)): survey (1).

    Raises:
        ValueError: w does not have shape (d,).
    """
    w = family.point(w)
    return float(family.probabilities @ family.values_at(w - alpha * family.gradients(w)))


def meta_gradient(family: Family, w: np.ndarray, alpha: float) -> np.ndarray:
    """grad F(w) = E_i (I - alpha Hess f_i(w)) grad f_i(w - alpha grad f_i(w)), (d,): survey (5).

    Raises:
        ValueError: w does not have shape (d,).
    """
    w = family.point(w)
    outer = family.gradients_at(w - alpha * family.gradients(w))
    return family.probabilities @ (outer - alpha * family.hessian_vector_products(w, outer))


def gap(family: Family, alpha: float) -> float:
    """Delta = F(w_0) - inf F: survey 4.1, assumption 1.

    Never below the true gap, but for rounding: each coordinate's part of F is searched over one period by branch and
    bound. Between two nodes at distance h it lies above the lower one less h^2/8 times a Lipschitz constant of its
    slope; cells that cannot hold the minimum are dropped and the others halved. A family with a floor has inf F at
    least there, and its gap is bounded by that.

    Raises:
        ValueError: the family is not separable and has no floor.
    """
    if family.floor is not None:
        return objective(family, family.start, alpha) - family.floor
    formula = _formula(family, "gap")
    return sum(
        _part(family, alpha, family.start[j : j + 1], j)[0]
        - (_floor(family, alpha, j) if math.isnan(formula.floors[j]) else formula.floors[j])
        for j in range(family.dim)
    )


def _formula(family: Family, asked: str):
    if family.formula is None:
        raise ValueError(f"exact.{asked} needs a separable family, which {family.name} is not")
    return family.formula


def _part(family: Family, alpha: float, u: np.ndarray, j: int) -> np.ndarray:
    """Coordinate j's part of F at the points u."""
    parameters = family.table[:, :, j, None]
    inner = u - alpha * family.formula.slope(u, *parameters, family.shared)
    return family.probabilities @ family.formula.value(inner, *parameters, family.shared)


def _floor(family: Family, alpha: float, j: int) -> float:
    """A lower bound of coordinate j's part of F, tight to rounding."""
    L, rho = real(family.constants.L), real(family.constants.rho)
    left, width = np.linspace(0.0, family.formula.period, _CELLS, endpoint=False, retstep=True)
    steepest = np.abs(family.formula.slope(left, *family.table[:, :, j, None], family.shared)).max() + L * width
    a = alpha * L
    smoothness = (1 + a) ** 2 * L + (1 + a) * rho * alpha * steepest
    resolution = _TOLERANCE * np.abs(_part(family, alpha, left, j)).max()
    while True:
        ends = np.minimum(_part(family, alpha, left, j), _part(family, alpha, left + width, j))
        slack = smoothness * width**2 / 8
        if slack <= resolution:
            return ends.min() - slack
        left = left[ends - slack <= ends.min()]
        width /= 2
        left = np.concatenate([left, left + width])


def outer_moments(family: Family, w: np.ndarray, alpha: float, inner: Coordinate) -> tuple[np.ndarray, np.ndarray]:
    """E h_i and E h_i^2 by the rule of the inner noise, nodes doubled until both settle: each (tasks, d).

    Args:
        family: a separable family.
        w: (d,).
        alpha: inner step.
        inner: the law of a coordinate of the inner noise.

    Returns:
        E h_i and E h_i^2, entry by entry.

    Raises:
        ValueError: the family is not separable, or the quadrature does not settle.
    """
    _formula(family, "moments")
    centre = w - alpha * family.gradients(w)
    before, nodes = None, 8
    while nodes <= _MOST_NODES:
        points, weights = inner.rule(nodes)
        outer = np.array([family.gradients_at(centre - alpha * x) for x in points])
        found = np.tensordot(weights, outer, 1), np.tensordot(weights, outer**2, 1)
        scale = 1e-300 + max(np.abs(part).max() for part in found)
        if before and all(np.abs(x - y).max() <= _TOLERANCE * scale for x, y in zip(before, found, strict=True)):
            return found
        before, nodes = found, 2 * nodes
    raise ValueError(
        f"quadrature for {family.name} does not settle with {_MOST_NODES} nodes: the inner noise is too wide"
    )


def moments(
    family: Family,
    w: np.ndarray,
    alpha: float,
    D_in: float | None = None,
    D_o: float | None = None,
    D_h: float | None = None,
) -> Moments:
    """The exact moments of G = (I - alpha H~_i) h~_i with i ~ p: survey (6), of which (7) and (8) speak.

    Args:
        family: a separable family with normal gradient noise and isotropic Hessian noise.
        w: (d,).
        alpha: inner step.
        D_in, D_o, D_h: batch sizes, None or math.inf for an exact oracle.

    Returns:
        Moments, from a closed form where the family has one, else by quadrature.

    Raises:
        ValueError: w has the wrong shape, or neither way is open.
    """
    w = family.point(w)
    D_in, D_o, D_h = (math.inf if samples is None else samples for samples in (D_in, D_o, D_h))
    if family.noise.gradient.moments:
        return family.noise.gradient.moments(family, w, alpha, D_in, D_o, D_h)
    scale = real(family.constants.sigma_tilde) / math.sqrt(family.dim)
    how = family.outer_moments or outer_moments
    first, second = how(family, w, alpha, family.noise.gradient.law(scale, D_in, family.dim))
    shrink = 1 - alpha * family.hessian_vector_products(w, np.ones(family.dim))
    mean = family.probabilities @ (shrink * first)
    hessian_noise = (alpha * real(family.constants.sigma_H)) ** 2 / D_h
    each = ((shrink**2 + hessian_noise) * (second + scale**2 / D_o)).sum(axis=1)
    return Moments(mean, float(family.probabilities @ each), mean - meta_gradient(family, w, alpha))
