"""Exact quantities against other exact roads to them, the bias bound, and scaling."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.optimize import minimize

from simulations import Experiment, exact, families, run
from simulations.moments import quadrature
from simulations.noises import gaussian

ALPHA = 1 / 6
INF = math.inf
NOISE = {"sigma": 0.5, "sigma_tilde": 0.8, "sigma_H": 0.6}
BUILD = {
    "cosine": lambda **constants: families.cosine(dim=3, tasks=5, seed=2, **{**NOISE, **constants}),
    "ramp": lambda **constants: families.resisting_ramp(**{"eps": 0.2, **NOISE, **constants}),
}


@pytest.fixture(params=BUILD)
def family(request):
    return BUILD[request.param]()


def _points(family, count, seed=0):
    generator = np.random.Generator(np.random.Philox(seed))
    return family.start * generator.choice([0.0, 1.0], (count, 1)) + generator.standard_normal((count, family.dim))


@pytest.mark.parametrize("D_in", [0.05, 1, 30])
def test_closed_form_is_what_quadrature_finds(D_in):
    """Mean, second moment and bias of the cosine family, also with noise that goes around the circle."""
    family = BUILD["cosine"]()
    quadrature = dataclasses.replace(family, outer_moments=None)
    for w in _points(family, 5):
        closed, summed = (exact.moments(f, w, ALPHA, D_in, 2, 1) for f in (family, quadrature))
        assert_allclose(closed.mean, summed.mean, rtol=1e-10, atol=1e-11)
        assert_allclose(closed.bias, summed.bias, rtol=1e-10, atol=1e-11)
        assert math.isclose(closed.second, summed.second, rel_tol=1e-10)


def test_quadrature_is_what_adaptive_integration_finds(family):
    """E h and E h^2 of every task and coordinate against the normal density integrated by SciPy."""
    variance, w = 0.3, _points(family, 1)[0]
    centre, width = w - ALPHA * family.gradients(w), ALPHA * math.sqrt(variance)
    first, second, _ = quadrature(family, centre, ALPHA, gaussian().law(math.sqrt(variance), 1, 1))

    def outer(z, i, j):
        return family.gradients_at(centre - width * z)[i, j]

    def expected(function):
        return quad(lambda z: function(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi), -9, 9, epsabs=1e-12)[0]

    for i, j in np.ndindex(first.shape):
        assert math.isclose(first[i, j], expected(lambda z, i=i, j=j: outer(z, i, j)), rel_tol=1e-8, abs_tol=1e-10)
        assert math.isclose(
            second[i, j], expected(lambda z, i=i, j=j: outer(z, i, j) ** 2), rel_tol=1e-8, abs_tol=1e-10
        )


def test_quadrature_that_does_not_settle_says_so():
    """Noise far wider than the ramp's bend needs more nodes than there are; the answer is refused and not guessed."""
    ramp = families.resisting_ramp(eps=1e-5, sigma_tilde=1e4)
    with pytest.raises(ValueError, match="does not settle with 512 nodes"):
        exact.moments(ramp, ramp.start * 0, ALPHA, D_in=1)


@pytest.mark.parametrize("asked", ["gap", "moments"])
def test_what_needs_a_separable_family_refuses_another(asked):
    """One sentence names the quantity and the family."""
    other = dataclasses.replace(BUILD["cosine"](), formula=None, outer_moments=None)
    with pytest.raises(ValueError, match=f"exact.{asked} needs a separable family, which cosine is not"):
        exact.gap(other, ALPHA) if asked == "gap" else exact.moments(other, other.start, ALPHA, D_in=1)


@pytest.mark.parametrize("alpha", [0.0, 1 / 6, 0.9])
def test_meta_gradient_is_the_derivative_of_the_objective(family, alpha):
    """By a central difference of fourth order along every axis."""
    h = 1e-3
    for w in _points(family, 10):
        for j, unit in enumerate(np.eye(family.dim)):
            near, far = (
                exact.objective(family, w + k * h * unit, alpha) - exact.objective(family, w - k * h * unit, alpha)
                for k in (1, 2)
            )
            found = (8 * near - far) / (12 * h)
            assert math.isclose(exact.meta_gradient(family, w, alpha)[j], found, rel_tol=1e-7, abs_tol=1e-8)


