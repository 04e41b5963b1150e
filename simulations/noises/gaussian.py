"""Normal gradient noise: the mean of D samples is normal with 1/D of the variance, for any D."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import roots_hermitenorm

from simulations.kernels import SAMPLED_GRADIENTS, callback
from simulations.noise import Coordinate, GradientNoise
from simulations.philox import add_normals


@callback(SAMPLED_GRADIENTS)
def gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus normal noise; spread = (sigma_tilde, sigma_H)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    scale = spread[0] / math.sqrt(points.shape[1] * samples)
    if scale > 0.0:
        add_normals(out.ravel(), scale, address)


def law(scale: float, D: float, d: int) -> Coordinate:
    """Normal with variance scale^2/D."""
    deviation = scale / math.sqrt(D)

    def rule(n):
        points, weights = roots_hermitenorm(n)
        return deviation * points, weights / weights.sum()

    return Coordinate(deviation**2, lambda t: np.exp(-((deviation * t) ** 2) / 2), rule)


def gaussian() -> GradientNoise:
    """Independent normal coordinates of variance sigma_tilde^2/d a sample."""
    return GradientNoise("gaussian", gradients, law=law)
