"""Exact moments against the engine's samples, for every kind of noise; the split of the variance; the mean norm."""

import dataclasses
import itertools
import math

import mpmath
import numpy as np
import pytest
from blocks_of_draws import BLOCKS, COUNT, DELTA, FAR, excess
from draws import noise_of
from numpy.testing import assert_allclose
from scipy import integrate, stats
from scipy.special import roots_hermitenorm

from simulations import Experiment, engine_cpu, exact, families
from simulations.noises import GRADIENT, HESSIAN, student_t
from simulations.noises.gaussian import noncentral_chi_mean

ALPHA, INF = 1 / 6, math.inf
LOUD = {"L": 1.0, "rho": 1.0, "sigma": 0.3, "sigma_tilde": 3.0, "sigma_H": 4.0}
W = np.array([0.6, -0.9, 0.3])
BATCHES = {
    "all noisy": {"D_in": 1, "D_o": 1, "D_h": 1},
    "noisy inner": {"D_in": 1, "D_o": None, "D_h": None},
    "noisy outer": {"D_in": None, "D_o": 2, "D_h": None},
    "small batches": {"D_in": 3, "D_o": 2, "D_h": 5},
}
KINDS = {
    "gaussian": {},
    "rademacher": {"noise": "rademacher"},
    "t": {"noise": student_t(nu=10)},
    "features": {"noise": "random_feature"},
    "diagonal": {"hessian_noise": "diagonal"},
    "symmetric": {"hessian_noise": "symmetric"},
    "signs, diagonal": {"noise": "rademacher", "hessian_noise": "diagonal"},
}


def _family(**kinds):
    family = families.cosine(dim=3, tasks=4, **LOUD, seed=1, **kinds)
    return dataclasses.replace(family, probabilities=np.array([0.1, 0.4, 0.2, 0.3]))


