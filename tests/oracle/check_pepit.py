"""At alpha = 0, with exact gradients and one task, MAML is gradient descent, whose worst case PEPit certifies.

PEPit solves a semidefinite programme for the largest min_k ||grad f(w_k)||^2, k = 0, ..., n, of any L-smooth f with
f(w_0) - f(w_n) <= 1. Our descent lemma (9) bounds it from above, our ramp from below. `make test-oracle` runs this.
"""

from fractions import Fraction

import pytest
from PEPit.examples.nonconvex_optimization import wc_gradient_descent

from simulations import Experiment, families, run
from theory import CLAIMS

STEPS = 8  # PEPit's solver is good to some 1e-5
BETAS = ["1/48", "1/12", "1/4", "1/2", "1"]


def bound(beta: Fraction, n: int) -> float:
    """n times the decrease that (9) grants in one step from a gradient of norm 1, inverted."""
    rise = CLAIMS["descent-lemma"].evaluate("sharp", L=1, rho=1, alpha=0, mean_grad=1, distance=beta)
    return 1 / (n * (float(beta) - rise))


def reached(beta: Fraction, n: int) -> float:
    """min_k ||grad f(w_k)||^2 over the decrease on a ramp so long that its foot is not near after n steps."""
    ramp = families.resisting_ramp(eps=0.01, Delta=1.0)
    record = run(Experiment(ramp, alpha=0, step=float(beta), iterations=n)).frame
    assert record.iteration.iloc[-1] == n
    return record.grad_norm.min() ** 2 / (record.objective.iloc[0] - record.objective.iloc[-1])


@pytest.mark.parametrize("beta", BETAS)
def test_ramp_and_descent_lemma_bracket_the_certified_worst_case(beta):
    step = Fraction(beta)
    certified, _ = wc_gradient_descent(L=1, gamma=float(step), n=STEPS, verbose=0)
    low, high = reached(step, STEPS), bound(step, STEPS)
    print(f"beta L = {beta:>4}: ramp {low:.4f}, PEPit {certified:.4f}, bound {high:.4f}")
    assert low <= certified * (1 + 1e-5) and certified <= high * (1 + 1e-5)
    assert high <= low / (1 - step / 2) * (1 + 1e-9)


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_the_certified_decrease_of_a_step_lies_between_the_two(n):
    """PEPit grants beta (1 - beta L/4) ||grad f||^2 a step, by the gradients at both ends; (9) knows one: beta L/2."""
    step = Fraction("1/4")
    certified, _ = wc_gradient_descent(L=1, gamma=float(step), n=n, verbose=0)
    assert abs(certified * n * step * (1 - step / 4) - 1) < 1e-4
    assert reached(step, n) < certified < bound(step, n)


def test_a_bound_of_less_would_be_caught():
    step = Fraction("1/4")
    certified, _ = wc_gradient_descent(L=1, gamma=float(step), n=STEPS, verbose=0)
    assert certified > 0.9 * bound(step, STEPS)
