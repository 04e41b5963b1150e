"""`theory.plan`: batches are the minimum over the integers, below the noise floor, and cost what is said."""

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import sympy as sp

import theory
from theory import CLAIMS, OutsideDomain
from theory import symbols as s
from theory.sharpening.batches import NOISE, Noise, leading_cost

CASE = {"eps": "1/10", "L": 1, "rho": 1, "alpha": "1/6", "Delta": 1, "sigma": "1/2", "sigma_tilde": "1/2", "sigma_H": 3}


@cache
def planned(**changed):
    return theory.plan(**{**CASE, **changed})


def _brute(noise, cap):
    best = math.inf
    for D_in in range(1, cap):
        left = noise.N - noise.inner2 / D_in
        for D_o in range(1, cap) if left > 0 else ():
            B = max(noise.least_B, math.ceil((noise.sigma2 + noise.outer2 / D_o) / left))
            best = min(best, B * (D_in + D_o + noise.D_h))
    return best


def test_no_batches_of_a_brute_search_are_cheaper():
    generator = np.random.Generator(np.random.Philox(3))
    for _ in range(25):
        low, high = generator.integers(0, 10, 4), generator.integers(1, 10, 4)
        numbers = (Fraction(int(n) + (k > 0), int(d)) for k, (n, d) in enumerate(zip(low, high, strict=True)))
        noise = Noise(*numbers, D_h=int(generator.integers(1, 6)), least_B=int(generator.choice([1, 2, 20])))
        B, D_in, D_o = noise.smallest()
        left = noise.sigma2 / B + noise.outer2 / (B * D_o) + noise.inner2 / D_in
        assert left <= noise.N
        assert noise.least_B <= B
        assert B * (D_in + D_o + noise.D_h) <= _brute(noise, 90)


@pytest.mark.parametrize(("sigma2", "tilde2", "least_B"), [(1, 2, 20), (0, 2, 5), (3, 0, 1)])
def test_the_leading_cost_is_the_limit_of_the_minimum(sigma2, tilde2, least_B):
    N = Fraction(1, 10**5)
    B, D_in, D_o = Noise(Fraction(sigma2), Fraction(tilde2), Fraction(tilde2), N, D_h=1, least_B=least_B).smallest()
    at = {
        s.sigma: sp.sqrt(sigma2),
        s.sigma_tilde: sp.sqrt(tilde2),
        NOISE: sp.Rational(1, 10**5),
        s.B: least_B,
        s.D_h: 1,
    }
    assert float(leading_cost(bool(sigma2), bool(tilde2)).subs(at)) == pytest.approx(B * (D_in + D_o + 1), rel=2e-2)


def test_a_plan_keeps_the_hypotheses_of_the_theorem_and_its_bound():
    plan = planned(floor=61)
    values = {"L": 1, "rho": 1, "sigma": "1/2", "sigma_tilde": "1/2", "sigma_H": 3, "Delta": 1}
    batches = {name: getattr(plan, name) for name in ("B", "D_in", "D_o", "D_h", "B_step", "D_step", "alpha", "eps")}
    claimed = CLAIMS["iteration-bound"].evaluate("sharp", **values, **batches)
    assert float(plan.T) <= claimed <= float(plan.T) * 1.01
    assert plan.shown.certificate().ok
    assert plan.samples == int(plan.T) * (plan.B * (plan.D_in + plan.D_o + plan.D_h) + plan.B_step * plan.D_step)


def test_the_cheapest_floor_takes_fewer_samples_than_the_published_one_or_its_neighbours():
    best = planned()
    assert 0 < best.N <= best.N_bound
    assert best.samples * 1000 < planned(floor=61).samples
    cost = {c: planned(floor=c).shown.K * sp.Rational(c) ** 2 for c in ("1/5", 61)}
    assert best.shown.K * best.shown.floor**2 <= min(cost.values())


@pytest.mark.parametrize(
    ("changed", "exponent"), [({}, 6), ({"sigma": 0}, 4), ({"sigma_tilde": 0}, 4), ({"sigma": 0, "sigma_tilde": 0}, 2)]
)
def test_the_exponent_of_the_samples(changed, exponent):
    plan = planned(step="exact", **changed)
    assert plan.exponent == exponent
    assert f"eps^-{exponent}" in str(plan)
    assert plan.samples_an_iteration == plan.B * plan.samples_a_task


def test_the_best_factor_needs_fewer_samples():
    best, usual = (planned(step="exact", step_factor=c, sigma_tilde=0, floor=61) for c in ("best", None))
    assert best.samples < usual.samples / 10
    assert best.step_factor > 1
    assert planned(step="exact", step_factor="best", sigma_tilde=0).shown.floor == 61


@pytest.mark.parametrize(("method", "claim"), [("fo-maml", "fo-maml-rate"), ("hf-maml", "hf-maml-rate")])
def test_the_other_methods_keep_the_hypotheses_of_their_own_claims(method, claim):
    plan = planned(method=method, alpha="1/10", eps="3/2", Delta=10)
    values = {"L": 1, "rho": 1, "sigma": "1/2", "sigma_tilde": "1/2", "sigma_H": 3, "Delta": 10}
    batches = {name: getattr(plan, name) for name in ("B", "D_in", "D_o", "D_h", "B_step", "D_step", "alpha", "eps")}
    claimed = CLAIMS[claim].evaluate("sharp", **values, **batches, zeta=min(1 / 6, plan.B**-0.5))
    assert float(plan.T) == pytest.approx(claimed)
    assert plan.exponent == (sp.oo if method == "fo-maml" else 6)
    assert 0 < plan.N <= plan.N_bound
    with pytest.raises(ValueError, match="its own step"):
        planned(method=method, alpha="1/10", eps="3/2", floor=3)


def test_no_batch_takes_first_order_maml_below_its_drift():
    with pytest.raises(OutsideDomain, match="sigma alone"):
        planned(method="fo-maml", alpha="1/10", eps="1/100")


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"alpha": 1}, OutsideDomain, "a = alpha L = 1"),
        ({"eps": 0}, ValueError, "eps must be positive"),
        ({"alpha": "inf"}, ValueError, "alpha must be positive and finite"),
        ({"sigma": -1}, ValueError, "sigma must be finite and not negative"),
        ({"method": "reptile"}, ValueError, "method 'reptile' is unknown"),
        ({"least_B": "5/2"}, ValueError, "least_B must be a whole number"),
        ({"floor": math.inf}, ValueError, "floor=inf"),
        ({"step": "slow"}, ValueError, "step='slow' is unknown"),
    ],
)
def test_refusals_are_one_sentence(changed, error, words):
    with pytest.raises(error, match=words) as refusal:
        planned(**changed)
    assert "\n" not in str(refusal.value)
