"""Every kind of oracle noise: the law of a mean of D samples, both readings of (A5), and what cannot be had.

Statistical bounds hold with probability 1 - 1e-9 by the inequality each test names; all seeds are fixed.
"""

import inspect
import itertools
import math

import mpmath
import numpy as np
import pytest
from draws import noise_of
from numpy.testing import assert_allclose
from scipy import integrate, stats

from simulations import Experiment, exact, families
from simulations.kernels import REAL, VECTOR, compiled, types
from simulations.noises import GRADIENT, HESSIAN, NAMES, rademacher, random_feature, student_t, symmetric
from simulations.noises.rademacher import hat, log_ratio

DELTA = 1e-9
CONSTANTS = {"sigma": 0.3, "sigma_tilde": 0.8, "sigma_H": 0.5}
LARGE = {name: 10**6 if noise.most > 10**6 else 200 for name, noise in GRADIENT.items()}
CASES = [(name, D) for name in GRADIENT for D in (1, 2, 7, LARGE[name])]
WEAK = [(name, D) for name in HESSIAN for D in (1, 7)] + [("random_feature", 1), ("random_feature", 7)]


def _family(name="gaussian", dim=3, tasks=4, **constants):
    keyword = "hessian_noise" if name in HESSIAN else "noise"
    return families.cosine(dim=dim, tasks=tasks, **{**CONSTANTS, **constants}, **{keyword: name})


def _law(name, D, dim=3):
    return GRADIENT[name].law(CONSTANTS["sigma_tilde"] / math.sqrt(dim), D, dim)


def test_every_file_is_one_kind_of_noise():
    """The scan finds the kinds there are, and each knows its own name."""
    assert set(GRADIENT) | set(HESSIAN) == set(NAMES) and not set(GRADIENT) & set(HESSIAN)
    assert all(noise.name == name for name, noise in {**GRADIENT, **HESSIAN}.items())


@pytest.mark.parametrize(("name", "D"), CASES)
def test_coordinates_have_the_characteristic_function_of_their_law(name, D):
    """E cos(t X) is `wave` and E sin(t X) = 0 around one over the deviation, in every coordinate: Hoeffding."""
    count = 2**18 if D < 100 or D > 1000 else 2**14
    noise, law = noise_of(_family(name), D, count)[0], _law(name, D)
    frequencies = np.array([0.5, 1.0, 1.7, 2.5]) / math.sqrt(law.variance)
    slack = math.sqrt(2 * math.log(2 * 2 * frequencies.size * 3 / DELTA) / count)
    for t in frequencies:
        assert np.abs(np.cos(t * noise).mean(axis=0) - law.wave(t)).max() <= slack
        assert np.abs(np.sin(t * noise).mean(axis=0)).max() <= slack


@pytest.mark.parametrize("name", GRADIENT)
def test_the_characteristic_function_can_tell_a_scale_a_few_percent_off(name):
    """The check above would fail for a deviation 5 per cent off."""
    slack = math.sqrt(2 * math.log(48 / DELTA) / 2**18)
    for D, factor in itertools.product((1, 7), (0.95, 1.05)):
        law = _law(name, D)
        frequencies = np.array([0.5, 1.0, 1.7, 2.5]) / math.sqrt(law.variance)
        assert max(abs(law.wave(factor * t) - law.wave(t)) for t in frequencies) > slack


def _distance(sample, cdf, cdf_below):
    """Kolmogorov's distance, for laws with or without atoms."""
    values, counts = np.unique(sample, return_counts=True)
    above = np.cumsum(counts) / sample.size
    return max(np.abs(above - cdf(values)).max(), np.abs(above - counts / sample.size - cdf_below(values)).max())


def _feature_cdf(x):
    """P(s sin(phi) u_1 <= x) for one sample in three dimensions, where u_1 is uniform on [-1, 1].

    Given phi it is uniform on [-s |sin phi|, s |sin phi|]; its density in r = x/s is arccosh(1/|r|)/pi.
    """
    r = np.clip(np.abs(x) / (math.sqrt(2) * CONSTANTS["sigma_tilde"]), 1e-300, 1)
    inside = (r * np.arccosh(1 / r) + np.arcsin(r)) / math.pi
    return 0.5 + np.sign(x) * inside


