"""The Numba engine: one algorithm over many replicates, each a function of its noise addresses alone.

Replicates are split over a thread pool and nothing is summed across them here, so results are the same bits for any
number of threads and any chunking of the iterations.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from simulations.blocks import copy, gather, norm
from simulations.kernels import COUNT, MATRIX, PICKS, PLAN, VECTOR, Address, Plan, compiled, types
from simulations.philox import TASK, draw_tasks


@compiled(types.void(PLAN, VECTOR, COUNT, COUNT, COUNT, MATRIX, PICKS, MATRIX, MATRIX, MATRIX))
def _advance(plan, scheduled, start, first, stop, w, diverged, norms, objectives, steps):
    """Iterations start, start + 1, ... (one for each scheduled step) of replicates first, ..., stop - 1, in place."""
    (parameters, tasks, d), B_step = plan.oracle.tasks.table.shape, plan.rule.B_step
    everyone, probabilities, table = plan.law.everyone, plan.law.probabilities, plan.oracle.tasks.table
    picks, step_picks = np.empty(plan.B, np.int64), np.empty(B_step, np.int64)
    picked, step_picked = np.empty((parameters, plan.B, d)), np.empty((parameters, B_step, d))
    shares = np.full(plan.B, 1.0 / max(plan.B, 1))
    work = np.empty((plan.slots, plan.B if plan.B > 0 else tasks, d))
    exact_work = np.empty((plan.slots, tasks, d))
    step_work = np.empty((2, B_step if B_step > 0 else tasks, d))
    gradient, update = np.empty(d), np.empty(d)
    for r in range(first, stop):
        point = w[r]
        for offset in range(scheduled.size):
            if diverged[r] >= 0:
                break
            k = start + offset
            address = Address(plan.seed, np.uint64(r), np.uint64(k), TASK)
            noted = k % plan.record_every == 0
            if plan.reuse or noted or k % plan.norm_every == 0:
                plan.gradient(
                    plan.oracle, plan.exact, point, everyone, table, probabilities, address, exact_work, gradient
                )
                norms[offset, r] = norm(gradient)
                if not np.isfinite(norms[offset, r]):
                    diverged[r] = k
                    break
            if noted:
                objectives[offset, r] = plan.objective(plan.oracle.tasks, plan.law, plan.exact, point, exact_work)
            if k == plan.last:
                continue
            if plan.reuse:
                copy(gradient, update)
            elif plan.B == 0:
                plan.direction(plan.oracle, plan.setting, point, everyone, table, probabilities, address, work, update)
            else:
                draw_tasks(plan.law, address, picks)
                gather(table, picks, picked)
                plan.direction(plan.oracle, plan.setting, point, picks, picked, shares, address, work, update)
            step = plan.step(
                plan.oracle, plan.rule, plan.law, point, scheduled[offset], address, step_work, step_picks, step_picked
            )
            steps[offset, r] = step
            for j in range(d):
                point[j] -= step * update[j]
            if not np.isfinite(norm(point)):
                diverged[r] = k + 1


def advance(
    plan: Plan, w: np.ndarray, scheduled: np.ndarray, start: int, threads: int, diverged: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Run iterations start, ..., start + len(scheduled) - 1 on every replicate.

    Args:
        plan: the algorithm and its tasks.
        w: (replicates, d), the points before; holds the points after when this returns.
        scheduled: (iterations,), planned steps, used by the scheduled step rule only.
        start: number of the first iteration.
        threads: how many to use; results do not depend on it.
        diverged: (replicates,), the first iteration at which the point or ||grad F|| is not finite, -1 where there was
            none; updated. A diverged replicate stands still.

    Returns:
        norms, objectives, steps: each (iterations, replicates), NaN where the plan does not ask for the value, and
        after divergence.
    """
    replicates = w.shape[0]
    if diverged is None:
        diverged = np.full(replicates, -1)
    found = tuple(np.full((scheduled.size, replicates), np.nan) for _ in range(3))
    edges = np.linspace(0, replicates, min(threads, replicates) + 1).astype(int)
    if len(edges) == 2:
        _advance(plan, scheduled, start, 0, replicates, w, diverged, *found)
        return found
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        blocks = [
            pool.submit(_advance, plan, scheduled, start, first, stop, w, diverged, *found)
            for first, stop in pairwise(edges)
        ]
        for block in blocks:
            block.result()
    return found
