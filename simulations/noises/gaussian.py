"""Normal gradient noise: the mean of D samples is normal with 1/D of the variance, for any D."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from flint import arb, ctx

from simulations.blocks import add_roots
from simulations.kernels import SAMPLED_GRADIENTS, callback, linked
from simulations.noise import PRECISION, Coordinate, GradientNoise, Nodes
from simulations.philox import OUTER, add_normals, at


@callback(SAMPLED_GRADIENTS)
def sampled_gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus normal noise; spread = (sigma_tilde, sigma_H)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    scale = spread[0] / math.sqrt(points.shape[-1] * samples)
    if scale > 0.0:
        add_normals(out, scale, address)


@linked
def outer_noise(spread, samples, squares, address, out):
    """Add the outer noise of a whole batch to its direction, as one vector: `squares` are its squared weights, summed.

    squares, out: (lanes, d).
    """
    scale = spread[0] / math.sqrt(out.shape[-1] * samples)
    if scale > 0.0:
        noise = np.zeros(out.shape)
        add_normals(noise, scale, at(address, OUTER))
        add_roots(squares, noise, out)


def law(scale: float, D: float, d: int) -> Coordinate:
    """Normal with variance scale^2/D."""
    variance = scale * scale / D

    def rule(n):
        points, weights = _hermite(n)
        return math.sqrt(variance) * points, weights

    return Coordinate(variance, lambda t: (-t * t * variance / 2).exp(), rule)


@cache
def _hermite(n: int) -> Nodes:
    from scipy.special import roots_hermitenorm

    points, weights = roots_hermitenorm(n)
    return points, weights / weights.sum()


def length(m: np.ndarray, scale: float, D: float) -> np.ndarray:
    """E||m + noise||: the mean of a noncentral chi."""
    return noncentral_chi_mean(np.linalg.norm(m, axis=1), scale / math.sqrt(D), m.shape[1])


@np.vectorize
def noncentral_chi_mean(distance: float, s: float, d: int) -> float:
    """E||m + s z|| for ||m|| = distance and z standard normal in d dimensions; on numbers or arrays.

    s sqrt(2) Gamma((d+1)/2)/Gamma(d/2) 1F1(-1/2; d/2; -distance^2/(2 s^2)), by Arb, which is safe for all arguments.
    """
    with ctx.workprec(PRECISION):
        half, s = arb(int(d)) / 2, arb(float(s))
        x = (arb(float(distance)) / s) ** 2 / 2
        return float(s * arb(2).sqrt() * (half + 0.5).gamma() / half.gamma() * (-x).hypgeom([arb(-1) / 2], [half]))


def gaussian() -> GradientNoise:
    """Independent normal coordinates of variance sigma_tilde^2/d a sample."""
    return GradientNoise("gaussian", sampled_gradients, in_blocks=True, law=law, length=length, normal=True, round=True)
