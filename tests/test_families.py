"""The contract every family keeps: right derivatives, and constants that are true and, where it says so, reached."""

import inspect
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import minimize

from simulations import exact, families
from simulations.kernels import MATRIX, ORACLE, PICKS, REAL, WORD, Address, compiled, types
from simulations.philox import HESSIAN, INNER, at

DELTA = 1e-9
CONSTANTS = {"L": 1.5, "rho": 0.7, "sigma": 0.6, "sigma_tilde": 0.4, "sigma_H": 0.3}
SIZES = {"dim": 3, "tasks": 5}
ROUNDING, REACHED = 1e-9, 1e-6


@pytest.fixture(params=families.NAMES)
def family(request):
    """Every family there is, small, with all constants different."""
    build = getattr(families, request.param)
    sizes = {name: size for name, size in SIZES.items() if name in inspect.signature(build).parameters}
    return build(**CONSTANTS, **sizes)


def _points(family, count, seed=0):
    """Points at all distances from the start, from the origin and from stationary points, as far as a period."""
    generator = np.random.Generator(np.random.Philox(seed))
    length = float(family.constants.L) / float(family.constants.rho)
    anchors = family.start * generator.choice([0.0, 0.5, 1.0], (count, 1))
    scales = length * 10.0 ** generator.uniform(-2.5, 0.7, (count, 1))
    return anchors + scales * generator.standard_normal((count, family.dim))


def _hessians(family, w):
    """(tasks, d, d) by products with unit vectors."""
    columns = [family.hessian_vector_products(w, unit) for unit in np.eye(family.dim)]
    return np.stack(columns, axis=2)


def _most(family, function, starts=12):
    """The largest value found of a function of w: the best of many points, improved from the best dozen of them."""
    length = float(family.constants.L) / float(family.constants.rho)
    points = sorted(_points(family, 300), key=function, reverse=True)
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
    """Whether a searched value respects the declared constant and, if that is attained, reaches it."""
    declared = float(getattr(family.constants, name))
    reached = family.standing[name] != "attained" or found >= declared * (1 - REACHED)
    return found <= declared * (1 + ROUNDING) and reached


def test_every_constant_has_a_standing(family):
    """Each is declared attained or safe, and is the number that was asked for."""
    assert set(family.standing) >= set(CONSTANTS)
    assert set(family.standing.values()) <= {"attained", "safe"}
    assert {name: getattr(family.constants, name) for name in CONSTANTS} == CONSTANTS


def test_probabilities_are_a_law(family):
    """They are positive, sum to one, and the running sums the engine draws from end at one."""
    assert (family.probabilities > 0).all() and family.probabilities.size == family.size
    assert math.isclose(family.probabilities.sum(), 1.0, rel_tol=1e-14)
    assert math.isclose(family.law.cumulative[-1], 1.0, rel_tol=1e-14)


def test_kernels_are_the_derivatives_sympy_finds(family):
    """Values, gradients and Hessian-vector products of every task at random points, from the family's expression."""
    w = sp.symbols(f"w:{family.dim}", real=True)
    points = _points(family, 8)
    v = np.random.Generator(np.random.Philox(1)).standard_normal(family.dim)
    for i, row in enumerate(family.table):
        f = sp.sympify(family.expression(row, family.shared, w))
        gradient = [f.diff(x) for x in w]
        product = [sum(g.diff(x) * y for x, y in zip(w, v, strict=True)) for g in gradient]
        evaluate = sp.lambdify(w, [f, gradient, product], "mpmath")
        for point in points:
            value, slope, curved = evaluate(*map(sp.Float, point))
            scale = family.constants.L / family.constants.rho * family.constants.L
            assert_allclose(family.values(point)[i], float(value), rtol=1e-12)
            assert_allclose(family.gradients(point)[i], np.array(slope, float), rtol=1e-12, atol=1e-14 * scale)
            found = family.hessian_vector_products(point, v)[i]
            assert_allclose(found, np.array(curved, float), rtol=1e-12, atol=1e-13 * family.constants.L)


def test_each_task_may_have_a_point_and_a_vector_of_its_own(family):
    """values_at, gradients_at and products with (tasks, d) answer task by task what one point answers for all."""
    points = _points(family, family.size)
    for i, point in enumerate(points):
        assert family.values_at(points)[i] == family.values(point)[i]
        assert (family.gradients_at(points)[i] == family.gradients(point)[i]).all()
        each = family.hessian_vector_products(point, points)
        assert (each[i] == family.hessian_vector_products(point, points[i])[i]).all()


