"""The proofs of the families' constants: they hold, they fail when a number is off, and the lemma on shifts is true."""

import importlib
import itertools
import math

import numpy as np
import pytest
import sympy as sp
from flint import arb

from simulations import extremes, families
from simulations.families import _template
from theory import Constants

welsch, algebraic_tail = (
    importlib.import_module(f"simulations.families.{name}") for name in ("welsch", "algebraic_tail")
)

t = extremes.t
GAUSSIAN = (1 - sp.exp(-(t**2) / 2), sp.exp(-(t**2) / 2), sp.Integer(1))
WELSCH_JERK = math.sqrt(18 - 6 * math.sqrt(6)) * math.exp((math.sqrt(6) - 3) / 2)


def _failing(certificate):
    return [step.name for step in certificate.steps if not step.ok]


def test_the_numbers_of_the_gaussian_well_are_proved():
    """sup|psi''| = 1, sup|psi'''| = sqrt(18 - 6 sqrt 6) exp((sqrt 6 - 3)/2), |psi'| peaks at 1."""
    assert extremes.by_critical_points(*GAUSSIAN, bend=1.0, jerk=WELSCH_JERK, steepest=1.0).ok


@pytest.mark.parametrize("off", [1 - 1e-13, 1 + 1e-13])
@pytest.mark.parametrize("which", ["bend", "jerk", "steepest"])
def test_a_number_that_is_off_by_little_fails(which, off):
    """Each of the three numbers, too small or too large by one part in 10^13, fails in the step that is about it."""
    numbers = {"bend": 1.0, "jerk": WELSCH_JERK, "steepest": 1.0}
    numbers[which] *= off
    failing = _failing(extremes.by_critical_points(*GAUSSIAN, **numbers))
    assert failing and all({"bend": "psi''|", "jerk": "psi'''", "steepest": "t_0"}[which] in name for name in failing)


def test_a_function_beyond_the_lemma_fails():
    """Odd, with |psi''| largest away from 0, or with a second bump: no certificate."""
    cases = {
        "psi is even": (t * sp.exp(-(t**2) / 2), sp.exp(-(t**2) / 2)),
        "sup|psi''| is at 0": (t**4 * sp.exp(-(t**2) / 2), sp.exp(-(t**2) / 2)),
    }
    for failing, (psi, weight) in cases.items():
        certificate = extremes.by_critical_points(psi, weight, sp.Integer(1), 1.0, 1.0, 1.0)
        assert failing in _failing(certificate)


@pytest.mark.parametrize("q", [1.0001, 1.05, 2, 4, 30, 100])
def test_every_tail_brings_its_proof(q):
    """sup|psi'''| of the algebraic tails as a function of q."""
    assert families.algebraic_tail(dim=1, tasks=1, sigma=0, q=q).certificate().ok


@pytest.mark.parametrize("name", ["cosine", "welsch", "resisting_ramp", "quadratic"])
def test_certificates_hold_at_extreme_constants(name):
    """A = L^3/rho^2 from 1e-15 to 1e15."""
    for L, rho in itertools.product((1e-3, 1e3), repeat=2):
        asked = {"L": L, "rho": 0 if name == "quadratic" else rho}
        assert getattr(families, name)(sigma=1.0, tasks=4, dim=2, **asked).certificate().ok


def test_a_certificate_is_about_the_family_as_built():
    """A and omega that give another L or rho do not replay."""
    A, omega = welsch.SHAPE.family("welsch", 1, 1, Constants(1, 1), None, 0).shared
    for L, rho, failing in ((1 + 1e-12, 1.0, "psi''| = L"), (1.0, 1 - 1e-12, "psi'''| = rho")):
        (step,) = _failing(welsch.SHAPE._certificate("welsch", L, rho, A, omega))
        assert step.endswith(failing)


def _on_balls(expression):
    """A function of t on Arb balls."""
    return sp.lambdify(t, expression, modules=[{"exp": lambda x: x.exp()}, "math"])


SHAPES = {
    "welsch": (welsch.expression(t), 1.0),
    "template": (_template.expression(t), 1 / math.sqrt(3)),
    "tail, q = 3/2": (algebraic_tail.expression(t, sp.Rational(3, 2)), math.sqrt(2 / 3)),
    "tail, q = 4": (algebraic_tail.expression(t, 4), 0.5),
}
H, BEND_END, FAR = 0.005, 0.2, 6.0


def _middle_is_largest(psi, theta):
    """Whether |D(t)| <= |D(0)| for all t, D(t) = (psi'(t + theta) - psi'(t - theta))/2, decided by Arb balls.

    On [0, 0.2] balls of t see D''/D(0) < 0, so D falls from D(0), where D' = 0. On [0.2, 6] D is found on a grid,
    between whose points it changes by less than theta sup|psi'''| H/2; beyond, |D| <= theta |psi''(6 - theta)|, as
    psi'' has no critical point there.
    """
    slope, curvature, jerk = (_on_balls(sp.diff(psi, t, k)) for k in (1, 2, 3))
    theta = arb(float(theta))
    sign = 1 if slope(theta) > 0 else -1
    middle = abs(slope(theta))
    falls = all(
        sign * (jerk(near + theta) - jerk(near - theta)) < 0
        for near in (arb(x + H / 2, H / 2) for x in np.arange(0, BEND_END, H).tolist())
    )
    most = arb(4)
    assert all(abs(jerk(arb(x + H / 2, H / 2))) < most for x in np.arange(0, FAR + 1, H).tolist())
    slack = theta * most * H / 2
    aside = all(
        abs(slope(arb(x) + theta) - slope(arb(x) - theta)) / 2 + slack < middle
        for x in np.arange(BEND_END, FAR + H, H).tolist()
    )
    return falls and aside and theta * abs(curvature(FAR - theta)) < middle


@pytest.mark.parametrize("name", SHAPES)
def test_shifts_spread_the_gradients_most_in_the_middle(name):
    """The lemma of `simulations.extremes` by another way: interval arithmetic in t for several theta up to t_0."""
    psi, steepest = SHAPES[name]
    for share in (0.05, 0.4, 0.7, 1.0):
        assert _middle_is_largest(psi, share * steepest)


def test_wider_shifts_spread_them_more_elsewhere():
    """Well beyond t_0 the middle is not the place, and the balls see it."""
    assert not _middle_is_largest(welsch.expression(t), 2.0)
