"""Normal gradient noise: the mean of D samples is normal with 1/D of the variance, for any D."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, hyp1f1, roots_hermitenorm

from simulations.kernels import SAMPLED_GRADIENTS, callback
from simulations.noise import Coordinate, GradientNoise
from simulations.philox import add_normals

_FAR = 1e4


@callback(SAMPLED_GRADIENTS)
def gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus normal noise; spread = (sigma_tilde, sigma_H)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    scale = spread[0] / math.sqrt(points.shape[1] * samples)
    if scale > 0.0:
        add_normals(out.ravel(), scale, address)


def law(scale: float, D: float, d: int) -> Coordinate:
    """Normal with variance scale^2/D."""
    variance = scale * scale / D

    def rule(n):
        points, weights = roots_hermitenorm(n)
        return math.sqrt(variance) * points, weights / weights.sum()

    return Coordinate(variance, lambda t: (-t * t * variance / 2).exp(), rule)


def length(m: np.ndarray, scale: float, D: float) -> np.ndarray:
    """E||m + noise||: the mean of a noncentral chi."""
    return noncentral_chi_mean(np.linalg.norm(m, axis=1), scale / math.sqrt(D), m.shape[1])


def noncentral_chi_mean(distance: np.ndarray, s: np.ndarray, d: int) -> np.ndarray:
    """E||m + s z|| for ||m|| = distance and z standard normal in d dimensions.

    s sqrt(2) Gamma((d+1)/2)/Gamma(d/2) 1F1(-1/2; d/2; -x), x = distance^2/(2 s^2); for large x its asymptotic series in
    1/x, whose next term is below 1e-15 from x = max(1e4, 50 d) on.
    """
    x = distance**2 / (2 * s**2)
    far = np.maximum(x, max(_FAR, 50.0 * d))
    term, total = 1.0, 1.0
    for k in range(8):
        term = term * (k - 0.5) * (k + 0.5 - d / 2) / ((k + 1) * far)
        total = total + term
    near = math.exp(gammaln((d + 1) / 2) - gammaln(d / 2)) * math.sqrt(2) * hyp1f1(-0.5, d / 2, -np.minimum(x, far))
    return np.where(x < far, s * near, distance * total)


def gaussian() -> GradientNoise:
    """Independent normal coordinates of variance sigma_tilde^2/d a sample."""
    return GradientNoise("gaussian", gradients, law=law, length=length, round=True)