def _lowest(family, alpha):
    """The smallest F found by SciPy from many starts over a period and beyond."""
    length = 2 * math.pi * float(family.constants.L) / float(family.constants.rho)
    generator = np.random.Generator(np.random.Philox(3))
    starts = length * generator.uniform(-1, 1, (40, family.dim))
    if family.name == "resisting_ramp":
        starts[:, 0] = 1e3
    found = [
        minimize(
            lambda w: exact.objective(family, w, alpha),
            w,
            jac=lambda w: exact.meta_gradient(family, w, alpha),
            options={"gtol": 1e-9},
        ).fun
        for w in starts
    ]
    return min(found)


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("constants", [{}, {"L": 2.0, "rho": 0.5, "sigma": 3.0}, {"L": 0.5, "rho": 4.0}], ids=str)
def test_gap_is_that_of_a_brute_force_minimum(name, constants):
    """Never below the gap to the best point SciPy finds, and above it by less than 1e-9 of F's range."""
    if name == "cosine" and "L" in constants and constants["L"] < 1:
        constants = {**constants, "sigma": 0.05}
    family = BUILD[name](**constants)
    alpha = ALPHA / float(family.constants.L)
    seen = exact.objective(family, family.start, alpha) - _lowest(family, alpha)
    found = exact.gap(family, alpha)
    assert seen * (1 - 1e-13) <= found <= seen * (1 + 1e-9)


def test_exact_oracles_leave_plain_sums_over_tasks(family):
    """At D = inf the mean is grad F, the second moment E||grad F_i||^2, and there is no bias."""
    for w in _points(family, 10):
        h = family.gradients_at(w - ALPHA * family.gradients(w))
        each = h - ALPHA * family.hessian_vector_products(w, h)
        found = exact.moments(family, w, ALPHA, INF, INF, INF)
        assert_allclose(found.mean, exact.meta_gradient(family, w, ALPHA), rtol=1e-13)
        assert_allclose(found.mean, family.probabilities @ each, rtol=1e-12, atol=1e-15)
        assert math.isclose(found.second, family.probabilities @ (each**2).sum(axis=1), rel_tol=1e-13)
        assert np.abs(found.bias).max() <= 1e-15 * np.abs(h).max()


def test_exact_oracles_are_the_default_and_may_be_written_none(family):
    """moments(family, w, alpha) is that of exact oracles, None and inf alike."""
    w = _points(family, 1)[0]
    exactly = exact.moments(family, w, ALPHA, INF, INF, INF).second
    assert exact.moments(family, w, ALPHA).second == exactly
    assert exact.moments(family, w, ALPHA, 2, None, INF).second == exact.moments(family, w, ALPHA, 2).second != exactly


def test_outer_and_hessian_noise_enter_as_the_formula_says(family):
    """D_o adds sigma_tilde^2/(d D_o) sum_j E(1 - alpha H_jj)^2; D_h adds (alpha sigma_H)^2/D_h E||h~||^2."""
    w, d = _points(family, 1)[0], family.dim
    noise = float(family.constants.sigma_tilde) ** 2
    hessian = (ALPHA * float(family.constants.sigma_H)) ** 2 / 2
    base = exact.moments(family, w, ALPHA, 2, INF, INF)
    outer, both = exact.moments(family, w, ALPHA, 2, 3, INF), exact.moments(family, w, ALPHA, 2, 3, 2)
    diagonal = 1 - ALPHA * family.hessian_vector_products(w, np.ones(d))
    expected = noise / (3 * d) * (family.probabilities @ (diagonal**2).sum(axis=1))
    assert math.isclose(outer.second - base.second, expected, rel_tol=1e-11)
    centres = w - ALPHA * family.gradients(w)
    _, squares, _ = quadrature(family, centres, ALPHA, gaussian().law(math.sqrt(noise / d), 2, d))
    plain = family.probabilities @ squares.sum(axis=1) + noise / 3
    assert math.isclose(both.second - outer.second, hessian * plain, rel_tol=1e-11)
    assert_allclose(both.mean, base.mean, rtol=1e-14)


scale = st.floats(-3, 3).map(lambda power: 10.0**power)


