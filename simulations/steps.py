"""Step rules: the random rule of the papers, the same with the exact mean, and a schedule given in advance."""

from __future__ import annotations

import numpy as np

from simulations.blocks import fill, gather, means, norms, one_over, tile
from simulations.kernels import STEP, callback
from simulations.philox import STEP as STEP_ROLE
from simulations.philox import STEP_TASK, at, draw_tasks


@callback(STEP)
def sampled(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """out = 1/(base + slope m), m the mean norm over a fresh batch of B_step tasks with D_step samples: FMO Lemma 4.11.

    work: (2, rows, d), picks: (rows,) and parameters: (parameters, rows, d), scratch, for B_step rows of each lane.
    """
    here, found = work[0], work[1]
    draw_tasks(law, at(address, STEP_TASK), picks)
    gather(oracle.tasks.table, picks, parameters)
    tile(w, here)
    oracle.gradients(oracle.tasks, oracle.spread, here, picks, parameters, rule.D_step, at(address, STEP_ROLE), found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    means(np.full(rule.B_step, 1.0 / rule.B_step), length, out)
    one_over(rule.base, rule.slope, out)


@callback(STEP)
def exact(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """out = 1/(base + slope E||grad f_i(w)||), the mean taken over all tasks, whose picks and parameters these are.

    work: (2, rows, d), all tasks of each lane.
    """
    tasks, here, found = oracle.tasks, work[0], work[1]
    tile(w, here)
    tasks.gradients(here, picks, parameters, tasks.shared, found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    means(law.probabilities, length, out)
    one_over(rule.base, rule.slope, out)


@callback(STEP)
def schedule(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """The step planned for this iteration."""
    fill(scheduled, out)
