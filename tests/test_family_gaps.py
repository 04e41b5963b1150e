"""The gap of F for every alpha, where it is known in closed form and where it is searched for, against brute force."""

import inspect
import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from simulations import exact, families
from simulations.families._template import template

BUILDERS = {name: getattr(families, name) for name in ("algebraic_tail", "cosine", "quadratic", "welsch")}
BUILDERS["template"] = template


def _lowest(family, alpha):
    """The smallest F seen in one dimension: on fine grids around 0 and every well, then improved, and far out."""
    length = float(family.constants.L) / float(family.constants.rho or 1)
    shifts, tilts = family.table[0, :, 0] * bool(family.constants.rho), family.table[1, :, 0]
    grids = [centre + length * np.linspace(-8, 8, 2001) for centre in {0.0, *(shifts + alpha * tilts)}]
    points = np.concatenate([*grids, length * np.array([-1e5, 1e5])])

    def F(u):
        own, shared = family.table[:, :, 0, None], family.shared
        inner = u - alpha * family.formula.slope(u, *own, shared)
        return family.probabilities @ family.formula.value(inner, *own, shared)

    values = F(points)
    best, step = points[values.argmin()], length * 0.008
    found = minimize_scalar(
        lambda u: F(np.array([u]))[0],
        bounds=(best - step, best + step),
        method="bounded",
        options={"xatol": 1e-9 * length},
    )
    return min(values.min(), found.fun)


@pytest.mark.parametrize("a", [0.0, 1 / 6, 0.9])
@pytest.mark.parametrize("constants", [{"sigma": 0.3}, {"L": 2.0, "rho": 0.5, "sigma": 9.0}], ids=str)
@pytest.mark.parametrize("name", BUILDERS)
def test_gap_is_that_of_a_brute_force_minimum(name, constants, a):
    """Never below what is seen, and above it by little: 1e-9, or 1e-4 where the infimum is at infinity."""
    build = BUILDERS[name]
    if not inspect.signature(build).parameters["rho"].default:
        constants = {**constants, "rho": 0}
    family = build(dim=1, tasks=5, seed=4, **constants)
    alpha = a / float(family.constants.L)
    seen = exact.objective(family, family.start, alpha) - _lowest(family, alpha)
    found = exact.gap(family, alpha)
    infinite = family.minimum is not None and family.minimum.point is None
    assert seen * (1 - 1e-11) <= found <= seen * (1 + (1e-4 if infinite else 1e-9))
    assert math.isfinite(found) and found > 0
