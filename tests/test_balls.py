"""Arb balls of cosine tasks: they hold what floats find, what other roads to the same numbers hold, and are narrow."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

from simulations import exact, families
from simulations.balls import square
from simulations.noises import GRADIENT
from theory import CLAIMS

CONSTANTS = {"L": "3/2", "rho": "4/5", "sigma": 0.5, "sigma_tilde": "7/10", "sigma_H": 0.6}
FIELDS = ("objective", "second", "task_norm", "task_second", "task_variance")
VECTORS = ("gradient", "mean", "bias", "mean_gradient")
BATCHES = (3, 2, 5)


def _family(**others):
    return families.cosine(**{"dim": 3, "tasks": 5, "seed": 2, **CONSTANTS, **others})


def _point(family, seed=0):
    generator = np.random.Generator(np.random.Philox(seed))
    return family.start + generator.standard_normal(family.dim)


def _all(found):
    return [getattr(found, name) for name in FIELDS] + [ball for name in VECTORS for ball in getattr(found, name)]


def _near(ball, value, slack):
    return abs(ball - arb(float(value))) <= slack


@pytest.mark.parametrize("name", GRADIENT)
def test_balls_hold_what_floats_find(name):
    """Every quantity of `exact` to 1e-13, which is rounding, for every noise."""
    family = _family(noise=name)
    for seed in range(3):
        w = _point(family, seed)
        found, floats = exact.balls(family, w, "1/6", *BATCHES), exact.moments(family, w, "1/6", *BATCHES)
        gradients = family.gradients(w)
        pairs = [
            (found.objective, exact.objective(family, w, "1/6")),
            (found.second, floats.second),
            (found.task_norm, exact.mean_norm(family, w)),
            *zip(found.mean, floats.mean, strict=True),
            *zip(found.bias, floats.bias, strict=True),
            *zip(found.gradient, exact.meta_gradient(family, w, "1/6"), strict=True),
            *zip(found.mean_gradient, family.probabilities @ gradients, strict=True),
        ]
        assert all(_near(ball, value, 1e-13) for ball, value in pairs)


@pytest.mark.parametrize("name", GRADIENT)
def test_balls_are_narrow_and_agree_at_two_precisions(name):
    """Widths below 2^-90 at 128 bits; those at 256 bits lie inside those at 64."""
    family = _family(noise=name)
    w = _point(family)
    coarse, usual, fine = (_all(exact.balls(family, w, "1/6", *BATCHES, precision=bits)) for bits in (64, 128, 256))
    with ctx.workprec(300):
        assert all(ball.rad() < arb(2) ** -90 for ball in usual)
        assert all(wide.contains(narrow.mid()) for wide, narrow in zip(coarse, fine, strict=True))
        assert all(wide.contains(narrow.mid()) for wide, narrow in zip(usual, fine, strict=True))


def _expected_by_integration(family, w, alpha, D_in):
    """E h_ij and E h_ij^2 with normal noise, the density integrated rigorously over 14 deviations."""
    A, omega = (arb(float(x)) for x in family.shared[:2])
    deviation = (arb(fmpq(7, 10)) ** 2 / 3 / D_in).sqrt()
    first, second = {}, {}
    for i, j in np.ndindex(family.size, family.dim):
        c, b = (arb(float(x)) for x in family.table[:, i, j])
        centre = arb(float(w[j]))
        centre -= alpha * (A * omega * (omega * (centre - c)).sin() + b)

        def weighted(z, _, power, centre=centre, c=c, b=b):
            slope = A * omega * (omega * (centre - alpha * deviation * z - c)).sin() + b
            return slope**power * (-z * z / 2).exp() / arb(2 * arb.pi()).sqrt()

        for power, out in ((1, first), (2, second)):
            total = acb.integral(lambda z, flag, p=power: weighted(z, flag, p), acb(-14), acb(14)).real
            out[i, j] = total + arb(0, 1e-40)
    return first, second


def test_balls_agree_with_rigorous_integration_of_the_normal_law():
    """E h and E h^2 by Arb's integrator, and (5), (6) put together anew; one point, two tasks."""
    family = families.cosine(dim=3, tasks=2, seed=2, shift_share=0, **CONSTANTS, noise="gaussian")
    w, D_in, D_o, D_h = _point(family), 2, 3, 5
    with ctx.workprec(128):
        alpha = arb(fmpq(1, 6))
        first, second = _expected_by_integration(family, w, alpha, D_in)
        A, omega = (arb(float(x)) for x in family.shared[:2])
        outer, hessian = arb(fmpq(49, 100)) / 3 / D_o, (alpha * arb(0.6)) ** 2 / D_h
        mean, total = [arb(0)] * 3, arb(0)
        for i, j in first:
            shrink = 1 - alpha * A * omega**2 * (omega * (arb(float(w[j])) - arb(float(family.table[0, i, j])))).cos()
            mean[j] += shrink * first[i, j] / 2
            total += (shrink**2 + hessian) * (second[i, j] + outer) / 2
        found = exact.balls(family, w, Fraction(1, 6), D_in, D_o, D_h)
        assert all(x.overlaps(y) and y.rad() < 1e-20 for x, y in zip(found.mean, mean, strict=True))
        assert found.second.overlaps(total) and total.rad() < 1e-20


