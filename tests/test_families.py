"""The contract every family keeps: right derivatives, and constants that are true and, where it says so, reached."""

import dataclasses
import importlib
import inspect
import itertools
import math

import numpy as np
import pytest
import sympy as sp
from numpy.testing import assert_allclose
from probes import hessians, length_scale, sample_points, task_variance
from scipy import stats
from scipy.optimize import minimize

from simulations import exact, families
from simulations.families._template import template
from simulations.kernels import MATRIX, ORACLE, PICKS, REAL, TABLE, WORD, Address, compiled, types
from simulations.noises import PLAIN
from simulations.philox import HESSIAN, INNER, at

DELTA = 1e-9
CONSTANTS = {"L": 1.5, "rho": 0.7, "sigma": 0.6, "sigma_tilde": 0.4, "sigma_H": 0.3}
SIZES = {"dim": 3, "tasks": 5}
ROUNDING, REACHED = 1e-9, 1e-6


@pytest.fixture(params=[*families.NAMES, "template"])
def family(request):
    """Every family there is, and the template; small, with all constants different; rho = 0 for one with no other.

    A family that takes data instead of constants gives a member of its own, `example`.
    """
    module = importlib.import_module(f"simulations.families.{request.param.replace('template', '_template')}")
    if hasattr(module, "example"):
        return module.example()
    build = template if request.param == "template" else getattr(families, request.param)
    known = inspect.signature(build).parameters
    asked = {**CONSTANTS, **{name: size for name, size in SIZES.items() if name in known}}
    return build(**{**asked, "rho": asked["rho"] if known["rho"].default else 0})


def _most(family, function, starts=6):
    """The largest value found of a function of w: the best of many points, improved from the best few of them."""
    length = length_scale(family)
    points = sorted(sample_points(family, 300), key=function, reverse=True)
    candidates = [family.start, np.zeros(family.dim), *points[:starts]]
    best = max(map(function, points))
    for w in candidates:
        found = minimize(
            lambda u, w=w: -function(w + length * u),
            np.zeros(family.dim),
            method="Powell",
            options={"xtol": 1e-7, "ftol": 1e-13, "maxiter": 20},
        )
        best = max(best, -found.fun)
    return best


def _holds(family, name, found):
    """Whether a searched value respects the declared constant, and reaches it or what the family says was seen.

    What a family without a formula says was seen came from a search of its own, which its own tests repeat.
    """
    declared = float(getattr(family.constants, name))
    seen = family.seen[name] if family.formula and family.standing[name] == "safe" else 0.0
    reached = declared if family.standing[name] == "attained" else seen
    return reached * (1 - REACHED) <= found <= declared * (1 + ROUNDING) + (not declared) * 1e-300


def _safe(family):
    return [name for name, standing in family.standing.items() if standing == "safe"]


def test_every_constant_has_a_standing(family):
    """Each is declared attained or safe, and is the number that was asked for, if one was."""
    assert set(family.standing) >= set(CONSTANTS)
    assert set(family.standing.values()) <= {"attained", "safe"}
    assert all(0 < family.seen[name] <= getattr(family.constants, name) for name in _safe(family))
    if family.formula is None:
        return
    asked = {name: getattr(family.constants, name) for name in CONSTANTS}
    assert asked == {**CONSTANTS, "rho": CONSTANTS["rho"] if asked["rho"] else 0}


def test_probabilities_are_a_law(family):
    """They are positive, sum to one, and the running sums the engine draws from end at one."""
    assert (family.probabilities > 0).all() and family.probabilities.size == family.size
    assert math.isclose(family.probabilities.sum(), 1.0, rel_tol=1e-14)
    assert math.isclose(family.law.cumulative[-1], 1.0, rel_tol=1e-14)


