"""MAML (Finn, Abbeel and Levine 2017): the survey's objective (1), update (3) and stochastic meta-gradient (6)."""

from __future__ import annotations

import numpy as np

from simulations.blocks import add, fill, means, step_back, tile, weighted_products, weighted_sum
from simulations.kernels import DIRECTION, OBJECTIVE, callback
from simulations.method import Method, no_options, one_step_smoothness
from simulations.philox import HESSIAN, INNER, OUTER, at


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """out += sum_r weights[r] (I - alpha H_i) h_i with i = picks[r], each factor from its own samples: (6).

    With exact oracles and every task weighted by its probability this is grad F: (5).
    work: (4, rows, d) scratch.
    """
    here, inner, outer, product = work[0], work[1], work[2], work[3]
    tasks, spread, alpha = oracle.tasks, oracle.spread, setting.alpha
    tile(w, here)
    oracle.gradients(tasks, spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
    step_back(here, alpha, inner)
    oracle.gradients(tasks, spread, inner, picks, parameters, setting.D_o, at(address, OUTER), outer)
    oracle.products(tasks, spread, here, outer, picks, parameters, setting.D_h, at(address, HESSIAN), product)
    add(-alpha, product, outer)
    weighted_sum(weights, outer, out)


@callback(DIRECTION)
def merged(oracle, setting, w, picks, parameters, weights, address, work, out, squares):
    """`direction` but for the outer noise, and the squared weights of that noise: exact where Hessians are diagonal.

    Given w, the tasks, the inner noise and the Hessian noise, G = sum_r weights[r] A_r (h_r + s xi_r) with diagonal
    A_r = I - alpha H~_r, none of which depends on the independent standard normal xi_r: so G is normal with mean
    sum_r weights[r] A_r h_r and independent coordinates of variance s^2 sum_r (weights[r] A_r)^2, one vector's worth.
    """
    here, inner, factor, product = work[0], work[1], work[2], work[3]
    tasks, spread, alpha = oracle.tasks, oracle.spread, setting.alpha
    tile(w, here)
    oracle.gradients(tasks, spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
    step_back(here, alpha, inner)
    fill(1.0, factor)
    oracle.products(tasks, spread, here, factor, picks, parameters, setting.D_h, at(address, HESSIAN), product)
    add(-alpha, product, factor)
    tasks.gradients(inner, picks, parameters, tasks.shared, product)
    weighted_products(weights, factor, product, out, squares)


@callback(OBJECTIVE)
def objective(tasks, law, setting, w, picks, parameters, work, out):
    """out = F(w) = E_i f_i(w - alpha grad f_i(w)), all tasks in a row: (1)."""
    here, inner = work[0], work[1]
    tile(w, here)
    tasks.gradients(here, picks, parameters, tasks.shared, inner)
    step_back(here, setting.alpha, inner)
    values = np.empty(inner.shape[:-1])
    tasks.values(inner, picks, parameters, tasks.shared, values)
    means(law.probabilities, values, out)


METHOD = Method(
    direction=direction,
    merged=merged,
    gradient=direction,
    objective=objective,
    options=no_options(slots=4),
    source="FMO Theorem F.1",
    step_factor=12,
    smoothness=one_step_smoothness,
)
