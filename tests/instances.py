"""Instances that tests share."""

import dataclasses
import math

import numpy as np

from simulations import families
from theory import Constants


def ten_tasks(seed=2):
    """Ten cosine tasks on R^4 with L = rho = 1, shifts uniform in [-2, 2] and normal tilts with mean zero.

    sigma is the sum over coordinates of the largest variance on a fine grid, raised by what the grid can miss: the
    variance is a trigonometric polynomial of degree 2, whose second derivative is at most 4 times its range.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    shifts, tilts = generator.uniform(-2, 2, (10, 4)), 0.5 * generator.standard_normal((10, 4))
    tilts -= tilts.mean(axis=0)
    grid = np.linspace(0, 2 * math.pi, 4096)[:, None, None]
    variances = np.var(np.sin(grid - shifts) + tilts, axis=1)
    missed = (2 * math.pi / 4095) ** 2 / 8 * 4 * np.ptp(variances, axis=0)
    sigma = math.sqrt((variances.max(axis=0) + missed).sum())
    base = families.cosine(dim=4, tasks=10, sigma=0.0, sigma_tilde=0.3, sigma_H=0.2, seed=seed)
    return dataclasses.replace(
        base,
        table=np.stack([shifts, tilts]),
        constants=Constants(1, 1, sigma, base.constants.sigma_tilde, base.constants.sigma_H),
        standing={**base.standing, "sigma": "safe"},
    )