def test_the_test_keeps_its_level():
    """41 blocks at 3 deviations: below 1e-9 for the statistics of one case together, on both sides."""
    assert 2 * 4 * stats.binom.sf(BLOCKS // 2, BLOCKS, 1 / (1 + FAR**2)) <= DELTA


def _norm_fourth_bound(family, D_h):
    """At least E||G||^4: ((E(||I - alpha H_i|| + alpha||N||)^4 E||h~_i||^4), each root of order 4 by Minkowski."""
    A, omega = family.shared[:2]
    d, constants = family.dim, family.constants
    tilt = np.abs(family.table[1]).max(axis=0)
    smooth = math.sqrt(((A * omega + tilt) ** 2).sum())
    gradient = {
        "gaussian": (1 + 2 / d) ** 0.25,
        "rademacher": 1.0,
        "student_t": ((1 + 2 / d) * (10 - 2) / (10 - 4)) ** 0.25,
        "random_feature": math.sqrt(2),
    }[family.noise.gradient.name]
    hessian = {
        "isotropic": 3**0.25,
        "diagonal": 3**0.25,
        "symmetric": (((d + 1) ** 2 + 2 * (d + 3)) / (d + 1) ** 2) ** 0.25,
        "random_feature": math.sqrt(2 * d),
    }[family.noise.hessian.name]
    outer = smooth + gradient * constants.sigma_tilde
    return ((1 + ALPHA * constants.L + ALPHA * hessian * constants.sigma_H * (D_h is not None)) * outer) ** 4


def _fourth(family, batches):
    """E||G||^4 exactly where coordinates are independent given the task, else a bound."""
    noise, d = family.noise, family.dim
    if noise.gradient.name not in ("gaussian", "rademacher") or noise.hessian.name == "symmetric":
        return _norm_fourth_bound(family, batches["D_h"])
    D_in, D_o, D_h = (INF if D is None else float(D) for D in batches.values())
    scale = family.constants.sigma_tilde / math.sqrt(d)
    inner, outer = (_nodes(noise.gradient, scale, D, d) for D in (D_in, D_o))
    centre = W - ALPHA * family.gradients(W)
    h = np.array([family.gradients_at(centre - ALPHA * x) for x in inner[0]])
    plain2, plain4 = (np.tensordot(inner[1], h**k, 1) for k in (2, 4))
    noise2, noise4 = (outer[1] @ outer[0] ** k for k in (2, 4))
    second, fourth = plain2 + noise2, plain4 + 6 * plain2 * noise2 + noise4
    shrink = 1 - ALPHA * family.hessian_vector_products(W, np.ones(d))
    bend = ALPHA * family.constants.sigma_H / math.sqrt(D_h)
    if noise.hessian.name == "diagonal":
        second, fourth = (shrink**2 + bend**2) * second, (shrink**4 + 6 * shrink**2 * bend**2 + 3 * bend**4) * fourth
        each = second.sum(axis=1) ** 2 + (fourth - second**2).sum(axis=1)
        return family.probabilities @ each
    z, weights = roots_hermitenorm(5)
    each = []
    for factor in (shrink - bend * x for x in z):
        each.append((factor**2 * second).sum(axis=1) ** 2 + (factor**4 * (fourth - second**2)).sum(axis=1))
    return family.probabilities @ (weights / weights.sum() @ np.array(each))


def _nodes(noise, scale, D, d):
    return (np.zeros(1), np.ones(1)) if D == INF else noise.law(scale, D, d).rule(64)


def _sampled(family, batches, **faults):
    """G of the engine, a row a replicate."""
    wanted = Experiment(family.started_at(W), ALPHA, B=1, step=1.0, **batches, iterations=1, replicates=COUNT, seed=5)
    plan = wanted.plan()._replace(**faults, last=2, norm_every=2, record_every=2)
    points = np.tile(W, (COUNT, 1))
    engine_cpu.advance(plan, points, np.ones(1), 1, 1)
    return W - points


def _excess(family, batches, **faults):
    """How far the medians of block means lie off the exact E G and E||G||^2, in units of what the test allows."""
    G, moments = _sampled(family, batches, **faults), exact.moments(family, W, ALPHA, **batches)
    statistics = np.column_stack([G, (G**2).sum(axis=1)])
    variances = np.append(np.full(family.dim, moments.second), _fourth(family, batches) - moments.second**2)
    return excess(statistics, [*moments.mean, moments.second], variances)


@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_sampled_moments_are_the_exact_ones(kind, batches):
    """E G and E||G||^2 for every kind of noise and each source alone and together."""
    assert _excess(_family(**kind), batches) <= 1


def test_the_fourth_moments_the_test_rests_on_are_those_of_the_samples():
    """Exact E||G||^4 within 10 per cent of the samples', and the bounds above what is sampled."""
    for kind, batches in ((kind, BATCHES["small batches"]) for kind in KINDS.values()):
        family = _family(**kind)
        seen = ((_sampled(family, batches) ** 2).sum(axis=1) ** 2).mean()
        known = _fourth(family, batches)
        exactly = family.noise.gradient.name in ("gaussian", "rademacher") and family.noise.hessian.name != "symmetric"
        assert 0.9 * known <= seen <= 1.1 * known if exactly else seen <= known


FAULTS = {
    "sigma_tilde 10% high": ("noisy outer", lambda plan: plan.oracle.spread * [1.1, 1]),
    "sigma_H 20% low": ("all noisy", lambda plan: plan.oracle.spread * [1, 0.8]),
}


@pytest.mark.parametrize(("setting", "fault"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "diagonal"])
def test_planted_faults_fail_the_test(kind, setting, fault):
    """The engine's noise too loud or too quiet."""
    family, batches = _family(**KINDS[kind]), BATCHES[setting]
    plan = Experiment(family, ALPHA, **batches, step=1.0).plan()
    assert _excess(family, batches, oracle=plan.oracle._replace(spread=fault(plan))) > 1.2


def test_batches_that_change_places_fail_the_test():
    """D_in for D_o, for a family whose curvature makes them different."""
    family, batches = _family(), {"D_in": 1, "D_o": 4, "D_h": None}
    plan = Experiment(family, ALPHA, **batches, step=1.0).plan()
    assert _excess(family, batches, setting=plan.setting._replace(D_in=4.0, D_o=1.0)) > 1.2


@pytest.mark.parametrize("name", GRADIENT)
def test_the_variance_splits_by_source(name):
    """The parts add up, each vanishes with its own noise alone, and later ones do not move earlier ones."""
    family = _family(noise=name)
    found = exact.moments(family, W, "1/6", 3, 2, 5)
    assert list(found.variance) == ["tasks", "D_in", "D_o", "D_h"] and min(found.variance.values()) > 0
    assert math.isclose(sum(found.variance.values()), found.second - found.mean @ found.mean, rel_tol=1e-12)
    for k, batches in enumerate([(), (3,), (3, 2), (3, 2, 5)], start=1):
        part = exact.moments(family, W, ALPHA, *batches)
        for n, source in enumerate(found.variance):
            wanted = found.variance[source] if n < k else 0
            if (k, source) != (1, "tasks"):
                assert math.isclose(part.variance[source], wanted, rel_tol=1e-12, abs_tol=1e-13)
    single = families.cosine(dim=3, tasks=1, sigma=0, sigma_tilde=1, noise=name)
    assert abs(exact.moments(single, W, ALPHA, 3).variance["tasks"]) <= 1e-15


@pytest.mark.parametrize("name", GRADIENT)
def test_closed_forms_are_what_the_rules_find(name):
    """Cosine tasks by the characteristic function and by the noise's rule, which is exact for signs."""
    if name == "student_t":
        return
    family = _family(noise=name)
    plain = dataclasses.replace(family, outer_moments=None)
    for D_in in (1, 2, 7, 40):
        closed, summed = (exact.moments(f, W, ALPHA, D_in, 2, 1) for f in (family, plain))
        assert_allclose(summed.mean, closed.mean, rtol=1e-11)
        assert_allclose(summed.bias, closed.bias, rtol=1e-9, atol=1e-14)
        assert math.isclose(summed.second, closed.second, rel_tol=1e-11)
        assert closed.error == 0 and abs(summed.second - closed.second) <= 10 * summed.error + 1e-12 * closed.second
        assert summed.error > 0 or name == "rademacher"


def test_rules_with_heavy_tails_settle_or_say_so():
    """Student's t on the ramp against adaptive integration and, on its well, the characteristic function."""
    ramp, loud = (
        families.resisting_ramp(eps=0.5, slope_factor=1.5, sigma_tilde=scale, noise="student_t") for scale in (1, 20)
    )
    w, scale = np.array([-0.05, 0.7]), math.sqrt(0.5)
    found, inner = exact.moments(ramp, w, ALPHA, 1).mean, w - ALPHA * ramp.gradients(w)[0]

    def slope(z):
        return ramp.gradients_at(inner[None] - ALPHA * scale * math.sqrt(0.5) * z)[0, 0]

    h = integrate.quad(lambda z: slope(z) * stats.t.pdf(z, 4), -INF, INF, epsabs=1e-13, limit=500)[0]
    shrink = 1 - ALPHA * ramp.hessian_vector_products(w, np.ones(2))[0]
    wave = ramp.noise.gradient.law(scale, 1, 2).wave(ALPHA)
    assert_allclose(found, shrink * [h, wave * math.sin(inner[1])], rtol=1e-9)
    with pytest.raises(ValueError, match="does not settle"):
        exact.moments(loud, w, ALPHA, 1)
    with pytest.raises(ValueError, match="the mean of 2 Student t samples has no quadrature rule"):
        exact.moments(ramp, w, ALPHA, 2)


def test_alpha_is_understood_as_experiments_understand_it():
    """ "1/6", a Fraction and the float give the same numbers, to the last bit."""
    family = _family()
    for ask in (
        lambda alpha: exact.objective(family, W, alpha),
        lambda alpha: exact.meta_gradient(family, W, alpha).tolist(),
        lambda alpha: exact.gap(family, alpha),
        lambda alpha: exact.moments(family, W, alpha, 2, 3, 4).second,
    ):
        assert ask("1/6") == ask(1 / 6)


@pytest.mark.parametrize("hessian", HESSIAN)
def test_hessian_noise_enters_moments_through_its_weak_value_alone(hessian):
    """All kinds give one and the same E||G||^2: E N^2 = sigma_H^2 I."""
    assert exact.moments(_family(hessian_noise=hessian), W, ALPHA, 1, 1, 1).second == pytest.approx(
        exact.moments(_family(), W, ALPHA, 1, 1, 1).second, rel=1e-15
    )


@pytest.mark.parametrize(("name", "D"), [*((name, 1) for name in GRADIENT), ("gaussian", 7), ("rademacher", 7)])
@pytest.mark.parametrize("where", ["far", "near"])
def test_the_mean_norm_is_that_of_the_samples(name, D, where):
    """E_i E||grad~ f_i||: a norm's variance is at most the second moment of the noise."""
    loud = {"far": 0.4, "near": 3.0}[where]
    family = families.cosine(dim=3, tasks=4, **{**LOUD, "sigma_tilde": loud}, seed=1, noise=name)
    count = BLOCKS * 4_000
    picks = np.arange(count) % family.size
    noise = noise_of(family, D, count, points=W)[0]
    lengths = np.linalg.norm(family.gradients(W)[picks] + noise, axis=1)
    mean_over_tasks = lengths.reshape(BLOCKS, -1).mean(axis=1)
    slack = FAR * loud / math.sqrt(D) * math.sqrt(BLOCKS / count)
    assert abs(np.median(mean_over_tasks) - exact.mean_norm(family, W, D)) <= slack


def test_the_mean_norm_in_one_dimension():
    """By hand: E|m + s z| for a normal, for a sign, and for a feature s sin(phi)."""
    m, s = np.array([[0.3], [-1.0], [0.0]]), 0.7
    normal = [
        s * math.sqrt(2 / math.pi) * math.exp(-(x**2) / (2 * s**2)) + x * math.erf(x / s / 2**0.5) for x in m[:, 0]
    ]
    assert_allclose(GRADIENT["gaussian"].length(m, s, 1), normal, rtol=1e-12)
    signs = [(abs(x + s) + abs(x - s)) / 2 for x in m[:, 0]]
    assert_allclose(GRADIENT["rademacher"].length(m, s, 1), signs, rtol=1e-12)
    r = s * math.sqrt(2)
    waves = [abs(x) if abs(x) > r else 2 / math.pi * (x * math.asin(x / r) + math.sqrt(r * r - x * x)) for x in m[:, 0]]
    assert_allclose(GRADIENT["random_feature"].length(m, s, 1), waves, rtol=1e-10)
    scale = s * math.sqrt(0.5)
    heavy = [
        integrate.quad(lambda z, x=x: abs(x + scale * z) * stats.t.pdf(z, 4), -INF, INF, limit=400)[0] for x in m[:, 0]
    ]
    assert_allclose(GRADIENT["student_t"].length(m, s, 1), heavy, rtol=1e-7)


def test_the_mean_norm_of_normal_noise_far_and_near():
    """The noncentral chi mean against mpmath's hypergeometric function."""
    for d, x in itertools.product((1, 2, 16, 400), (0.0, 1e-3, 1.0, 50.0, 1e4, 1e9)):
        distance = math.sqrt(2 * x)
        with mpmath.workdps(40):
            factor = mpmath.sqrt(2) * mpmath.gamma(mpmath.mpf(d + 1) / 2) / mpmath.gamma(mpmath.mpf(d) / 2)
            wanted = factor * mpmath.hyp1f1(-0.5, mpmath.mpf(d) / 2, -(mpmath.mpf(distance) ** 2) / 2)
        assert math.isclose(noncentral_chi_mean(np.array([distance]), 1.0, d)[0], float(wanted), rel_tol=1e-10)


def test_mean_norms_that_have_no_exact_form_are_refused():
    """Means of heavy tails and of features, and signs with too many values."""
    for name, D, says in (
        ("student_t", 2, "no exact form: D must be 1"),
        ("random_feature", 3, "no exact form: D must be 1"),
        ("rademacher", 5000, "D must be up to 4096"),
    ):
        with pytest.raises(ValueError, match=says):
            exact.mean_norm(_family(noise=name), W, D)
    assert exact.mean_norm(_family(), W) == pytest.approx(
        _family().probabilities @ np.linalg.norm(_family().gradients(W), axis=1)
    )
