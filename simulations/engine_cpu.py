"""The Numba engine: one algorithm over many replicates, each a function of its noise addresses alone.

Replicates go through the kernels in blocks: several at once where d is small, a few rows of a batch at a time where it
is large, so that a block fills vector registers and stays in the nearest caches. They are split over a thread pool and
nothing is summed across them here, so results are the same bits for any number of threads, any blocks and any chunking
of the iterations.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from simulations.blocks import gather, norm
from simulations.kernels import COUNT, MATRIX, PICKS, PLAN, VECTOR, Address, Plan, compiled, inlined, types
from simulations.noise import outer_noise
from simulations.philox import TASK, draw_tasks, spanning

BLOCK = 4096
MOST_LANES = 64


def blocks(rows: int, d: int) -> tuple[int, int]:
    """Replicates in a block, and rows of one batch in a block, for batches of up to these many rows."""
    lanes = min(max(BLOCK // (rows * d), 1), MOST_LANES)
    return lanes, rows if lanes > 1 else max(BLOCK // d, 1)


@inlined
def _room(plan, rows, lanes):
    """Parameters and scratch for a block of `rows` rows of each lane."""
    parameters, _, d = plan.oracle.tasks.table.shape
    return np.empty((parameters, lanes * rows, d)), np.empty((plan.slots, lanes * rows, d))


@inlined
def _direction(merge, kernel, plan, setting, w, picks, weights, address, room, rest, out, squares):
    """The update direction of every lane, as many rows of the batch at a time as there is room for.

    Where draws are merged, one normal vector takes the place of the outer noise of all rows.
    """
    lanes, rows = w.shape[0], weights.size
    most = room[0].shape[1] // lanes
    out[:] = 0.0
    squares[:] = 0.0
    for first in range(0, rows, most):
        stop = min(first + most, rows)
        parameters, work = room if stop - first == most else rest
        picked = picks[lanes * first : lanes * stop]
        gather(plan.oracle.tasks.table, picked, parameters)
        place = spanning(address, lanes, first)
        if merge:
            plan.merged(plan.oracle, setting, w, picked, parameters, weights[first:stop], place, work, out, squares)
        else:
            kernel(plan.oracle, setting, w, picked, parameters, weights[first:stop], place, work, out)
    if merge:
        outer_noise(plan.oracle, setting, squares, address, out)


@compiled(types.void(PLAN, VECTOR, COUNT, COUNT, COUNT, MATRIX, PICKS, MATRIX, MATRIX, MATRIX))
def _advance(plan, scheduled, start, first, stop, w, diverged, norms, objectives, steps):
    """Iterations start, start + 1, ... (one for each scheduled step) of replicates first, ..., stop - 1, in place."""
    (parameters, tasks, d), B_step, B = plan.oracle.tasks.table.shape, plan.rule.B_step, plan.B
    table, law = plan.oracle.tasks.table, plan.law
    shares, rows = np.full(B, 1.0 / max(B, 1)), B if B > 0 else tasks
    step_rows = B_step if B_step > 0 else tasks
    lanes = 0
    for r in range(first, stop, plan.lanes):
        if lanes != min(plan.lanes, stop - r):
            lanes = min(plan.lanes, stop - r)
            most, exact_most = min(plan.tile, rows), min(plan.tile, tasks)
            room, exact_room = _room(plan, most, lanes), _room(plan, exact_most, lanes)
            rest, exact_rest = _room(plan, rows % most, lanes), _room(plan, tasks % exact_most, lanes)
            picks, step_picks = np.empty(lanes * B, np.int64), np.empty(lanes * step_rows, np.int64)
            everyone = np.empty(lanes * tasks, np.int64)
            for e in range(everyone.size):
                everyone[e] = e % tasks
            whole = np.empty((parameters, lanes * tasks, d))
            gather(table, everyone, whole)
            whole_work = np.empty((plan.slots, lanes * tasks, d))
            step_table, step_work = np.empty((parameters, lanes * step_rows, d)), np.empty((2, lanes * step_rows, d))
            if B_step == 0:
                step_picks[:] = everyone
                step_table[:] = whole
            gradient, update, squares = np.empty((lanes, d)), np.empty((lanes, d)), np.empty((lanes, d))
            objective, step = np.empty(lanes), np.empty(lanes)
        points, out_of_sight = w[r : r + lanes], diverged[r : r + lanes]
        for offset in range(scheduled.size):
            if out_of_sight.min() >= 0:
                break
            k = start + offset
            address = spanning(Address(plan.seed, np.uint64(r), np.uint64(k), TASK), lanes, 0)
            noted = k % plan.record_every == 0
            if plan.reuse or noted or k % plan.norm_every == 0:
                _direction(
                    0, plan.gradient, plan, plan.exact, points, everyone, law.probabilities, address,
                    exact_room, exact_rest, gradient, squares,
                )  # fmt: skip
                for l in range(lanes):
                    length = norm(gradient[l])
                    if out_of_sight[l] < 0:
                        norms[offset, r + l] = length
                        if not np.isfinite(length):
                            out_of_sight[l] = k
            if noted:
                plan.objective(plan.oracle.tasks, law, plan.exact, points, everyone, whole, whole_work, objective)
                for l in range(lanes):
                    if out_of_sight[l] < 0:
                        objectives[offset, r + l] = objective[l]
            if k == plan.last:
                continue
            if plan.reuse:
                update[:] = gradient
            elif B == 0:
                _direction(
                    plan.merge, plan.direction, plan, plan.setting, points, everyone, law.probabilities, address,
                    room, rest, update, squares,
                )  # fmt: skip
            else:
                draw_tasks(law, address, picks)
                _direction(
                    plan.merge, plan.direction, plan, plan.setting, points, picks, shares, address,
                    room, rest, update, squares,
                )  # fmt: skip
            plan.step(
                plan.oracle, plan.rule, law, points, scheduled[offset], address, step_work, step_picks, step_table, step
            )
            for l in range(lanes):
                if out_of_sight[l] < 0:
                    steps[offset, r + l] = step[l]
                    for j in range(d):
                        points[l, j] -= step[l] * update[l, j]
                    if not np.isfinite(norm(points[l])):
                        out_of_sight[l] = k + 1


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
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        blocks = [
            pool.submit(_advance, plan, scheduled, start, first, stop, w, diverged, *found)
            for first, stop in pairwise(edges)
        ]
        for block in blocks:
            block.result()
    return found
