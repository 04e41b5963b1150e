"""One or two parabolas on a line with any rho declared: slow and noisy instances of the bounds that have rho in them.

A Hessian that does not vary is rho-Lipschitz for every rho, but the published L(w) and beta see rho ||g||. F is a
parabola with curvature L (1 - alpha L)^2, so everything about it is known in closed form. rho is not attained, so this
is no registered family.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulations.families import quadratic
from simulations.family import Family, real
from theory import Constants
from theory.rationals import Number


def bowl(
    rho: Number = 1.0,
    L: Number = 1.0,
    sigma: Number = 0.0,
    sigma_tilde: Number = 0.0,
    sigma_H: Number = 0.0,
) -> Family:
    """f(w) = L w^2/2, tilted by +-sigma where sigma is positive, from w_0 = 1.

    Args:
        rho: declared; 0 would do.
        L, sigma, sigma_tilde, sigma_H: as everywhere, attained.

    Raises:
        ValueError: a constant is out of its range.
    """
    tasks = 2 if real(sigma) else 1
    family = quadratic(dim=1, tasks=tasks, L=L, sigma=sigma, sigma_tilde=sigma_tilde, sigma_H=sigma_H)
    return replace(
        family.started_at(np.array([1.0])),
        name="bowl",
        constants=Constants(L, rho, sigma, sigma_tilde, sigma_H),
        standing={**family.standing, "rho": "safe"},
        proof=None,
    )