def test_kernels_are_the_derivatives_sympy_finds(family):
    """Values, gradients and Hessian-vector products of every task at random points, from the family's expression."""
    w = sp.symbols(f"w:{family.dim}", real=True)
    u = w if family.rotation is None else list(sp.Matrix(family.rotation) * sp.Matrix(w))
    points = sample_points(family, 8)
    v = np.random.Generator(np.random.Philox(1)).standard_normal(family.dim)
    for i, row in enumerate(family.table.swapaxes(0, 1)):
        f = sp.sympify(family.expression(row, family.shared, u))
        gradient = [f.diff(x) for x in w]
        product = [sum(g.diff(x) * y for x, y in zip(w, v, strict=True)) for g in gradient]
        evaluate = sp.lambdify(w, [f, gradient, product], "mpmath")
        for point in points:
            value, slope, curved = evaluate(*map(sp.Float, point))
            scale = length_scale(family) * family.constants.L
            assert_allclose(
                family.values(point)[i], float(value), rtol=1e-12, atol=1e-14 * scale * length_scale(family)
            )
            assert_allclose(family.gradients(point)[i], np.array(slope, float), rtol=1e-12, atol=1e-14 * scale)
            found = family.hessian_vector_products(point, v)[i]
            assert_allclose(found, np.array(curved, float), rtol=1e-12, atol=1e-13 * family.constants.L)


def test_each_task_may_have_a_point_and_a_vector_of_its_own(family):
    """values_at, gradients_at and products with (tasks, d) answer task by task what one point answers for all."""
    points = sample_points(family, family.size)
    for i, point in enumerate(points):
        assert family.values_at(points)[i] == family.values(point)[i]
        assert (family.gradients_at(points)[i] == family.gradients(point)[i]).all()
        each = family.hessian_vector_products(point, points)
        assert (each[i] == family.hessian_vector_products(point, points[i])[i]).all()


def test_hessians_are_symmetric(family):
    """Every task's, at random points, to rounding."""
    for w in sample_points(family, 20):
        found = hessians(family, w)
        assert np.abs(found - found.swapaxes(1, 2)).max() <= 1e-14 * float(family.constants.L)


def test_smoothness_is_never_exceeded_and_is_reached(family):
    """A2: the largest Hessian norm over tasks, by maximisation over w."""
    assert _holds(family, "L", _most(family, lambda w: np.abs(np.linalg.eigvalsh(hessians(family, w))).max()))


def _hessian_quotient(family, w, v):
    change = hessians(family, w + v) - hessians(family, w - v)
    return np.linalg.norm(change, ord=2, axis=(1, 2)).max() / (2 * np.linalg.norm(v))


def test_hessian_lipschitz_constant_is_never_exceeded_and_is_reached(family):
    """A3: difference quotients along every axis by maximisation over w; over far and near pairs by sampling."""
    axes = np.eye(family.dim) if family.rotation is None else family.rotation
    units = 1e-4 * length_scale(family) * axes
    assert _holds(family, "rho", _most(family, lambda w: max(_hessian_quotient(family, w, v) for v in units)))
    for w, v in zip(sample_points(family, 300, seed=2), sample_points(family, 300, seed=3), strict=True):
        assert _hessian_quotient(family, w, v) <= float(family.constants.rho) * (1 + ROUNDING)


def test_task_variance_is_never_exceeded_and_is_reached(family):
    """A4: the variance of the task gradients, by maximisation over w."""
    assert _holds(family, "sigma", math.sqrt(_most(family, lambda w: task_variance(family, w))))


def test_search_can_tell_a_constant_that_is_two_millionths_off(family):
    """The check fails for a constant set too low and for one set too high."""
    for name, factor in itertools.product(("L", "rho", "sigma"), (1 - 2e-6, 1 + 2e-6)):
        declared = float(getattr(family.constants, name))
        assert _holds(family, name, declared)
        if factor > 1 or name not in _safe(family):
            assert not _holds(family, name, declared * factor if declared else 1e-290)


def test_a_safe_constant_is_held_against_what_was_seen():
    """An upper bound may lie above what a search finds, but what was seen of it must be found again."""
    family = families.cosine(dim=2, tasks=4, **CONSTANTS)
    looser = dataclasses.replace(
        family,
        constants=dataclasses.replace(family.constants, L=3.0),
        standing={**family.standing, "L": "safe"},
        seen={"L": 1.5},
    )
    assert _holds(looser, "L", 1.5) and not _holds(looser, "L", 1.4) and not _holds(looser, "L", 3.1)
    test_smoothness_is_never_exceeded_and_is_reached(looser)
    with pytest.raises(AssertionError):
        test_smoothness_is_never_exceeded_and_is_reached(dataclasses.replace(looser, seen={"L": 1.6}))