def test_smoothness_is_never_exceeded_and_is_reached(family):
    """A2: the largest Hessian norm over tasks, by maximisation over w."""
    assert _holds(family, "L", _most(family, lambda w: np.abs(np.linalg.eigvalsh(_hessians(family, w))).max()))


def _hessian_quotient(family, w, v):
    change = _hessians(family, w + v) - _hessians(family, w - v)
    return np.linalg.norm(change, ord=2, axis=(1, 2)).max() / (2 * np.linalg.norm(v))


def test_hessian_lipschitz_constant_is_never_exceeded_and_is_reached(family):
    """A3: difference quotients along every axis by maximisation over w; over far and near pairs by sampling."""
    near = 1e-4 * float(family.constants.L) / float(family.constants.rho)
    units = near * np.eye(family.dim)
    assert _holds(family, "rho", _most(family, lambda w: max(_hessian_quotient(family, w, v) for v in units)))
    for w, v in zip(_points(family, 300, seed=2), _points(family, 300, seed=3), strict=True):
        assert _hessian_quotient(family, w, v) <= float(family.constants.rho) * (1 + ROUNDING)


def _task_variance(family, w):
    gradients = family.gradients(w)
    mean = family.probabilities @ gradients
    return family.probabilities @ ((gradients - mean) ** 2).sum(axis=1)


def test_task_variance_is_never_exceeded_and_is_reached(family):
    """A4: the variance of the task gradients, by maximisation over w."""
    assert _holds(family, "sigma", math.sqrt(_most(family, lambda w: _task_variance(family, w))))


def test_search_can_tell_a_constant_that_is_two_millionths_off(family):
    """The check fails for a constant set too low and for one set too high."""
    for name, factor in itertools.product(("L", "rho", "sigma"), (1 - 2e-6, 1 + 2e-6)):
        declared = float(getattr(family.constants, name))
        assert _holds(family, name, declared) and not _holds(family, name, declared * factor)


@compiled(types.void(ORACLE, MATRIX, PICKS, REAL, WORD, MATRIX, MATRIX))
def _noisy(oracle, points, picks, samples, seed, gradients, products):
    zero = np.uint64(0)
    address = Address(seed, zero, zero, INNER)
    oracle.gradients(oracle.tasks, oracle.spread, points, picks, samples, address, gradients)
    oracle.products(oracle.tasks, oracle.spread, points, points, picks, samples, at(address, HESSIAN), products)


def _noise(family, samples, count=2**16):
    """Noise of `count` sampled gradients and Hessian-vector products, and the vectors, at the start, task by task."""
    picks = np.arange(count) % family.size
    points = np.tile(family.start, (count, 1))
    gradients, products = np.empty((2, count, family.dim))
    _noisy(family.oracle, points, picks, samples, np.uint64(9), gradients, products)
    true = family.hessian_vector_products(family.start, family.start)
    return gradients - family.gradients(family.start)[picks], products - true[picks], points


@pytest.mark.parametrize("samples", [1.0, 7.0])
def test_oracle_noise_has_the_declared_variance(family, samples):
    """A5 with equality: D E||noise||^2 = sigma_tilde^2 and D E||N v||^2 = sigma_H^2 ||v||^2, means zero.

    The noise is normal, so sums and sums of squares are held against their exact laws.
    """
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
        assert math.isclose(exact.gap(family, 0.0), float(family.constants.Delta), rel_tol=1e-10)
    else:
        assert family.constants.Delta is None


def test_the_ramp_meets_the_gap_it_is_asked_for():
    """For steep and flat ramps, the start lies at height Delta above the infimum, which is at infinity."""
    for eps, Delta in itertools.product((1e-3, 0.1, 3.0), (1e-4, 1.0, 50.0)):
        ramp = families.resisting_ramp(eps=eps, Delta=Delta)
        far = np.array([1e4 * (1 + abs(ramp.start[0])), 0.0])
        assert math.isclose(ramp.values(ramp.start)[0] - ramp.values(far)[0], Delta, rel_tol=1e-9)


