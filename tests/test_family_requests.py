"""A thousand requests for each family, five constants over six decades: met, or refused with a reason."""

import inspect
import math
from functools import cache

import numpy as np
import pytest
from probes import hessians, length_scale, sample_points, task_variance
from scipy.optimize import minimize_scalar

from simulations import exact, families
from simulations.families._template import template

CONSTANTS = ("L", "rho", "sigma", "sigma_tilde", "sigma_H")
MET = 1e-9
NEAR = 3e-6
REASONS = (
    "must be positive for",
    "rho must be above 0 for a resisting ramp",
    "sigma must be 0 for a single task",
    "must be 0 for",
    "shift_share can be at most",
    "shift_share must be 0 or 1",
    "dim must be at least 2",
)
SIZES = {"dim", "tasks", "seed"}
BUILDERS = {name: getattr(families, name) for name in families.NAMES} | {"template": template}
BUILDERS = {name: build for name, build in BUILDERS.items() if inspect.signature(build).parameters.keys() >= SIZES}


def _requests(name, count):
    """Random arguments; some ask for what cannot be: one task with a spread, no rho or one too many, a large share."""
    generator = np.random.Generator(np.random.Philox(sorted(BUILDERS).index(name)))
    known = inspect.signature(BUILDERS[name]).parameters
    for _ in range(count):
        asked = dict(zip(CONSTANTS, 10.0 ** generator.uniform(-3, 3, len(CONSTANTS)), strict=True))
        if generator.random() < (0.1 if known["rho"].default else 0.9):
            asked["rho"] = 0
        own = {
            "shift_share": generator.choice([None, None, 0.0, generator.random()]),
            "q": float(generator.choice([1.05, 2, 4, 30])),
            "eps": 10.0 ** generator.uniform(-3, 1),
            "Delta": 10.0 ** generator.uniform(-3, 3),
            "condition": 10.0 ** generator.uniform(0, 4),
            "distance": 10.0 ** generator.uniform(-3, 3),
            "of": str(generator.choice(["cosine", "welsch", "algebraic_tail"])),
        }
        sizes = {"dim": int(generator.integers(1, 5)), "tasks": int(generator.integers(1, 7))}
        yield {**asked, **sizes, "seed": int(generator.integers(100)), **{k: v for k, v in own.items() if k in known}}


@cache
def _sharpest(name, numbers):
    """The t > 0 at which the third derivative of this family's psi is largest, found by search."""
    own = {"q": numbers[0]} if numbers else {}
    unit = BUILDERS[name](dim=1, tasks=1, sigma=0, **own)
    omega = unit.shared[1]

    def flat(t):
        ends = ((t + way * NEAR) / omega for way in (1, -1))
        high, low = (float(unit.formula.curvature(u, 0.0, 0.0, unit.shared)) for u in ends)
        return -abs(high - low)

    best = min(np.linspace(0, 4, 401), key=flat)
    return minimize_scalar(flat, bounds=(best - 0.01, best + 0.01), method="bounded", options={"xatol": 1e-7}).x


def _assert_met(family):
    """L and rho at the places that have them, sigma at the centre; none exceeded elsewhere; all numbers finite."""
    L, rho, sigma = (float(getattr(family.constants, name)) for name in ("L", "rho", "sigma"))
    plain, unit, origin = family.unturned, np.eye(family.dim)[-1], np.zeros(family.dim)
    centre = plain.table[0, 0] if "shift_share" in _arguments(plain) else origin
    assert math.isclose(np.abs(hessians(plain, centre)).max(), L, rel_tol=MET)
    assert math.isclose(math.sqrt(task_variance(plain, origin)), sigma, rel_tol=MET)
    if rho:
        omega = plain.shared[1]
        t = math.pi / 2 if plain.name == "resisting_ramp" else _sharpest(plain.name, tuple(plain.shared[2:]))
        ends = (centre + (t + way * NEAR) / omega * unit for way in (1, -1))
        high, low = (plain.hessian_vector_products(end, unit)[0, -1] for end in ends)
        assert math.isclose(abs(high - low) / (2 * NEAR / omega), rho, rel_tol=MET)
    rounding = 1e-13 * family.dim * (L * length_scale(family) + sigma)
    alpha = 1 / (6 * L)
    for w in sample_points(family, 1):
        assert math.sqrt(task_variance(family, w)) <= sigma * (1 + MET) + rounding
        assert np.linalg.norm(hessians(family, w), 2, axis=(1, 2)).max() <= L * (1 + MET)
        answers = [family.values(w), exact.objective(family, w, alpha), exact.meta_gradient(family, w, alpha)]
        assert all(np.isfinite(answer).all() for answer in answers)
    assert np.isfinite(family.start).all() and np.isfinite(family.table).all()
    assert family.constants.Delta is None or math.isfinite(family.constants.Delta)


def _arguments(family):
    return inspect.signature(BUILDERS[family.name]).parameters


@pytest.mark.parametrize("name", BUILDERS)
def test_requests_are_met_or_refused_with_a_reason(name):
    """To 1e-9, without a warning; a refusal is one sentence that says what could be had."""
    met = refused = 0
    for asked in _requests(name, 1000):
        try:
            family = BUILDERS[name](**asked)
        except ValueError as refusal:
            assert any(reason in str(refusal) for reason in REASONS), refusal
            assert "\n" not in str(refusal)
            refused += 1
            continue
        assert {key: getattr(family.constants, key) for key in CONSTANTS} == {key: asked[key] for key in CONSTANTS}
        _assert_met(family)
        met += 1
    assert met >= 400 and refused >= 100


@pytest.mark.parametrize("name", BUILDERS)
def test_gaps_of_such_requests_are_finite(name):
    """The gap of F at alpha = 1/(6L), and at 0 where it is declared: never a NaN, never a warning."""
    for asked in _requests(name, 60):
        try:
            family = BUILDERS[name](**asked)
        except ValueError:
            continue
        gap = exact.gap(family, 1 / (6 * float(family.constants.L)))
        assert math.isfinite(gap)
