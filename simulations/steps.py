"""Step rules: the random rule of the papers, the same with the exact mean, and a schedule given in advance."""

from __future__ import annotations

import numpy as np

from simulations.blocks import gather, mean, norms, tile
from simulations.kernels import STEP, callback
from simulations.philox import STEP as STEP_ROLE
from simulations.philox import STEP_TASK, at, draw_tasks


@callback(STEP)
def sampled(oracle, rule, law, w, scheduled, address, work, picks, parameters):
    """1/(base + slope m), m the mean norm over a fresh batch of B_step tasks with D_step samples: FMO Lemma 4.11.

    work: (2, B_step, d), picks: (B_step,) and parameters: (parameters, B_step, d), scratch.
    """
    here, found = work[0], work[1]
    draw_tasks(law, at(address, STEP_TASK), picks)
    gather(oracle.tasks.table, picks, parameters)
    tile(w, here)
    oracle.gradients(oracle.tasks, oracle.spread, here, picks, parameters, rule.D_step, at(address, STEP_ROLE), found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    return 1.0 / (rule.base + rule.slope * mean(np.full(rule.B_step, 1.0 / rule.B_step), length))


@callback(STEP)
def exact(oracle, rule, law, w, scheduled, address, work, picks, parameters):
    """1/(base + slope E||grad f_i(w)||), the mean taken over all tasks. work: (2, tasks, d)."""
    tasks, here, found = oracle.tasks, work[0], work[1]
    tile(w, here)
    tasks.gradients(here, law.everyone, tasks.table, tasks.shared, found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    return 1.0 / (rule.base + rule.slope * mean(law.probabilities, length))


@callback(STEP)
def schedule(oracle, rule, law, w, scheduled, address, work, picks, parameters):
    """The step planned for this iteration."""
    return scheduled