def test_balls_agree_with_enumeration_of_signs():
    """E G and E||G||^2 by adding up the four outcomes of D_in = 2 signs in each coordinate, in balls."""
    family = _family(noise="rademacher", tasks=2)
    w = _point(family)
    with ctx.workprec(128):
        alpha, s = arb(fmpq(1, 6)), arb(fmpq(7, 10)) / arb(3).sqrt()
        A, omega = (arb(float(x)) for x in family.shared[:2])
        mean, total = [arb(0)] * 3, arb(0)
        for i, j in np.ndindex(2, 3):
            c, b = (arb(float(x)) for x in family.table[:, i, j])
            u = arb(float(w[j]))
            g, shrink = A * omega * (omega * (u - c)).sin() + b, 1 - alpha * A * omega**2 * (omega * (u - c)).cos()
            for noise in (s, arb(0), arb(0), -s):
                h = A * omega * (omega * (u - alpha * (g + noise) - c)).sin() + b
                mean[j] += shrink * h / 8
                total += shrink**2 * h * h / 8
        found = exact.balls(family, w, "1/6", 2)
        assert all(x.overlaps(y) for x, y in zip(found.mean, mean, strict=True)) and found.second.overlaps(total)
        assert total.rad() < 1e-30


def test_constants_of_the_tasks_are_the_declared_ones_to_rounding():
    """L, rho and sigma of the floats' own tasks, enclosed: within 1e-14 of what was asked for, and narrow."""
    for family in (_family(), _family(sigma=0), _family(dim=16, tasks=32), _family(tasks=4, shift_share=1)):
        found = exact.constant_balls(family)
        for name, ball in found.items():
            declared = float(Fraction(getattr(family.constants, name)))
            assert _near(ball, declared, 1e-14 * max(declared, 1e-2)) and ball.rad() < 1e-15


def test_sigma_is_the_supremum_of_the_task_variance():
    """For tasks whose tilts go along with their shifts, where the first harmonic matters: enclosed by brute force."""
    family = _family(dim=1, tasks=4)
    table = family.table + np.array([0.0, 1.0])[:, None, None] * np.array([0.3, -0.1, 0.2, -0.4])[None, :, None]
    skew = dataclasses.replace(family, table=table)
    seen = max(
        float(exact.balls(skew, np.array([x]), 0).task_variance) for x in np.linspace(0, 2 * math.pi * 1.875, 4001)
    )
    sigma = exact.constant_balls(skew)["sigma"]
    assert float(sigma.lower()) <= math.sqrt(seen) <= float(sigma.upper())
    assert sigma.rad() > 1e-3


def test_claims_are_decided_rigorously():
    """(7), (8), the bias bound and the smoothness of F at a point, as comparisons of balls; and a false one is seen."""
    family = _family()
    w, alpha, L = _point(family), Fraction(1, 9), arb(fmpq(3, 2))
    a = float(alpha) * 1.5
    found, constants = exact.balls(family, w, alpha, *BATCHES), exact.constant_balls(family)
    sigma_tilde2, sigma2 = constants["sigma_tilde"] ** 2, constants["sigma"] ** 2
    assert square(found.mean) <= 2 * square(found.gradient) + arb("0.08") * sigma_tilde2 / BATCHES[0]
    assert found.second <= (
        40 * square(found.gradient) + 14 * sigma2 + sigma_tilde2 * (arb(2) / BATCHES[1] + arb(1) / 6 / BATCHES[0])
    )
    first = (1 + arb(a)) * arb(a) * (sigma_tilde2 / BATCHES[0]).sqrt()
    second = (1 + arb(a)) * constants["rho"] * arb(fmpq(1, 9)) ** 2 * sigma_tilde2 / (2 * BATCHES[0])
    assert square(found.bias) <= first**2 and square(found.bias) <= second**2
    step = np.full(3, 2.0**-4)
    there = exact.balls(family, w + step, alpha)
    moved = square([x - y for x, y in zip(there.gradient, found.gradient, strict=True)])
    smooth = 4 * L + 2 * constants["rho"] * arb(fmpq(1, 9)) * found.task_norm
    assert moved <= smooth**2 * arb(3 * 2.0**-8) and not moved <= (L / 1000) ** 2 * arb(3 * 2.0**-8)
    assert not found.second <= square(found.mean)
    assert {"first-moment", "second-moment", "bias", "smoothness"} <= set(CLAIMS)


def test_other_families_are_refused():
    """One sentence."""
    ramp = families.resisting_ramp()
    for ask in (lambda: exact.balls(ramp, ramp.start, 0.1), lambda: exact.constant_balls(ramp)):
        with pytest.raises(ValueError, match=r"Arb balls are there for cosine tasks, .* got resisting_ramp"):
            ask()
    with pytest.raises(ValueError, match="D_o must be positive"):
        exact.balls(_family(), np.zeros(3), 0.1, 1, 0)