@pytest.mark.parametrize(("L", "rho", "binding"), [(1.0, 1.0, "rho"), (0.01, 1.0, "L")])
def test_the_ramp_is_the_narrowest_that_its_constants_allow(L, rho, binding):
    """On the ramp's own coordinate one of L and rho is reached, so a narrower ramp would break it."""
    ramp = families.resisting_ramp(eps=0.1, L=L, rho=rho)
    tau, across = ramp.shared[0], np.array([1.0, 0.0])
    line = tau * np.linspace(-4, 4, 8001)
    curvature = np.array([ramp.hessian_vector_products(np.array([x, 0.0]), across)[0, 0] for x in line])
    reached = {"L": curvature.max() / L, "rho": np.abs(np.diff(curvature)).max() / (line[1] - line[0]) / rho}
    assert all(ratio <= 1 + ROUNDING for ratio in reached.values())
    assert reached[binding] >= 1 - 1e-5


scale = st.floats(-3, 3).map(lambda power: 10.0**power)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    numbers=st.fixed_dictionaries(dict.fromkeys(CONSTANTS, scale)),
    dim=st.integers(1, 4),
    tasks=st.integers(1, 5),
    share=st.one_of(st.none(), st.just(0.0)),
    seed=st.integers(0, 5),
)
def test_cosine_tasks_meet_constants_of_any_size(numbers, dim, tasks, share, seed):
    """sigma at w = 0 exactly, and nowhere more; L at the bottom of a well; the mean of the tilts is zero."""
    if tasks == 1:
        numbers = {**numbers, "sigma": 0.0}
    family = families.cosine(dim=dim, tasks=tasks, shift_share=share, seed=seed, **numbers)
    L, rho, sigma = (numbers[name] for name in ("L", "rho", "sigma"))
    assert math.isclose(_task_variance(family, np.zeros(dim)), sigma**2, rel_tol=1e-9)
    rounding = 1e-14 * dim * (L**2 / rho + sigma)
    for w in _points(family, 20, seed):
        assert math.sqrt(_task_variance(family, w)) <= sigma * (1 + ROUNDING) + rounding
        assert np.abs(_hessians(family, w)).max() <= L * (1 + ROUNDING)
    bottoms = family.table[:, 0]
    curvatures = [family.hessian_vector_products(c, np.ones(dim))[i] for i, c in enumerate(bottoms)]
    assert_allclose(curvatures, L, rtol=1e-12)
    assert np.abs(family.probabilities @ family.table[:, 1]).max() <= 1e-13 * sigma
    height = np.abs(family.start) * rho / L
    assert ((math.pi / 2 <= height) & (height <= 5 * math.pi / 6)).all()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(share=st.floats(0, 1), tasks=st.integers(4, 5), sigma=scale)
