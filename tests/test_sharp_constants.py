"""The sharp constants attacked by numerical optimisation over instances, which knows nothing of the proofs.

No instance may beat a proved constant; where the optimum is known to be reached, the search must get there, so a
constant that is needlessly large fails as well.
"""

import numpy as np
import pytest
import sympy as sp
from lines import PER_TASK, SIZE, Line, line, maximum, mirrored

from theory import CLAIMS
from theory import symbols as s
from theory.claim import filled

A, LAM = 1 / 6, 1 / 2
ROUNDING = 1e-9
SAMPLES = {s.D_in: 1, s.D_o: 10**40, s.rho: 10**40, s.L: 1, s.alpha: sp.Rational(1, 6)}
ON_A_LINE = [
    ("gradient-relation", "sharp", "grad_f", 0.99),
    ("task-gradient-moment", "sharp", "task_second", 0.9999),
    ("bias", "sharp", "bias_norm", 0.9999),
    ("first-moment", "sharp", "mean_G", 0.9999),
    ("second-moment", "sharper", "second_G", 0.72),
    ("second-moment", "front-1", "second_G", 0.94),
    ("second-moment", "front-18", "second_G", 0.90),
    ("second-moment", "front-256", "second_G", 0.94),
]


@pytest.mark.parametrize(("claim_id", "which", "left", "reached"), ON_A_LINE)
def test_tasks_on_a_line_reach_but_never_beat(claim_id, which, left, reached):
    claim = CLAIMS[claim_id]
    version = claim.versions[which]
    at = {s.a: sp.Rational(1, 6), s.lam: sp.Rational(1, 2)}
    right = filled(version.form, version.constants).subs(at).subs(SAMPLES)
    bound = sp.lambdify((s.grad_F, s.sigma, s.sigma_tilde), right, "math")
    power = 2 if claim.left(which).is_Pow else 1

    def ratio(numbers):
        found: Line = line(numbers, A, LAM, 0.0)
        return getattr(found, left) ** power / (bound(found.grad_F, found.sigma, found.sigma_tilde) + 1e-300)

    best = max(maximum(ratio, SIZE), maximum(lambda numbers: ratio(mirrored(numbers)), PER_TASK + 1))
    assert best <= 1 + ROUNDING
    assert best >= reached


def test_outer_noise_at_the_flattest_point_reaches_co():
    flattest = np.zeros(SIZE)
    flattest[[1, 6]] = -np.pi / 2
    found = line(flattest, A, LAM, outer=1.0)
    constants = {name: float(c) for name, c in CLAIMS["second-moment"].constants("front-18").items()}
    assert found.grad_F == found.sigma == found.sigma_tilde == 0
    assert np.isclose(found.second_G, constants["co"], rtol=1e-12)


KNOTS = 6


def _smoothness_ratio(numbers, rho):
    """|F'(u) - F'(0)|/(L(0) u) for f'' piecewise linear with slopes in [-rho, rho], cut to [-1, 1]; L = 1."""
    gaps, slopes, (level, here, u) = np.exp(numbers[:KNOTS]), np.sin(numbers[KNOTS : 2 * KNOTS]), numbers[-3:]
    u = np.exp(u)
    knots = np.concatenate([[-gaps[:3].sum()], -gaps[:3].sum() + np.cumsum(gaps)])
    values = np.concatenate([[np.sin(level)], np.zeros(KNOTS)])
    for k in range(KNOTS):
        values[k + 1] = np.clip(values[k] + rho * slopes[k] * gaps[k], -1, 1)

    def slope(x):
        grid = np.unique(np.concatenate([knots[(knots > min(0, x)) & (knots < max(0, x))], [0.0, x]]))
        return here + np.sign(x) * np.trapezoid(np.interp(grid, knots, values), grid)

    def meta(x):
        return (1 - A * np.interp(x, knots, values)) * slope(x - A * slope(x))

    constants = CLAIMS["smoothness"].constants("sharp", a="1/6")
    bound = float(constants["cL"]) + float(constants["cg"]) * rho * A * abs(here)
    return abs(meta(u) - meta(0.0)) / (bound * u)


@pytest.mark.parametrize("rho", [0.1, 1.0, 10.0])
def test_smoothness_of_F_is_reached_but_never_beaten(rho):
    best = maximum(lambda numbers: _smoothness_ratio(numbers, rho), 2 * KNOTS + 3)
    assert 0.999 <= best <= 1 + 1e-6


def test_the_moments_of_the_random_step_are_never_beaten_by_three_points():
    """x in {0, x1, x2} of mean in [m, m + 1] and variance at most 9: E (4 + x)^-2 (4 + m)^2 against the constant."""
    second = float(CLAIMS["step-size-moments"].constants("sharp")["c"])

    def ratio(numbers):
        points, weights = np.concatenate([[0.0], np.exp(numbers[:2])]), np.exp(numbers[2:5] - max(numbers[2:5]))
        weights /= weights.sum()
        mean = weights @ points
        over = weights @ (points - mean) ** 2 / 9
        points = points / max(1.0, np.sqrt(over))
        m = max(weights @ points - 1 / (1 + np.exp(-numbers[5])), 0.0)
        return weights @ (4 + points) ** -2.0 * (4 + m) ** 2 / second

    assert 0.999 <= maximum(ratio, 6) <= 1 + ROUNDING