@compiled(types.void(ORACLE, MATRIX, PICKS, TABLE, REAL, WORD, MATRIX, MATRIX))
def _noisy(oracle, points, picks, parameters, samples, seed, gradients, products):
    zero = np.uint64(0)
    address = Address(seed, zero, zero, INNER, np.uint64(1), zero)
    oracle.gradients(oracle.tasks, oracle.spread, points, picks, parameters, samples, address, gradients)
    address = at(address, HESSIAN)
    oracle.products(oracle.tasks, oracle.spread, points, points, picks, parameters, samples, address, products)


def _noise(family, samples, count=2**16):
    """Noise of `count` sampled gradients and Hessian-vector products, and the vectors, at the start, task by task."""
    picks = np.arange(count) % family.size
    points = np.tile(family.start, (count, 1))
    gradients, products = np.empty((2, count, family.dim))
    _noisy(
        family.oracle, points, picks, np.take(family.table, picks, axis=1), samples, np.uint64(9), gradients, products
    )
    true = family.hessian_vector_products(family.start, family.start)
    return gradients - family.gradients(family.start)[picks], products - true[picks], points


@pytest.mark.parametrize("samples", [1.0, 7.0])
def test_oracle_noise_has_the_declared_variance(family, samples):
    """A5 with equality: D E||noise||^2 = sigma_tilde^2 and D E||N v||^2 = sigma_H^2 ||v||^2, means zero.

    The noise is normal, so sums and sums of squares are held against their exact laws; other noise has its own tests.
    """
    if family.noise != PLAIN:
        return
    gradient, product, vectors = _noise(family, samples)
    for noise, variance in (
        (gradient, family.constants.sigma_tilde**2 / family.dim / samples),
        ((product * vectors).sum(axis=1) / (vectors**2).sum(axis=1), family.constants.sigma_H**2 / samples),
    ):
        squares = (noise**2).sum() / variance
        assert stats.chi2.ppf(DELTA / 2, noise.size) <= squares <= stats.chi2.isf(DELTA / 2, noise.size)
        sums = np.abs(noise.sum(axis=0)) / math.sqrt(len(noise) * variance)
        assert (sums <= stats.norm.isf(DELTA / 2 / family.dim)).all()
    across = product - vectors * ((product * vectors).sum(axis=1) / (vectors**2).sum(axis=1))[:, None]
    assert np.abs(across).max() <= 1e-12 * np.abs(product).max()


def test_infinitely_many_samples_are_exact(family):
    """An exact oracle adds nothing, to the last bit."""
    gradient, product, _ = _noise(family, math.inf, count=8)
    assert not gradient.any() and not product.any()


def test_the_gap_is_the_declared_one(family):
    """Delta, where it is declared, is F(w_0) - inf F at alpha = 0."""
    if "Delta" in family.standing:
        assert math.isclose(exact.gap(family, 0.0), float(family.constants.Delta), rel_tol=1e-9)
    else:
        assert family.constants.Delta is None and family.minimum is None


def test_the_declared_minimum_is_one(family):
    """No point searched lies below it, and its point has it, or far out along the way down one comes close to it."""
    if family.minimum is None:
        return
    lowest, scale = family.minimum.value, float(family.constants.Delta)
    seen = min(exact.objective(family, w, 0.0) for w in sample_points(family, 1000))
    assert seen >= lowest - 1e-12 * scale
    if family.minimum.point is not None:
        assert math.isclose(exact.objective(family, family.minimum.point, 0.0), lowest, abs_tol=1e-12 * scale)
    else:
        far = min(exact.objective(family, way * family.start, 0.0) for way in (-1e6, 1e6))
        assert lowest <= far <= lowest + 1e-5 * scale


def test_another_start_has_its_own_gap(family):
    """started_at moves Delta along; at the minimum it is 0."""
    if family.minimum is None or family.minimum.point is None:
        return
    moved = family.started_at(family.minimum.point)
    assert moved.constants.Delta <= 1e-12 * float(family.constants.Delta)
    back = moved.started_at(family.start)
    assert math.isclose(back.constants.Delta, float(family.constants.Delta), rel_tol=1e-9)


def test_the_constants_come_with_a_proof(family):
    """Where L and rho are declared attained, a certificate replays."""
    if "attained" in (family.standing["L"], family.standing["rho"]):
        certificate = family.certificate()
        assert certificate.ok, certificate
