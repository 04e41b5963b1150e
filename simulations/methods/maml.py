"""MAML (Finn, Abbeel and Levine 2017): the survey's objective (1), update (3) and stochastic meta-gradient (6)."""

from __future__ import annotations

import numpy as np

from simulations.blocks import tile, weighted_sum
from simulations.kernels import DIRECTION, OBJECTIVE, callback
from simulations.method import Method
from simulations.philox import HESSIAN, INNER, OUTER, at


@callback(DIRECTION)
def direction(oracle, setting, w, picks, parameters, weights, address, work, out):
    """out = sum_r weights[r] (I - alpha H_i) h_i with i = picks[r], each factor from its own samples: (6).

    With exact oracles and every task weighted by its probability this is grad F: (5).
    work: (4, rows or more, d) scratch.
    """
    rows = picks.size
    here, inner, outer, product = work[0, :rows], work[1, :rows], work[2, :rows], work[3, :rows]
    tasks, spread, alpha = oracle.tasks, oracle.spread, setting.alpha
    tile(w, here)
    oracle.gradients(tasks, spread, here, picks, parameters, setting.D_in, at(address, INNER), inner)
    start, moved = here.ravel(), inner.ravel()
    for e in range(moved.size):
        moved[e] = start[e] - alpha * moved[e]
    oracle.gradients(tasks, spread, inner, picks, parameters, setting.D_o, at(address, OUTER), outer)
    oracle.products(tasks, spread, here, outer, picks, parameters, setting.D_h, at(address, HESSIAN), product)
    first, second = outer.ravel(), product.ravel()
    for e in range(first.size):
        first[e] -= alpha * second[e]
    weighted_sum(weights, outer, out)


@callback(OBJECTIVE)
def objective(tasks, law, setting, w, work):
    """F(w) = E_i f_i(w - alpha grad f_i(w)): (1)."""
    rows = law.probabilities.size
    here, inner = work[0, :rows], work[1, :rows]
    tile(w, here)
    tasks.gradients(here, law.everyone, tasks.table, tasks.shared, inner)
    start, moved = here.ravel(), inner.ravel()
    for e in range(moved.size):
        moved[e] = start[e] - setting.alpha * moved[e]
    values = np.empty(rows)
    tasks.values(inner, law.everyone, tasks.table, tasks.shared, values)
    total = 0.0
    for r in range(rows):
        total += law.probabilities[r] * values[r]
    return total


METHOD = Method(direction=direction, gradient=direction, objective=objective, step_factor=12, source="FMO Theorem F.1")
