"""MAML (Finn, Abbeel and Levine 2017): the survey's objective (1), update (3) and stochastic meta-gradient (6)."""

from __future__ import annotations

import numpy as np

from simulations.kernels import DIRECTION, OBJECTIVE, callback
from simulations.method import Method
from simulations.philox import HESSIAN, INNER, OUTER, at


@callback(DIRECTION)
def direction(oracle, setting, w, picks, weights, address, work, out):
    """out = sum_r weights[r] (I - alpha H_i) h_i with i = picks[r], each factor from its own samples: (6).

    With exact oracles and every task weighted by its probability this is grad F: (5).
    work: (4, rows, d) scratch; row r of every part belongs to slot r of the batch.
    """
    rows, d = picks.size, w.size
    here, inner, outer, product = work[0, :rows], work[1, :rows], work[2, :rows], work[3, :rows]
    alpha = setting.alpha
    for r in range(rows):
        here[r] = w
    oracle.gradients(oracle.tasks, oracle.spread, here, picks, setting.D_in, at(address, INNER), inner)
    for r in range(rows):
        for j in range(d):
            inner[r, j] = w[j] - alpha * inner[r, j]
    oracle.gradients(oracle.tasks, oracle.spread, inner, picks, setting.D_o, at(address, OUTER), outer)
    oracle.products(oracle.tasks, oracle.spread, here, outer, picks, setting.D_h, at(address, HESSIAN), product)
    out[:] = 0.0
    for r in range(rows):
        for j in range(d):
            out[j] += weights[r] * (outer[r, j] - alpha * product[r, j])


@callback(OBJECTIVE)
def objective(tasks, law, setting, w, work):
    """F(w) = E_i f_i(w - alpha grad f_i(w)): (1)."""
    rows, d = law.probabilities.size, w.size
    here, inner = work[0, :rows], work[1, :rows]
    everyone = np.arange(rows)
    for r in range(rows):
        here[r] = w
    tasks.gradients(here, everyone, tasks.table, tasks.shared, inner)
    for r in range(rows):
        for j in range(d):
            inner[r, j] = w[j] - setting.alpha * inner[r, j]
    values = np.empty(rows)
    tasks.values(inner, everyone, tasks.table, tasks.shared, values)
    total = 0.0
    for r in range(rows):
        total += law.probabilities[r] * values[r]
    return total


METHOD = Method(direction=direction, gradient=direction, objective=objective, step_factor=12, source="FMO Theorem F.1")
