"""`theory.sharpen`: the ladder's figures, proofs that fail when altered, and numerical attacks that know none of them.

The law of the random step is attacked by a linear programme over distributions, the Young weights by Nelder and Mead's
method on formulas written anew, the lower bounds by running the ramp.
"""

import math
from functools import cache

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import linprog, minimize

import theory
from theory import CLAIMS, OutsideDomain
from theory.claims import _sharpened
from theory.sharpening import LADDER

EXACT = {"D_in": None, "D_o": None, "lam": 0, "floor": math.inf}


@cache
def shown(title):
    return LADDER[title].show()


@cache
def sharpened(**options):
    return theory.sharpen(**options)


@pytest.mark.parametrize("title", LADDER)
def test_every_rung_is_proved_and_reaches_its_figure(title):
    rung, found = LADDER[title], shown(title)
    assert found.certificate().ok
    beyond = sp.Rational(rung.figure) - found.K
    assert beyond <= 0 if rung.lower else beyond >= 0


def test_the_ladder_goes_down_and_never_below_the_lower_bounds():
    same_floor = [shown(title).K for title in LADDER if shown(title).floor == 61]
    assert len(same_floor) == 7
    assert same_floor == sorted(same_floor, reverse=True)
    assert shown("exact step, lower bound").K <= shown("exact step, sharp S").K <= sp.Rational("1.015") * 48
    assert shown("random step, lower bound").K <= shown("random step, full batch").K <= sp.Rational("1.012") * 60


def test_figures_that_are_known_in_closed_form():
    known = {
        "exact step, published S": sp.Rational(1152, 23),
        "exact step, sharp S": 4 / (sp.Rational(1, 12) - sp.Rational(49, 36) / 4 / 288),
        "beta = 1/S(w)": sp.Rational(84, 25),
    }
    assert {title: shown(title).K for title in known} == known
    assert shown("beta = 1/S(w), C1").parts == (sp.Rational(49, 18), 2 * sp.Rational(7, 6) * sp.Rational(36, 23))


def test_the_claims_carry_what_the_search_finds():
    assert abs(sharpened().K - CLAIMS["iteration-bound"].sharp["K"]) < sp.Rational(1, 10**5)
    assert abs(sharpened(K=1600).floor - CLAIMS["noise-floor"].sharp["c"]) < sp.Rational(1, 10**5)
    assert sharpened().analysis.eta == _sharpened.ITERATIONS.eta


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        *[("K", 0.9999), ("floor", 0.99), ("k_L", 0.9999), ("k_rho", 0.999), ("mean", 0.99), ("square", 0.99)],
        *[("turn", 2), ("eta", 1.1), ("eta", 0.5), ("phi", 2)],
    ],
)
def test_an_altered_parameter_fails_the_replay(name, factor):
    found = sharpened()
    assert found.certificate().ok
    value = getattr(found.analysis, name)
    assert not found.certificate(**{name: value * sp.Rational(str(factor))}).ok


@pytest.mark.parametrize("name", ["k_L", "k_rho", "K", "mean"])
def test_an_altered_parameter_of_the_exact_step_fails_the_replay(name):
    found = sharpened(B=20, step="exact", **EXACT)
    assert not found.certificate(**{name: getattr(found.analysis, name) * sp.Rational("0.9999")}).ok


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"a": "1/5"}, OutsideDomain, "a = alpha L = 1/5"),
        ({"a": 0}, OutsideDomain, "0 < a"),
        ({"lam": 1}, OutsideDomain, "lam"),
        ({"B": 0}, ValueError, "B must be at least 1"),
        ({"B": None}, ValueError, "exact oracles"),
        ({"step": "best"}, ValueError, "step='best' is unknown"),
        ({"law": "normal"}, ValueError, "law='normal' is unknown"),
        ({"step": "sharp", "smoothness": "published"}, ValueError, "smoothness='sharp'"),
        ({"step_factor": 0}, ValueError, "step_factor must be positive"),
        ({"step_factor": 30, "step": "exact"}, ValueError, "smaller step factor"),
        ({"floor": 61, "K": 100}, ValueError, "either floor or K"),
        ({"floor": math.inf}, ValueError, "exact gradients"),
        ({"floor": "0.01"}, ValueError, "too low"),
        ({"K": 1}, ValueError, "cannot be shown"),
        ({"K": 70, "B": None, "D_in": None, "D_o": None, "lam": 0}, ValueError, "no noise"),
    ],
)
def test_refusals_are_one_sentence(options, error, words):
    with pytest.raises(error, match=words) as refusal:
        theory.sharpen(**options)
    assert "\n" not in str(refusal.value)