def _bias_over_bound(family, w, alpha, D_in):
    """||E G - grad F|| over (1+a) min{a sigma_tilde/sqrt(D_in), rho alpha^2 sigma_tilde^2/(2 D_in)}: THEORY.md (B)."""
    L, rho, spread = (float(getattr(family.constants, name)) for name in ("L", "rho", "sigma_tilde"))
    a = alpha * L
    bound = (1 + a) * min(a * spread / math.sqrt(D_in), rho * alpha**2 * spread**2 / (2 * D_in))
    return np.linalg.norm(exact.moments(family, w, alpha, D_in).bias) / bound


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    name=st.sampled_from(sorted(BUILD)),
    sigma_tilde=st.floats(-2, 0.5).map(lambda power: 10.0**power),
    a=st.floats(0.02, 1.0),
    D_in=st.integers(1, 100),
    seed=st.integers(0, 1000),
)
def test_bias_stays_below_both_branches_of_its_bound(name, sigma_tilde, a, D_in, seed):
    """(B) at random points, for noise on either side of the place where its branches cross."""
    family = BUILD[name](sigma_tilde=sigma_tilde, **({"eps": 4.0} if name == "ramp" else {}))
    rounding = 1e-9 / sigma_tilde**2
    assert _bias_over_bound(family, _points(family, 1, seed)[0], a, D_in) <= 1 + rounding


def test_the_bias_bound_is_not_idle():
    """In one dimension at a point of largest third derivative the second branch is nearly used up."""
    family = families.cosine(dim=1, tasks=1, sigma=0.0, sigma_tilde=0.1)
    ratios = [_bias_over_bound(family, np.array([w]), 0.01, 1) for w in np.linspace(0, 2 * math.pi, 200)]
    assert 0.98 <= max(ratios) <= 1


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(name=st.sampled_from(sorted(BUILD)), s=scale, c=scale)
def test_everything_scales_as_its_weight_says(name, s, c):
    """Under f -> s f and w -> c w, F and the gap scale by s, grad F by s/c, the moments likewise."""
    unit = BUILD[name]()
    constants = {"L": s / c**2, "rho": s / c**3, **{key: NOISE[key] * s / c for key in ("sigma", "sigma_tilde")}}
    constants["sigma_H"] = NOISE["sigma_H"] * s / c**2
    if name == "ramp":
        constants.update(eps=0.2 * s / c, Delta=s)
    scaled, alpha = BUILD[name](**constants), ALPHA * c**2 / s
    assert_allclose(scaled.start, c * unit.start, rtol=1e-12)
    w = _points(unit, 1)[0]
    assert math.isclose(exact.objective(scaled, c * w, alpha), s * exact.objective(unit, w, ALPHA), rel_tol=1e-10)
    assert math.isclose(exact.gap(scaled, alpha), s * exact.gap(unit, ALPHA), rel_tol=1e-10)
    gradient = exact.meta_gradient(unit, w, ALPHA)
    assert_allclose(exact.meta_gradient(scaled, c * w, alpha), s / c * gradient, rtol=1e-9, atol=1e-11 * s / c)
    here, there = exact.moments(unit, w, ALPHA, 2, 3, 4), exact.moments(scaled, c * w, alpha, 2, 3, 4)
    assert math.isclose(there.second, (s / c) ** 2 * here.second, rel_tol=1e-9)
    assert_allclose(there.bias, s / c * here.bias, rtol=1e-7, atol=1e-11 * s / c)


@pytest.mark.parametrize("name", BUILD)
def test_runs_scale_with_powers_of_two(name):
    """A whole noisy run under f -> 8 f, w -> 2 w has norms 4 times, objectives 8 times and steps half as large."""
    unit = BUILD[name]()
    constants = {"L": 2.0, "rho": 1.0, **{key: NOISE[key] * 4 for key in ("sigma", "sigma_tilde")}, "sigma_H": 1.2}
    if name == "ramp":
        constants.update(eps=0.8, Delta=8.0)
    plans = ((unit, ALPHA, 1.0), (BUILD[name](**constants), ALPHA / 2, 0.5))
    one, other = (
        run(Experiment(f, alpha, B=3, D_in=2, D_o=2, D_h=2, step=0.3 * beta, iterations=30)).frame
        for f, alpha, beta in plans
    )
    assert_allclose(other["grad_norm"], 4 * one["grad_norm"], rtol=1e-10)
    assert_allclose(other["objective"], 8 * one["objective"], rtol=1e-10)
    assert one["grad_norm"].nunique() == 31