def test_shifts_carry_the_share_they_are_asked_for(share, tasks, sigma):
    """The variance without the tilts is shift_share sigma^2, or the share is refused as beyond the amplitude."""
    reachable = min(1.0, 2 * (2 * (tasks // 2)) / tasks / sigma**2)
    build = {"dim": 2, "tasks": tasks, "sigma": sigma, "shift_share": share}
    if share > reachable * (1 + 1e-12):
        with pytest.raises(ValueError, match="shift_share can be at most"):
            families.cosine(**build)
    elif share < reachable * (1 - 1e-12):
        family = families.cosine(**build)
        tilts = family.table[:, 1]
        assert math.isclose(
            sigma**2 - (tilts**2).sum() / tasks, share * sigma**2, rel_tol=1e-9, abs_tol=1e-9 * sigma**2
        )
        assert math.isclose(_task_variance(family, np.zeros(2)), sigma**2, rel_tol=1e-9)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(L=scale, rho=scale, tasks=st.integers(4, 9), over=st.floats(1.0, 100.0))
def test_shifts_at_the_end_of_their_amplitude_are_built(L, rho, tasks, over):
    """With sigma at or far beyond what shifts can carry, the default takes all there is, without a domain error."""
    most = math.sqrt(2 * (2 * (tasks // 2)) / tasks) * L**2 / rho
    family = families.cosine(dim=2, tasks=tasks, L=L, rho=rho, sigma=most * over, shift_share=None)
    assert math.isclose(_task_variance(family, np.zeros(2)), (most * over) ** 2, rel_tol=1e-9)
    assert families.cosine(dim=2, tasks=tasks, L=L, rho=rho, sigma=most * (1 - 1e-15), shift_share=1.0).size == tasks


@pytest.mark.parametrize("name", families.NAMES)
def test_constants_may_be_typed_as_fractions(name):
    """ "1/2" and Fraction(1, 2) build what 0.5 builds, and stay exact in the record."""
    build = getattr(families, name)
    typed = build(**dict.fromkeys(CONSTANTS, "1/2"))
    for other in (build(**dict.fromkeys(CONSTANTS, number)) for number in (Fraction(1, 2), 0.5)):
        assert (typed.table == other.table).all() and (typed.shared == other.shared).all()
        assert (typed.oracle.spread == other.oracle.spread).all()
        assert exact.gap(typed, 0.1) == exact.gap(other, 0.1)
    assert typed.constants.sigma == "1/2"


def test_seeds_give_different_tasks_and_the_same_seed_the_same():
    """The seed is all that is random about a family."""
    one, same, other = (families.cosine(dim=3, tasks=4, seed=seed) for seed in (1, 1, 2))
    assert (one.table == same.table).all() and (one.start == same.start).all()
    assert not (one.table == other.table).all() and not (one.start == other.start).all()


REFUSALS = {
    "cosine: no rho": (lambda: families.cosine(rho=0), "rho must be positive"),
    "cosine: no L": (lambda: families.cosine(L=0), "L must be positive"),
    "cosine: one task": (lambda: families.cosine(tasks=1), "sigma must be 0 for a single task"),
    "cosine: share": (lambda: families.cosine(sigma=9, shift_share=0.9), "shift_share can be at most 0.19"),
    "cosine: negative share": (lambda: families.cosine(shift_share=-0.1), r"shift_share must lie in \[0, 1\]"),
    "cosine: NaN share": (lambda: families.cosine(shift_share=math.nan), r"shift_share must lie in \[0, 1\]"),
    "cosine: sigma": (lambda: families.cosine(sigma=-1), "sigma must be finite and not negative"),
    "cosine: sigma_tilde": (lambda: families.cosine(sigma_tilde=math.nan), "sigma_tilde must be"),
    "cosine: sigma_H": (lambda: families.cosine(sigma_H=math.inf), "sigma_H must be finite"),
    "cosine: dim": (lambda: families.cosine(dim=0), "dim must be a whole number of at least 1"),
    "cosine: tasks": (lambda: families.cosine(tasks=2.5), "tasks must be a whole number"),
    "cosine: bool": (lambda: families.cosine(dim=True), "dim must be a whole number"),
    "ramp: eps": (lambda: families.resisting_ramp(eps=0), "eps must be above 0"),
    "ramp: infinite eps": (lambda: families.resisting_ramp(eps=math.inf), "eps must be above 0"),
    "ramp: slope_factor": (lambda: families.resisting_ramp(slope_factor=1), "slope_factor must be above 1"),
    "ramp: rho": (lambda: families.resisting_ramp(rho=0), "rho must be above 0"),
    "ramp: Delta": (lambda: families.resisting_ramp(Delta=0), "Delta must be above 0"),
    "ramp: negative Delta": (lambda: families.resisting_ramp(Delta=-1), "Delta must be finite and not negative"),
    "ramp: L": (lambda: families.resisting_ramp(L=-1), "L must be finite and not negative"),
    "point": (lambda: families.resisting_ramp().gradients([1.0]), r"w must have shape \(2,\) .* got \(1,\)"),
    "start": (lambda: families.cosine(dim=3).started_at(np.ones(4)), r"w must have shape \(3,\)"),
    "points": (lambda: families.cosine(dim=3, tasks=2).values_at(np.ones((3, 3))), r"must have shape \(2, 3\)"),
    "gradients": (lambda: families.cosine(dim=3, tasks=2).gradients_at(np.ones((2, 2))), r"must have shape \(2, 3\)"),
    "vector": (lambda: families.cosine(dim=3).hessian_vector_products(np.ones(3), np.ones(2)), "v must have shape"),
}


@pytest.mark.parametrize(("build", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_one_clear_sentence(build, message):
    """What no family can be, or no task can answer, ends in a ValueError that names the argument."""
    with pytest.raises(ValueError, match=message) as refusal:
        build()
    assert "\n" not in str(refusal.value) and ". " not in str(refusal.value)
