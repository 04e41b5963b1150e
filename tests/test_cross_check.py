"""Every method's direction against its exact law: its mean and second moment, for every law that noise can have.

One cosine task or three on a line, so that the outcomes of noise are few: the nodes of a rule for each sample mean. The
laws below are written from the definitions, in one line each, and share nothing with the engine.
"""

import math

import numpy as np
import pytest
from blocks_of_draws import COUNT, excess
from scipy.special import roots_hermitenorm

from simulations import Experiment, engine_cpu, families
from simulations.noises import student_t

ALPHA, W, LAMBDA = 0.15, 0.7, 8.0
NOISES = {"gaussian": "gaussian", "rademacher": "rademacher", "t": student_t(nu=10)}
ONE, SEVERAL = (1, 1), (3, 2)
CASES = {
    **{"gaussian": ONE, "gaussian, several": SEVERAL},
    **{"rademacher": ONE, "rademacher, several": SEVERAL, "t": ONE},
}
NODES = 12


def family_of(noise, sigma_H=0.0):
    return families.cosine(
        dim=1, tasks=3, sigma=0.6, sigma_tilde=2.0, sigma_H=sigma_H, seed=3, noise=noise, hessian_noise="isotropic"
    )


class Task:
    """f_i' and f_i'' in numbers."""

    def __init__(self, family, i):
        self.A, self.omega = family.shared[:2]
        self.shift, self.tilt = family.table[:, i, 0]

    def slope(self, x):
        return self.A * self.omega * np.sin(self.omega * (x - self.shift)) + self.tilt

    def bend(self, x):
        return self.A * self.omega**2 * np.cos(self.omega * (x - self.shift))


def maml(f, inner, outer, hessian):
    h = f.slope(W - ALPHA * (f.slope(W) + inner)) + outer
    return (1 - ALPHA * (f.bend(W) + hessian)) * h


def fo_maml(f, inner, outer, hessian):
    return f.slope(W - ALPHA * (f.slope(W) + inner)) + outer


def hf_maml(f, inner, outer, hessian):
    h = f.slope(W - ALPHA * (f.slope(W) + inner)) + outer
    reach = (1 / 6) / ALPHA * np.sign(h)
    return h - ALPHA * (f.slope(W + reach) - f.slope(W - reach)) * np.abs(h) * ALPHA * 6 / 2


def multi_step(f, first, second, outer, one, two):
    w_1 = W - ALPHA * (f.slope(W) + first)
    w_2 = w_1 - ALPHA * (f.slope(w_1) + second)
    return (1 - ALPHA * (f.bend(W) + one)) * (1 - ALPHA * (f.bend(w_1) + two)) * (f.slope(w_2) + outer)


def reptile(f, first, second):
    return f.slope(W) + first + f.slope(W - ALPHA * (f.slope(W) + first)) + second


def imaml(f, inner, outer, hessian):
    phi = W
    for _ in range(60):
        phi = W - (f.slope(phi) + inner) / LAMBDA
    return (f.slope(phi) + outer) / (1 + (f.bend(phi) + hessian) / LAMBDA)


METHODS = {
    "maml": (maml, {}, ("inner", "outer", "hessian")),
    "fo_maml": (fo_maml, {}, ("inner", "outer", "hessian")),
    "hf_maml": (hf_maml, {}, ("inner", "outer", "hessian")),
    "multi_step": (multi_step, {"inner_steps": 2}, ("inner", "inner", "outer", "hessian", "hessian")),
    "reptile": (reptile, {"steps": 2}, ("inner", "inner")),
    "imaml": (imaml, {"lambda": LAMBDA, "tolerance": 1e-6}, ("inner", "outer", "hessian")),
}
HESSIAN_NOISE = {"maml": 1.5, "multi_step": 1.5}


def nodes(family, role, sizes):
    """Values and probabilities of the mean of the samples of a role."""
    if role == "hessian":
        x, p = roots_hermitenorm(7)
        return float(family.constants.sigma_H) * x, p / p.sum()
    return family.noise.gradient.law(float(family.constants.sigma_tilde), float(sizes[role]), 1).rule(NODES)


def law(name, family, sizes):
    """Means and variances of G and G^2."""
    direction, _, roles = METHODS[name]
    axes = [nodes(family, role, sizes) for role in roles]
    values = np.meshgrid(*(x.ravel() for x, _ in axes), indexing="ij")
    chances = math.prod(np.meshgrid(*(p.ravel() for _, p in axes), indexing="ij"))
    G = np.array([direction(Task(family, i), *values) for i in range(family.size)])
    powers = [float(np.tensordot(family.probabilities, G**k, 1).ravel() @ chances.ravel()) for k in (1, 2, 4)]
    return [powers[0], powers[1]], [powers[1] - powers[0] ** 2, powers[2] - powers[1] ** 2]


def sampled(name, family, sizes, **faults):
    """G of the engine, one a replicate."""
    given = {"D_in": sizes["inner"], "D_o": sizes["outer"], "D_h": 1 if family.constants.sigma_H else None}
    experiment = Experiment(
        family.started_at(np.array([W])), ALPHA, name, B=1, step=1.0, **given, iterations=1, replicates=COUNT, seed=8,
        method_options=METHODS[name][1],
    )  # fmt: skip
    plan = experiment.plan()._replace(last=2, norm_every=2, record_every=2, **faults)
    points = np.full((COUNT, 1), W)
    engine_cpu.advance(plan, points, np.ones(1), 1, 1)
    return W - points[:, 0]


def off(name, noise, batches, **faults):
    family = family_of(noise, HESSIAN_NOISE.get(name, 0.0))
    sizes = dict(zip(("inner", "outer"), batches, strict=True))
    G = sampled(name, family, sizes, **faults)
    return excess(np.column_stack([G, G**2]), *map(np.array, law(name, family, sizes)))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", METHODS)
def test_directions_have_their_exact_moments(name, case):
    assert off(name, NOISES[case.partition(",")[0]], CASES[case]) <= 1


@pytest.mark.parametrize("name", METHODS)
def test_noise_a_tenth_too_loud_is_seen(name):
    family = family_of("gaussian", HESSIAN_NOISE.get(name, 0.0))
    oracle = Experiment(family, ALPHA, name, B=1, step=1.0, method_options=METHODS[name][1]).plan().oracle
    assert off(name, "gaussian", ONE, oracle=oracle._replace(spread=oracle.spread * [1.1, 1])) > 1.2
