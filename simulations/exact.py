"""F, grad F, the gap and, from `moments` and `balls`, the moments of the meta-gradient: nothing here is sampled."""

from __future__ import annotations

import math

import numpy as np

from simulations.balls import Balls, balls, constant_balls
from simulations.family import Family, real
from simulations.moments import Moments, hessian_variance, mean_norm, moments
from theory.rationals import Number

__all__ = [
    "Balls",
    "Moments",
    "balls",
    "constant_balls",
    "gap",
    "hessian_variance",
    "mean_norm",
    "meta_gradient",
    "moments",
    "objective",
]

_CELLS = 1024
_TOLERANCE = 1e-12


def objective(family: Family, w: np.ndarray, alpha: Number) -> float:
    """F(w) = E_i f_i(w - alpha grad f_i(w)): survey (1), in the units of f; w of the family, (d,), alpha inner step.

    Raises:
        ValueError: w does not have shape (d,).
    """
    w, alpha = family.point(w), real(alpha)
    return float(family.probabilities @ family.values_at(w - alpha * family.gradients(w)))


def meta_gradient(family: Family, w: np.ndarray, alpha: Number) -> np.ndarray:
    """grad F(w) = E_i (I - alpha Hess f_i(w)) grad f_i(w - alpha grad f_i(w)), (d,): survey (5); family, w (d,), alpha.

    Raises:
        ValueError: w does not have shape (d,).
    """
    w, alpha = family.point(w), real(alpha)
    outer = family.gradients_at(w - alpha * family.gradients(w))
    return family.probabilities @ (outer - alpha * family.hessian_vector_products(w, outer))


def gap(family: Family, alpha: Number) -> float:
    """Delta = F(w_0) - inf F of a family, for the inner step alpha: survey 4.1, assumption 1.

    Never below the true gap, but for rounding: where its infimum is not known in closed form, each coordinate's part
    of F is searched by branch and bound over intervals that hold a minimiser. Between two nodes at distance h it lies
    above the lower one less h^2/8 times a Lipschitz constant of its slope; cells that cannot hold the minimum are
    dropped and the others halved. Where a family has a floor instead, inf F is at least that.

    Raises:
        ValueError: the family is not separable and has no floor.
    """
    if family.floor is not None:
        return objective(family, family.start, alpha) - family.floor
    formula, family, alpha = _formula(family, "gap"), family.unturned, real(alpha)
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
