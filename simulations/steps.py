"""Step rules: the random rule of the papers, the same with the exact mean, and a schedule given in advance."""

from __future__ import annotations

import numpy as np

from simulations.kernels import STEP, callback
from simulations.philox import STEP as STEP_ROLE
from simulations.philox import STEP_TASK, at, draw_tasks
from simulations.sums import norm


@callback(STEP)
def sampled(oracle, rule, law, w, scheduled, address, work):
    """1/(base + slope m), m the mean norm over a fresh batch of B_step tasks with D_step samples: FMO Lemma 4.11."""
    picks = np.empty(rule.B_step, np.int64)
    draw_tasks(law.cumulative, at(address, STEP_TASK), picks)
    here, found = work[0, : rule.B_step], work[1, : rule.B_step]
    for r in range(rule.B_step):
        here[r] = w
    oracle.gradients(oracle.tasks, oracle.spread, here, picks, rule.D_step, at(address, STEP_ROLE), found)
    total = 0.0
    for r in range(rule.B_step):
        total += norm(found[r])
    return 1.0 / (rule.base + rule.slope * total / rule.B_step)


@callback(STEP)
def exact(oracle, rule, law, w, scheduled, address, work):
    """1/(base + slope E||grad f_i(w)||), the mean taken over all tasks."""
    rows = law.probabilities.size
    here, found = work[0, :rows], work[1, :rows]
    for r in range(rows):
        here[r] = w
    tasks = oracle.tasks
    tasks.gradients(here, np.arange(rows), tasks.table, tasks.shared, found)
    mean = 0.0
    for r in range(rows):
        mean += law.probabilities[r] * norm(found[r])
    return 1.0 / (rule.base + rule.slope * mean)


@callback(STEP)
def schedule(oracle, rule, law, w, scheduled, address, work):
    """The step planned for this iteration."""
    return scheduled
