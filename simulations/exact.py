"""F, grad F and the moments of the stochastic meta-gradient without sampling error: sums over tasks, closed forms and
Gauss-Hermite quadrature."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import roots_hermitenorm

from simulations.family import Family, real

_CELLS = 1024
_MOST_NODES = 512
_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Moments:
    """mean: E G, (d,). second: E||G||^2. bias: E G - grad F, (d,)."""

    mean: np.ndarray
    second: float
    bias: np.ndarray


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

    Never below the true gap, but for rounding: where its infimum is not known in closed form, each coordinate's part
    of F is searched by branch and bound over intervals that hold a minimiser. Between two nodes at distance h it lies
    above the lower one less h^2/8 times a Lipschitz constant of its slope; cells that cannot hold the minimum are
    dropped and the others halved.

    Raises:
        ValueError: the family is not separable.
    """
    formula, family = _formula(family, "gap"), family.unturned
    floors = formula.floors(family, alpha)
    return sum(
        _part(family, alpha, family.start[j : j + 1], j)[0]
        - (_floor(family, alpha, j) if math.isnan(floors[j]) else floors[j])
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
    lefts, length = family.formula.windows(family, alpha)
    cells = -(-_CELLS // lefts.shape[1])
    width = length / cells
    left = (lefts[j, :, None] + width * np.arange(cells)).ravel()
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


def outer_moments(family: Family, w: np.ndarray, alpha: float, variance: float) -> tuple[np.ndarray, np.ndarray]:
    """E h_i and E h_i^2 by Gauss-Hermite quadrature, nodes doubled until both settle: each (tasks, d).

    Args:
        family: a separable family.
        w: (d,).
        alpha: inner step.
        variance: of the normal inner noise, a coordinate.

    Returns:
        E h_i and E h_i^2, entry by entry.

    Raises:
        ValueError: the family is not separable, or the quadrature does not settle.
    """
    _formula(family, "moments")
    centre, width = w - alpha * family.gradients(w), alpha * math.sqrt(variance)
    before, nodes = None, 8
    while nodes <= _MOST_NODES:
        points, weights = roots_hermitenorm(nodes)
        outer = np.array([family.gradients_at(centre - width * z) for z in points])
        weights = weights / weights.sum()
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
    if family.turned:
        Q = family.rotation
        inner = moments(family.unturned, Q @ w, alpha, D_in, D_o, D_h)
        return Moments(inner.mean @ Q, inner.second, inner.bias @ Q)
    D_in, D_o, D_h = (math.inf if samples is None else samples for samples in (D_in, D_o, D_h))
    variance = real(family.constants.sigma_tilde) ** 2 / family.dim
    how = family.outer_moments or outer_moments
    first, second = how(family, w, alpha, variance / D_in)
    shrink = 1 - alpha * family.hessian_vector_products(w, np.ones(family.dim))
    mean = family.probabilities @ (shrink * first)
    hessian_noise = (alpha * real(family.constants.sigma_H)) ** 2 / D_h
    each = ((shrink**2 + hessian_noise) * (second + variance / D_o)).sum(axis=1)
    return Moments(mean, float(family.probabilities @ each), mean - meta_gradient(family, w, alpha))
