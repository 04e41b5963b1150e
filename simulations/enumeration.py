"""Moments of any estimate of the meta-gradient without sampling: every outcome of two-point noise is visited.

One sample's gradient noise is +-sigma_tilde/sqrt(d) in every coordinate, independently, one sample's Hessian noise
+-sigma_H I, so that A5 holds with equality; means of D samples are binomial. An estimate is a few lines of NumPy on an
`Oracle`: MAML and its relatives here, and whatever else is to be held against the claims.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from simulations import exact
from simulations.family import Family, real
from theory.rationals import Number

_MOST = 2**18


@dataclass(frozen=True)
class Oracle:
    """The answers of one outcome.

    family, w, alpha: as everywhere. noise: role -> what is added to gradients, (d,). hessian: what multiplies the
    identity in Hess~ f_i. zeta: of HF-MAML.
    """

    family: Family
    w: np.ndarray
    alpha: float
    noise: Mapping[str, np.ndarray]
    hessian: float
    zeta: float

    @property
    def here(self) -> np.ndarray:
        """w for every task, (tasks, d)."""
        return np.tile(self.w, (self.family.size, 1))

    def gradients(self, points: np.ndarray, role: str) -> np.ndarray:
        """grad~ f_i(points[i]), (tasks, d), with the samples of the role "inner" or "outer"."""
        return self.family.gradients_at(points) + self.noise[role]

    def products(self, vectors: np.ndarray) -> np.ndarray:
        """Hess~ f_i(w) vectors[i], (tasks, d)."""
        return self.family.hessian_vector_products(self.w, vectors) + self.hessian * vectors


Estimate = Callable[[Oracle], np.ndarray]


def maml(oracle: Oracle) -> np.ndarray:
    """(I - alpha H~_i) h~_i for every task, (tasks, d): survey (6)."""
    outer = fo_maml(oracle)
    return outer - oracle.alpha * oracle.products(outer)


def fo_maml(oracle: Oracle) -> np.ndarray:
    """h~_i for every task, (tasks, d): FMO G.1."""
    inner = oracle.gradients(oracle.here, "inner")
    return oracle.gradients(oracle.here - oracle.alpha * inner, "outer")


def hf_maml(oracle: Oracle) -> np.ndarray:
    """h~_i less alpha times a central difference with delta_i = zeta/(rho alpha ||h~_i||), (tasks, d): FMO H.1.

    Noise that does not depend on the point cancels in the difference.
    """
    outer = fo_maml(oracle)
    sizes = np.linalg.norm(outer, axis=1, keepdims=True)
    reach = oracle.zeta / (real(oracle.family.constants.rho) * oracle.alpha)
    moved = reach * np.divide(outer, sizes, out=np.zeros_like(outer), where=sizes > 0)
    difference = oracle.family.gradients_at(oracle.here + moved) - oracle.family.gradients_at(oracle.here - moved)
    return outer - oracle.alpha * difference * sizes / (2 * reach)


ESTIMATES: dict[str, Estimate] = {"maml": maml, "fo_maml": fo_maml, "hf_maml": hf_maml}


@dataclass(frozen=True)
class Enumerated:
    """mean: E G, (d,). second: E||G||^2. bias: E G - grad F, (d,). error: none, as `exact.Moments` has one."""

    mean: np.ndarray
    second: float
    bias: np.ndarray
    error: float = 0.0


def moments(
    family: Family,
    w: np.ndarray,
    alpha: Number,
    D_in: float | None = None,
    D_o: float | None = None,
    D_h: float | None = None,
    estimate: Estimate = maml,
    zeta: float = 1 / 6,
) -> Enumerated:
    """The moments of an estimate under two-point noise, i ~ p.

    Args:
        family: any; its constants sigma_tilde and sigma_H size the noise, whatever noise the family itself carries.
        w: (d,).
        alpha: inner step.
        D_in, D_o, D_h: batch sizes, small whole numbers, or None for an exact oracle.
        estimate: what is judged.
        zeta: of HF-MAML.

    Raises:
        ValueError: w or a batch size is out of its range, or there are too many outcomes to visit.
    """
    w, alpha = family.point(w), real(alpha)
    mean, second = np.zeros(family.dim), 0.0
    for chance, found in _visited(family, w, alpha, (D_in, D_o, D_h), estimate, zeta):
        mean += chance * (family.probabilities @ found)
        second += chance * float(family.probabilities @ (found * found).sum(axis=1))
    return Enumerated(mean, second, mean - exact.meta_gradient(family, w, alpha))


def law(
    family: Family,
    w: np.ndarray,
    alpha: Number,
    D_in: float | None = None,
    D_o: float | None = None,
    D_h: float | None = None,
    estimate: Estimate = maml,
    zeta: float = 1 / 6,
) -> tuple[np.ndarray, np.ndarray]:
    """Every value that the estimate of one task i ~ p takes: probabilities (m,) and values (m, d).

    Args, Raises: as of `moments`.
    """
    w, alpha = family.point(w), real(alpha)
    visited = list(_visited(family, w, alpha, (D_in, D_o, D_h), estimate, zeta))
    chances = np.concatenate([chance * family.probabilities for chance, _ in visited])
    return chances, np.concatenate([found for _, found in visited])


def noises(family: Family, D: float | None, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Every mean of the noise of D gradients: probabilities (m,) and values (m, d).

    Raises:
        ValueError: D, called `name`, is no whole number.
    """
    axes = [_mean_of(D, _scale(family), name)] * family.dim
    outcomes = list(itertools.product(*axes))
    return (
        np.array([math.prod(p for p, _ in outcome) for outcome in outcomes]),
        np.array([[value for _, value in outcome] for outcome in outcomes]),
    )


def _visited(
    family: Family, w: np.ndarray, alpha: float, sizes: tuple, estimate: Estimate, zeta: float
) -> Iterator[tuple[float, np.ndarray]]:
    """Every outcome of the noise: its probability and the estimates of all tasks, (tasks, d)."""
    inner, outer = (_mean_of(D, _scale(family), name) for D, name in zip(sizes, ("D_in", "D_o"), strict=False))
    hessian = _mean_of(sizes[2], real(family.constants.sigma_H), "D_h")
    axes = [*[inner] * family.dim, *[outer] * family.dim, hessian]
    if math.prod(map(len, axes)) > _MOST:
        raise ValueError(f"{math.prod(map(len, axes))} outcomes are too many to visit; at most {_MOST}")
    for chance, inner, outer, hessian in _outcomes(axes, family.dim):
        yield chance, estimate(Oracle(family, w, alpha, {"inner": inner, "outer": outer}, hessian, zeta))


def _scale(family: Family) -> float:
    return real(family.constants.sigma_tilde) / math.sqrt(family.dim)


def _mean_of(D: float | None, size: float, name: str) -> list[tuple[float, float]]:
    """(probability, value) of the mean of D samples +-size."""
    if D is None or math.isinf(D) or size == 0:
        return [(1.0, 0.0)]
    if int(D) != D or D < 1:
        raise ValueError(f"{name} must be a whole number or None where outcomes are visited, got {D}")
    D = int(D)
    return [(math.comb(D, k) / 2**D, size * (2 * k - D) / D) for k in range(D + 1)]


def _outcomes(axes: list, d: int) -> Iterator[tuple[float, np.ndarray, np.ndarray, float]]:
    for outcome in itertools.product(*axes):
        values = np.array([value for _, value in outcome])
        yield math.prod(p for p, _ in outcome), values[:d], values[d : 2 * d], values[-1]