def _least_gain(y, B, grid, lone):
    """The least E[beta] - (S/2) W E[beta^2] over step distributions on a grid of L~, by linear programming."""
    a, cF = 1 / 6, 3 / 2
    S, W = (1 + a) ** 2 + (1 + a) * y, 1 - 1 / B + cF / B
    beta = 1 / (12 * grid)
    off, worst = grid - 4, math.inf
    for over in np.linspace(0, 1, 11):
        mean = 2 * y + over
        most = mean**2 + 8 + lone * (4 * y**2 + 1 - mean**2)
        rows, ends = np.vstack([np.ones_like(grid), off]), [1, mean]
        found = linprog(beta - S / 2 * W * beta**2, A_ub=[off**2], b_ub=[most], A_eq=rows, b_eq=ends)
        worst = min(worst, found.fun if found.success else math.inf)
    return worst


@pytest.mark.parametrize("B", [1, 20])
def test_a_linear_programme_over_step_distributions_agrees_from_below(B):
    found = sharpened(B=B, **EXACT)
    k_L, k_rho = map(float, found.parts)
    reach = float(found.setting.reach)
    for y in (0.0, 0.3, 1.0, 4.0, 30.0):
        centre = 5 + 2 * y
        grid = np.unique(np.concatenate([4 + np.geomspace(1e-3, 40 * centre, 250), np.linspace(4, 3 * centre, 400)]))
        for lone in (0, 1):
            assert _least_gain(y, B, grid, lone) >= (1 - 1e-9) / (k_L + k_rho * y / reach)
    grid = np.concatenate([np.linspace(4, 12, 801), np.geomspace(12.1, 400, 100)])
    K = 1 / min(_least_gain(0.0, B, grid, lone) for lone in (0, 1))
    assert float(found.K) - 0.05 <= K <= float(found.K) * (1 + 1e-9)


def test_the_weights_are_those_that_another_optimiser_finds():
    """The exact step at s = x = 0 with noise, floor 61: K by formulas written anew, over eta and phi."""
    a, lam, b, c = 1 / 6, 1 / 2, 1 / 20, 1 / 12
    p, bias = (1 + a) ** 2, (1 + a) * a

    def K(logs):
        eta, phi = np.exp(logs)
        stretch = (1 + phi) * (1 + lam / (1 - a) ** 2)
        cs, ci = stretch * (1 + a) ** 4, ((1 + a) ** 2 + lam) * (1 + 1 / phi) * a**2
        mean, square = c / 4, p / 2 * c**2 / 16
        gain = mean * (1 - eta / 2) - square * (1 - b + b * stretch / (1 - 2 * a))
        return (
            1 / (gain - square * max(cs, (1 + a) ** 2 + lam) / 61)
            if square * ((1 - b) * bias**2 + b * ci) <= (square * cs)
            else math.inf
        )

    found = sharpened(step="exact")
    least = minimize(K, np.log([1e-3, 1e-2]), method="Nelder-Mead").fun
    assert least * (1 - 1e-9) <= float(found.K) <= least * 1.002


@pytest.mark.parametrize(("B", "W"), [(None, 1.0), (20, 1.025)])
def test_the_best_factor_is_that_of_another_optimiser(B, W):
    """beta = c/(4 L + 2 rho alpha E||g||) with exact gradients: the L part at y = 0, the rho part as y grows."""
    p, r, reach = 49 / 36, 7 / 6, 36 / 25

    def K(c):
        return max(1 / (c / 4 - p * W * c**2 / 32), reach / (c / 2 - r * W * c**2 / 8))

    least = min(K(c) for c in np.linspace(1.5, 2.0, 5001))
    found = sharpened(B=B, step="exact", step_factor="best", **EXACT)
    assert least * (1 - 1e-7) <= float(found.K) <= least * 1.0005


def _walk(eps, slope, noise):
    """First k with |F'(w_k)| <= eps on the ramp of the lower bound: L = rho = Delta = 1, alpha = 1/6."""
    alpha, q, k = 1 / 6, math.sqrt(slope), 0

    def first(x):
        x = min(max(x, 0.0), 2 * q)
        return -slope + (x**2 / 2 if x <= q else slope - (2 * q - x) ** 2 / 2)

    def second(x):
        return min(x, 2 * q - x) if 0 < x < 2 * q else 0.0

    w = -alpha * slope - (1 - slope * q) / slope
    while True:
        g = first(w)
        meta = (1 - alpha * second(w)) * first(w - alpha * g)
        if abs(meta) <= eps:
            return k
        w -= meta / (12 * (4 + 2 * alpha * math.hypot(g, noise)))
        k += 1


@pytest.mark.parametrize(("rule", "noise", "upper"), [("exact", 0.0, 48.7), ("random", 3.0, 60.7)])
def test_the_ramp_needs_what_the_lower_bound_says_and_no_more_than_the_upper(rule, noise, upper):
    eps = 0.05
    at = {"L": 1, "rho": 1, "alpha": "1/6", "Delta": 1}
    claim = CLAIMS[f"iteration-bound-lower-{rule}"]
    steps = _walk(eps, 1.0001 * eps, noise)
    assert claim.evaluate("sharp", eps=1.0001 * eps, **at) <= steps <= upper * (1 + eps / 6) / eps**2
    assert steps <= 1.05 * claim.evaluate("sharp", eps=eps, **at)