@pytest.mark.parametrize(
    ("name", "D"),
    [("gaussian", 7), ("gaussian", 10**6), ("student_t", 1), ("random_feature", 1)]
    + [("rademacher", D) for D in (1, 2, 7, 64, 65, 128, 129, 1000, 10**6, 2**53)],
)
def test_coordinates_follow_their_law(name, D):
    """Distribution functions, by Dvoretzky-Kiefer-Wolfowitz in every coordinate."""
    count, scale = 2**18, CONSTANTS["sigma_tilde"] / math.sqrt(3)
    noise = noise_of(_family(name), D, count)[0]
    if name == "rademacher" and D < 2**53:
        law = stats.binom(D, 0.5, loc=0)
        noise = np.round(noise / scale * D / 2 + D / 2)
        cdf, below = law.cdf, lambda k: law.cdf(k - 1)
    else:
        smooth = {
            "gaussian": stats.norm(scale=scale / math.sqrt(D)).cdf,
            "rademacher": stats.norm(scale=scale / math.sqrt(D)).cdf,
            "student_t": stats.t(4, scale=scale / math.sqrt(2)).cdf,
            "random_feature": _feature_cdf,
        }
        cdf = below = smooth[name]
    slack = math.sqrt(math.log(2 * 3 / DELTA) / (2 * count))
    assert max(_distance(column, cdf, below) for column in noise.T) <= slack


@pytest.mark.parametrize("D", [1, 2, 7, 64, 65, 128, 129, 1001])
def test_means_of_signs_stand_on_their_lattice(D):
    """s (2 k - D)/D to rounding, for whole k between 0 and D."""
    noise = noise_of(_family("rademacher"), D, 2**12)[0]
    counts = (noise * math.sqrt(3) / CONSTANTS["sigma_tilde"] + 1) * D / 2
    assert np.abs(counts - np.round(counts)).max() <= 1e-12 * D
    assert counts.min() >= -1e-12 and counts.max() <= D * (1 + 1e-12)


