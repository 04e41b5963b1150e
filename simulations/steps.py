"""Step rules: the random rule of the papers, the same with the exact mean, and a schedule given in advance."""

from __future__ import annotations

from simulations.blocks import gather, norm, tile
from simulations.kernels import STEP, callback
from simulations.philox import STEP as STEP_ROLE
from simulations.philox import STEP_TASK, at, draw_tasks


@callback(STEP)
def sampled(oracle, rule, law, w, scheduled, address, work, picks, parameters):
    """1/(base + slope m), m the mean norm over a fresh batch of B_step tasks with D_step samples: FMO Lemma 4.11.

    picks: (B_step,) and parameters: (parameters, B_step, d), scratch.
    """
    draw_tasks(law, at(address, STEP_TASK), picks)
    gather(oracle.tasks.table, picks, parameters)
    here, found = work[0, : picks.size], work[1, : picks.size]
    tile(w, here)
    oracle.gradients(oracle.tasks, oracle.spread, here, picks, parameters, rule.D_step, at(address, STEP_ROLE), found)
    total = 0.0
    for r in range(picks.size):
        total += norm(found[r])
    return 1.0 / (rule.base + rule.slope * total / picks.size)


@callback(STEP)
def exact(oracle, rule, law, w, scheduled, address, work, picks, parameters):
    """1/(base + slope E||grad f_i(w)||), the mean taken over all tasks."""
    tasks = oracle.tasks
    rows = law.probabilities.size
    here, found = work[0, :rows], work[1, :rows]
    tile(w, here)
    tasks.gradients(here, law.everyone, tasks.table, tasks.shared, found)
    mean = 0.0
    for r in range(rows):
        mean += law.probabilities[r] * norm(found[r])
    return 1.0 / (rule.base + rule.slope * mean)


@callback(STEP)
def schedule(oracle, rule, law, w, scheduled, address, work, picks, parameters):
    """The step planned for this iteration."""
    return scheduled
