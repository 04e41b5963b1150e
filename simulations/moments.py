"""Moments of the stochastic meta-gradient (6) without sampling error, and the mean norm that step sizes are made of.

E G and E||G||^2 need the first two moments of the outer gradient under inner noise, coordinate by coordinate: a closed
form where the family has one, else the rule of the noise: finite sums, or Gauss rules with nodes doubled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simulations.family import Family, real
from simulations.noise import Coordinate, Strong
from theory.rationals import Number

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
    variance: Mapping[str, float]
    error: float


def moments(
    family: Family,
    w: np.ndarray,
    alpha: Number,
    D_in: float | None = None,
    D_o: float | None = None,
    D_h: float | None = None,
) -> Moments:
    """The exact moments of G = (I - alpha H~_i) h~_i with i ~ p: survey (6), of which (7) and (8) speak.

    Args:
        family: a separable family, its coordinates turned or not, or one whose noise brings moments of its own.
        w: (d,).
        alpha: inner step.
        D_in, D_o, D_h: batch sizes, None or math.inf for an exact oracle.

    Returns:
        Moments.

    Raises:
        ValueError: w or a batch size is out of its range, or no way to the moments is open; one sentence says why.
    """
    w, alpha, noise = family.point(w), real(alpha), family.noise
    D_in, D_o, D_h = (noise.samples(name, D) for name, D in (("D_in", D_in), ("D_o", D_o), ("D_h", D_h)))
    if noise.gradient.moments:
        return noise.gradient.moments(family, w, alpha, D_in, D_o, D_h)
    if family.formula is None and family.outer_moments is None:
        raise ValueError(f"exact.moments needs a separable family, which {family.name} is not")
    if family.turned:
        return _turned(family, w, alpha, D_in, D_o, D_h)
    sigma_tilde, sigma_H = family.oracle.spread[:2]
    scale, p = sigma_tilde / math.sqrt(family.dim), family.probabilities
    centres = w - alpha * family.gradients(w)
    plain = family.gradients_at(centres)
    first, second, off = plain, plain * plain, 0.0
    if scale and not math.isinf(D_in):
        inner = noise.gradient.law(scale, D_in, family.dim)
        if family.outer_moments:
            first, second = family.outer_moments(family, centres, alpha, inner)
        else:
            first, second, off = quadrature(family, centres, alpha, inner)
    shrink = 1 - alpha * family.hessian_vector_products(w, np.ones(family.dim))
    outer, hessian = scale * scale / D_o, (alpha * sigma_H) ** 2 / D_h
    means, squares = shrink * first, shrink * shrink
    mean, weights = p @ means, p @ squares
    seen = p @ (squares * second)
    tasks = float((p @ (means * means) - mean * mean).sum())
    parts = {
        "tasks": tasks,
        "D_in": float((seen - p @ (means * means)).sum()),
        "D_o": float(outer * weights.sum()),
        "D_h": float(hessian * ((p @ second).sum() + outer * family.dim)),
    }
    return Moments(
        mean=mean,
        second=float(seen.sum()) + parts["D_o"] + parts["D_h"],
        bias=p @ (shrink * (first - plain)),
        variance=parts,
        error=float((p @ ((squares + hessian) * off)).sum()) if np.any(off) else 0.0,
    )


def _turned(family: Family, w: np.ndarray, alpha: float, *batches: float) -> Moments:
    """In the coordinates u = Q w the family is separable, and noise that is the same in all directions stays so."""
    if not family.noise.gradient.round:
        raise ValueError(
            f"exact.moments needs noise without directions of its own where coordinates are turned, such as gaussian, "
            f"got {family.noise.gradient.name}"
        )
    Q = family.rotation
    found = moments(family.unturned, Q @ w, alpha, *batches)
    return replace(found, mean=found.mean @ Q, bias=found.bias @ Q)


def quadrature(
    family: Family, centres: np.ndarray, alpha: float, inner: Coordinate
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E h and E h^2 for h = grad f_i(centres[i] - alpha X), entry by entry, nodes doubled until both settle.

    Args:
        family: a separable family.
        centres: (tasks, d), the inner points without noise.
        alpha: inner step.
        inner: the law of a coordinate X of the inner noise.

    Returns:
        E h, E h^2, and the last change of the latter, each (tasks, d).

    Raises:
        ValueError: there is no rule, or it does not settle.
    """
    before, nodes = None, 8
    while nodes <= _MOST_NODES:
        points, weights = inner.rule(nodes)
        outer = np.array([family.gradients_at(centres - alpha * x) for x in points])
        found = np.tensordot(weights, outer, 1), np.tensordot(weights, outer * outer, 1)
        scale = 1e-300 + max(np.abs(part).max() for part in found)
        if before and all(np.abs(x - y).max() <= _TOLERANCE * scale for x, y in zip(before, found, strict=True)):
            return *found, np.abs(found[1] - before[1])
        before, nodes = found, 2 * nodes
    raise ValueError(
        f"quadrature for {family.name} does not settle with {_MOST_NODES} nodes: the inner noise is too wide"
    )


def hessian_variance(family: Family, D: float = 1) -> tuple[float, Strong | None]:
    """Both readings of the Hessian half of (A5), for a mean of D samples N.

    Returns:
        sup over unit v of E||N v||^2, which is sigma_H^2/D for every kind of noise, and E||N||_op^2, or None where that
        is not known.
    """
    noise, square = family.noise.hessian, float(family.oracle.spread[1]) ** 2
    strong = noise.strong(family.dim, noise.samples("D", D))
    return square / D, strong and replace(strong, value=strong.value * square)


def mean_norm(family: Family, w: np.ndarray, D: float | None = None) -> float:
    """E_i E||grad~ f_i(w)||, the gradient a mean of D samples: what the published step size estimates.

    Args:
        family: any, with noise whose `length` is known.
        w: (d,).
        D: samples, None or math.inf for exact gradients.

    Raises:
        ValueError: w or D is out of its range, or this noise has no exact form.
    """
    found, D, noise = family.gradients(w), family.noise.samples("D", D), family.noise.gradient
    scale = family.oracle.spread[0] / math.sqrt(family.dim)
    if scale == 0 or math.isinf(D):
        return float(family.probabilities @ np.linalg.norm(found, axis=1))
    if noise.length is None:
        raise ValueError(f"exact.mean_norm knows no exact form for {noise.name} noise: D must be None")
    return float(family.probabilities @ noise.length(found, scale, D))
