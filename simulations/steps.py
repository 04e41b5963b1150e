"""Step rules: the random rule of the papers, the same with the exact mean, and a schedule given in advance."""

from __future__ import annotations

import numpy as np

from simulations.blocks import gather, means, norms, tile
from simulations.kernels import STEP, callback
from simulations.noise import deviation
from simulations.philox import STEP as STEP_ROLE
from simulations.philox import STEP_TASK, at, draw_tasks, lengthen


@callback(STEP)
def sampled(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """1/(base + slope m), m the mean norm over a fresh batch of B_step tasks with D_step samples: FMO Lemma 4.11.

    work: (2, lanes B_step, d), picks: (lanes B_step,) and parameters: (parameters, lanes B_step, d), scratch.
    """
    here, found = work[0], work[1]
    draw_tasks(law, at(address, STEP_TASK), picks)
    gather(oracle.tasks.table, picks, parameters)
    tile(w, here)
    oracle.gradients(oracle.tasks, oracle.spread, here, picks, parameters, rule.D_step, at(address, STEP_ROLE), found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    means(np.full(rule.B_step, 1.0 / rule.B_step), length, out)
    out[:] = 1.0 / (rule.base + rule.slope * out)


@callback(STEP)
def merged(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """`sampled` with two numbers a task in the place of d: ||m + s xi||^2 = (||m|| + s z)^2 + s^2 chi^2_{d-1}.

    xi has no preferred direction: z is its part along m, and what is left is independent of z and has d - 1 dimensions.
    d >= 3.
    """
    here, found = work[0], work[1]
    draw_tasks(law, at(address, STEP_TASK), picks)
    gather(oracle.tasks.table, picks, parameters)
    tile(w, here)
    oracle.tasks.gradients(here, picks, parameters, oracle.tasks.shared, found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    d = w.shape[-1]
    lengthen(length, deviation(oracle.spread, d, rule.D_step), d, rule.B_step, at(address, STEP_ROLE))
    means(np.full(rule.B_step, 1.0 / rule.B_step), length, out)
    out[:] = 1.0 / (rule.base + rule.slope * out)


@callback(STEP)
def exact(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """1/(base + slope E||grad f_i(w)||), the mean taken over all tasks: picks and parameters are theirs.

    work: (2, lanes tasks, d).
    """
    tasks, here, found = oracle.tasks, work[0], work[1]
    tile(w, here)
    tasks.gradients(here, picks, parameters, tasks.shared, found)
    length = np.empty(found.shape[:-1])
    norms(found, length)
    means(law.probabilities, length, out)
    out[:] = 1.0 / (rule.base + rule.slope * out)


@callback(STEP)
def schedule(oracle, rule, law, w, scheduled, address, work, picks, parameters, out):
    """The step planned for this iteration."""
    out[:] = scheduled