def test_signs_are_independent_between_coordinates_and_rows():
    """All patterns of the signs of two successive rows, by the exact binomial law of their counts."""
    count = 2**18
    signs = (noise_of(_family("rademacher"), 1, count)[0] > 0).reshape(-1, 6) @ 2 ** np.arange(6)
    counts = np.bincount(signs, minlength=64)
    low, high = (stats.binom.ppf(q, count // 2, 1 / 64) for q in (DELTA / 128, 1 - DELTA / 128))
    assert counts.size == 64 and (counts >= low).all() and (counts <= high).all()


@compiled(types.void(REAL, VECTOR, VECTOR))
def _log_ratios(D, x, out):
    for n in range(x.size):
        out[n] = log_ratio(x[n], D)


@compiled(types.void(REAL, VECTOR))
def _hat(D, out):
    out[0], out[1], out[2], out[3] = hat(D)


def _ratios(D, x):
    out = np.empty(x.size)
    _log_ratios(float(D), x, out)
    return out


@pytest.mark.parametrize("D", [129, 130, 1000, 10**6 + 1, 10**12])
def test_binomial_probabilities_are_right_to_13_digits(D):
    """Against 60-digit logarithms of gamma functions, wherever the probability is above 1e-17."""
    half = D / 2 - D // 2
    x = np.unique(np.round(np.linspace(-4, 4, 41) * math.sqrt(D))) - half
    x = x[np.abs(x) < D / 2]
    with mpmath.workdps(60):
        n = mpmath.mpf(D)
        logs = [
            mpmath.loggamma(n + 1) - mpmath.loggamma(n / 2 + y + 1) - mpmath.loggamma(n / 2 - y + 1) - n * mpmath.log(2)
            for y in map(mpmath.mpf, x)
        ]
        wanted = np.array([float(log + mpmath.log(mpmath.pi * n / 2) / 2) for log in logs])
    likely = wanted > math.log(1e-17 * math.sqrt(math.pi * D / 2))
    assert likely.sum() > 20
    assert np.abs(_ratios(D, x) - wanted)[likely].max() <= 2e-13


@pytest.mark.parametrize("D", [129, 130, 131, 160, 1000, 10**4 + 1, 10**6, 10**9, 2**53])
def test_the_hat_of_the_rejection_covers_the_binomial_law(D):
    """Acceptance probabilities are at most 1, and never below the squeeze that takes candidates unseen.

    With this the law is exact: over the cell of one x the hat's density integrates to the same number for every x.
    """
    numbers = np.empty(4)
    _hat(float(D), numbers)
    a, b, alpha, squeeze = numbers
    u = np.linspace(-0.5, 0.5, 400_003)[1:-1]
    edge, half = 0.5 - np.abs(u), D / 2 - D // 2
    x = np.floor((2 * a / edge + b) * u + half + 0.5) - half
    inside = np.abs(x) < D / 2
    taken = np.zeros(u.size)
    taken[inside] = np.exp(_ratios(D, x[inside]) - _ratios(D, np.array([half]))) * (a / edge**2 + b)[inside] / alpha
    assert taken.max() <= 1 and taken[edge >= 0.07].min() >= squeeze
    assert taken.mean() > 0.75


@pytest.mark.parametrize("name", GRADIENT)
def test_infinitely_many_samples_are_exact(name):
    """Nothing is added, to the last bit."""
    assert not np.any(noise_of(_family(name), math.inf, 10))


@pytest.mark.parametrize("name", [*GRADIENT, *HESSIAN])
def test_no_noise_where_the_constant_is_zero(name):
    """sigma_tilde = sigma_H = 0 gives exact answers with finite batches too."""
    assert not np.any(noise_of(_family(name, sigma_tilde=0, sigma_H=0), 2, 10))


@pytest.mark.parametrize(("name", "D"), WEAK)
def test_the_weak_reading_of_A5_holds_with_equality(name, D):
    """D E||N v||^2 = sigma_H^2 ||v||^2 for several v.

    For normal noise every u . N v is normal with a known variance, so sums of squares have a chi-square law. A random
    feature's ||N v||^2 lies between 0 and b = 2 d (sigma_H ||v||)^2: Bernstein with variance at most b E||N v||^2.
    """
    count, sigma_H = 2**17, CONSTANTS["sigma_H"]
    family = _family(name)
    for seed, v in enumerate(([1.0, 0.0, 0.0], [0.3, -0.7, 1.1], [1.0, 1.0, 1.0])):
        v = np.array(v)
        noise, wanted = noise_of(family, D, count, vectors=v, seed=seed)[1], sigma_H**2 / D * (v @ v)
        if name == "random_feature":
            b, log = 2 * 3 * sigma_H**2 * (v @ v), math.log(2 * 3 / DELTA)
            slack = math.sqrt(2 * b * wanted * log / count) + 2 * b * log / (3 * count)
            assert abs((noise**2).sum(axis=1).mean() - wanted) <= slack
            continue
        covariance = {
            "isotropic": np.outer(v, v),
            "diagonal": np.diag(v**2),
            "symmetric": (v @ v * np.eye(3) + np.outer(v, v)) / 4,
        }[name]
        assert math.isclose(np.trace(covariance), v @ v, rel_tol=1e-15)
        for u in (v, *np.eye(3), np.array([1.0, -1.0, 0.5])):
            variance, along = sigma_H**2 / D * (u @ covariance @ u), noise @ u
            if variance == 0:
                assert np.abs(along).max() <= 1e-14
                continue
            share = DELTA / 15
            low, high = stats.chi2.ppf(share / 2, count), stats.chi2.isf(share / 2, count)
            assert low <= (along**2).sum() / variance <= high
            assert abs(along.sum()) <= math.sqrt(count * variance) * stats.norm.isf(share / 2)


def _matrices(family, D, count):
    """Sampled Hessian noise as matrices (count, d, d), for kinds where one address is one matrix."""
    return np.stack([noise_of(family, D, count, vectors=unit)[1] for unit in np.eye(family.dim)], axis=2)


@pytest.mark.parametrize("name", ["isotropic", "diagonal", "random_feature"])
@pytest.mark.parametrize("D", [1, 4])
def test_the_strong_reading_of_A5_has_its_value(name, D):
    """E||N||_op^2 over sigma_H^2, by the median of the means of 41 blocks.

    E||N||_op^4 is at most that of the Frobenius norm, which is at most (3 d)^2/D^2 for all three. So one block's mean
    is 3 deviations off, to a given side, with probability 1/10 at most (Cantelli), and 21 of 41 are with 4e-11.
    """
    count, blocks, d = 41 * 800, 41, 3
    noise = _matrices(_family(name), D, count)
    assert np.abs(noise - noise.swapaxes(1, 2)).max() <= 1e-14
    squares = np.abs(np.linalg.eigvalsh(noise)).max(axis=1) ** 2 / CONSTANTS["sigma_H"] ** 2
    strong = (GRADIENT[name].partner if name in GRADIENT else HESSIAN[name]).strong(d, D)
    middle = np.median([block.mean() for block in np.array_split(squares, blocks)])
    slack = 3 * (3 * d / D) * math.sqrt(blocks / count)
    if strong.standing == "bound":
        assert 1 / D - slack <= middle <= strong.value + slack
    else:
        assert abs(middle - strong.value) <= slack


@pytest.mark.parametrize("name", HESSIAN)
def test_strong_values_that_are_known_otherwise(name):
    """d = 1: both readings agree. d = 2: by hand. Diagonal, any d: by another integral. D: 1/D of it."""
    strong = HESSIAN[name].strong
    assert math.isclose(strong(1, 1).value, 1, rel_tol=1e-11)
    by_hand = {"isotropic": 1, "diagonal": 1 + 2 / math.pi, "symmetric": 5 / 3}[name]
    assert math.isclose(strong(2, 1).value, by_hand, rel_tol=1e-9)
    assert math.isclose(strong(5, 7).value, strong(5, 1).value / 7, rel_tol=1e-14)
    if name == "diagonal":
        density = lambda t: 10 * 2 * stats.norm.pdf(t) * (2 * stats.norm.cdf(t) - 1) ** 9 * t**2  # noqa: E731
        assert math.isclose(strong(10, 1).value, integrate.quad(density, 0, 12)[0], rel_tol=1e-9)


@pytest.mark.parametrize("d", [3, 6])
def test_the_strong_value_of_the_orthogonal_ensemble_is_that_of_sampled_matrices(d):
    """Means of 2^17 matrices by NumPy; 7 standard errors."""
    generator = np.random.Generator(np.random.Philox(d))
    entries = generator.standard_normal((2**17, d, d))
    matrices = (entries + entries.swapaxes(1, 2)) / math.sqrt(2 * (d + 1))
    squares = np.abs(np.linalg.eigvalsh(matrices)).max(axis=1) ** 2
    assert abs(squares.mean() - symmetric().strong(d, 1).value) <= 7 * squares.std() / math.sqrt(squares.size)


def test_the_strong_value_of_the_orthogonal_ensemble_grows_towards_the_semicircle():
    """Between its neighbours, below 4, and not given where it was not tested."""
    values = [symmetric().strong(d, 1).value for d in (1, 2, 3, 5, 8, 16, 33, 64)]
    assert values == sorted(values) and values[-1] < 4
    assert symmetric().strong(65, 1) is None


def test_random_features_have_one_function_for_gradients_and_products():
    """At one address the product noise is the derivative of the gradient noise along the vector; here D = 3."""
    family = _family("random_feature", dim=4)
    generator = np.random.Generator(np.random.Philox(0))
    points, v = generator.standard_normal((50, 4)), np.array([0.4, -1.0, 0.2, 0.7])
    products, h = noise_of(family, 3, 50, points=points, vectors=v)[1], 1e-5
    ahead, back = (noise_of(family, 3, 50, points=points + step * v)[0] for step in (h, -h))
    assert_allclose((ahead - back) / (2 * h), products, rtol=1e-7, atol=1e-9)
    assert np.abs(products).max() > 0.1


def test_random_features_of_different_rows_and_samples_differ():
    """Row by row and sample by sample other functions; a mean of two is not a multiple of either."""
    noise = noise_of(_family("random_feature"), 1, 100)[0]
    assert np.unique(np.round(noise, 12), axis=0).shape == noise.shape
    assert np.linalg.norm(noise, axis=1).max() <= math.sqrt(2) * CONSTANTS["sigma_tilde"]
    both = noise_of(_family("random_feature"), 2, 100)[0]
    assert np.abs(np.cross(noise, both)).max(axis=1).min() > 1e-6


def test_t_vectors_share_one_scale():
    """||noise||^2/d over its scale is F(d, nu) for one sample: Dvoretzky-Kiefer-Wolfowitz."""
    count, nu = 2**17, 5.0
    noise = noise_of(_family().with_noise(student_t(nu=nu)), 1, count)[0]
    ratio = np.sort((noise**2).sum(axis=1) / (CONSTANTS["sigma_tilde"] ** 2 * (nu - 2) / nu))
    law = stats.f(3, nu).cdf(ratio)
    distance = max((np.arange(1, count + 1) / count - law).max(), (law - np.arange(count) / count).max())
    assert distance <= math.sqrt(math.log(2 / DELTA) / (2 * count))


@pytest.mark.parametrize("name", GRADIENT)
def test_rules_are_exact_for_the_second_moment_and_close_for_waves(name):
    """Quadrature against the characteristic function, two ways to one law; D up to where there is a rule."""
    for D, d in itertools.product((1, 2, 7, 1000), (1, 3, 16)):
        law = GRADIENT[name].law(0.7, D, d)
        if name == "student_t":
            continue
        points, weights = law.rule(64)
        assert math.isclose(weights.sum(), 1, rel_tol=1e-13)
        assert math.isclose(weights @ points**2, law.variance, rel_tol=1e-13)
        for t in (0.3, 2.0, 7.0):
            assert abs(weights @ np.cos(t * points) - law.wave(t)) <= 1e-14


def test_the_rule_of_t_integrates_what_does_not_oscillate():
    """E 1/(1 + X^2) and E X^2 against adaptive integration and the variance."""
    for nu in (2.5, 4.0, 30.0):
        law = student_t(nu=nu).law(0.7, 1, 3)
        points, weights = law.rule(128)
        scale = 0.7 * math.sqrt((nu - 2) / nu)
        wanted = integrate.quad(lambda z, s=scale, n=nu: stats.t.pdf(z, n) / (1 + (s * z) ** 2), -np.inf, np.inf)[0]
        assert math.isclose(weights @ (1 / (1 + points**2)), wanted, rel_tol=1e-8)
        assert math.isclose(weights @ points**2, law.variance, rel_tol=1e-7)


def test_both_readings_of_a_family():
    """In the family's own units: equal for isotropic noise, d apart for features, unknown beyond what was tested."""
    weak, strong = exact.hessian_variance(_family("isotropic"), 5)
    assert strong.value == weak
    weak, strong = exact.hessian_variance(_family("random_feature"))
    assert math.isclose(weak, CONSTANTS["sigma_H"] ** 2) and math.isclose(strong.value, 3 * weak)
    assert exact.hessian_variance(_family("random_feature"), 4)[1].standing == "bound"
    assert exact.hessian_variance(_family("symmetric", dim=65))[1] is None


def test_kinds_say_whether_products_at_one_address_belong_to_one_matrix():
    """Products are linear in the vector, at one address, where `one_matrix` says so, and only there."""
    u, v = np.array([1.0, -0.5, 0.2]), np.array([0.3, 0.8, -1.0])
    for name in ("isotropic", "diagonal", "symmetric", "random_feature"):
        family = _family(name)
        along, across, both = (noise_of(family, 2, 50, vectors=x)[1] for x in (u, v, u + v))
        linear = np.abs(both - along - across).max() <= 1e-12
        assert linear == family.noise.hessian.one_matrix


REFUSED = {
    "unknown gradient noise": (lambda: _family().with_noise("cauchy"), "noise must be one of gaussian, rademacher"),
    "unknown Hessian noise": (lambda: _family().with_noise(hessian="x"), "hessian_noise must be one of diagonal"),
    "Hessian noise as gradient noise": (lambda: _family().with_noise("diagonal"), "noise must be one of"),
    "a second Hessian noise": (
        lambda: _family().with_noise("random_feature", "diagonal"),
        "hessian_noise must be left out with random_feature",
    ),
    "no variance": (lambda: student_t(nu=2), "nu must be finite and above 2"),
    "features without gradients": (
        lambda: _family("random_feature", sigma_tilde=0),
        "sigma_tilde must be positive for random_feature",
    ),
    "half a sign": (lambda: exact.moments(_family("rademacher"), np.zeros(3), 0.1, 2.5), "D_in must be a whole number"),
    "half a function": (
        lambda: exact.moments(_family("random_feature"), np.zeros(3), 0.1, D_h=1.5),
        "D_h must be a whole number",
    ),
    "more than there are addresses": (
        lambda: exact.moments(_family("student_t"), np.zeros(3), 0.1, 70_000),
        "D_in must be a whole number up to 65535",
    ),
    "a run with half a sign": (lambda: Experiment(_family("rademacher"), 0.1, D_o=1.5), "D_o must be a whole number"),
    "no sample": (lambda: exact.moments(_family(), np.zeros(3), 0.1, 0.0), "D_in must be positive"),
}


@pytest.mark.parametrize(("ask", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_had_is_refused_in_a_sentence(ask, says):
    """The message names the keyword and what would be right."""
    with pytest.raises(ValueError, match=says):
        ask()


def test_noise_keywords_reach_every_family():
    """noise= and hessian_noise= are keywords of every builder, by name or as a record; None keeps what there is."""
    builders = [getattr(families, name) for name in families.NAMES]
    assert all({"noise", "hessian_noise"} <= set(inspect.signature(build).parameters) for build in builders)
    for build in (families.cosine, families.resisting_ramp):
        plain, other = build(), build(noise=rademacher(), hessian_noise="symmetric")
        assert (plain.noise.gradient.name, plain.noise.hessian.name) == ("gaussian", "isotropic")
        assert (other.noise.gradient.name, other.noise.hessian.name) == ("rademacher", "symmetric")
        assert other.with_noise("gaussian").noise.hessian.name == "symmetric"
        featured = other.with_noise(random_feature())
        assert featured.noise.hessian.name == "random_feature"
        assert featured.with_noise("gaussian").noise.hessian.name == "isotropic"
        assert other.started_at(other.start).noise == other.noise
