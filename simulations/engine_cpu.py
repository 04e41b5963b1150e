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

from simulations.blocks import fill, gather, norm
from simulations.kernels import (
    COUNT,
    MATRIX,
    PICKS,
    PLAN,
    VECTOR,
    Address,
    Plan,
    compile_together,
    compiled,
    linked,
    types,
)
from simulations.noises.gaussian import outer_noise
from simulations.philox import TASK, draw_tasks

BLOCK, WHOLE = 4096, 65_536
"""How many numbers a block holds, about: one of sampled rows, and one of all tasks."""
MOST_LANES = 64


def block_shape(B: int, tasks: int, d: int) -> tuple[int, int]:
    """Replicates in a block (lanes), and rows of one batch in a block (tile), which are all where there are lanes."""
    lanes = max(min(BLOCK // (B * d), WHOLE // (tasks * d), MOST_LANES), 1)
    return lanes, max(B, tasks) if lanes > 1 else max(BLOCK // d, 1)


@linked
def _everyone(lanes, tasks):
    """The tasks in order, once for each lane."""
    picks = np.empty(lanes * tasks, np.int64)
    for e in range(picks.size):
        picks[e] = e % tasks
    return picks


@linked
def _scratch(room, blocks, rows, d):
    """So many blocks of scratch from the beginning of `room`."""
    return room[: blocks * rows * d].reshape((blocks, rows, d))


@linked
def _parameters(table, picks, in_order, room):
    """The table's columns of these picks, in scratch; the table itself where they are all of its columns in order."""
    if in_order and picks.size == table.shape[1]:
        return table
    found = _scratch(room, table.shape[0], picks.size, table.shape[2])
    gather(table, picks, found)
    return found


@linked
def _direction(kernel, oracle, setting, w, picks, in_order, weights, tile, slots, address, room, work, out, squares):
    """The update direction of every lane, a tile of the batch's rows at a time."""
    lanes, rows = w.shape[0], weights.size
    fill(0.0, out)
    fill(0.0, squares)
    for first in range(0, rows, tile):
        stop = min(first + tile, rows)
        picked = picks[lanes * first : lanes * stop]
        parameters = _parameters(oracle.tasks.table, picked, in_order, room)
        here = _scratch(work, slots, picked.size, w.shape[1])
        place = Address(address.seed, address.replicate, address.iteration, TASK, address.lanes, np.uint64(first))
        kernel(oracle, setting, w, picked, parameters, weights[first:stop], place, here, out, squares)


@compiled(types.void(PLAN, VECTOR, COUNT, COUNT, COUNT, MATRIX, PICKS, MATRIX, MATRIX, MATRIX))
def _advance(plan, scheduled, start, first, stop, w, diverged, norms, objectives, steps):
    """Iterations start, start + 1, ... (one for each scheduled step) of replicates first, ..., stop - 1, in place."""
    oracle, law, rule, B, B_step = plan.oracle, plan.law, plan.rule, plan.B, plan.rule.B_step
    table, slots, tile = oracle.tasks.table, plan.slots, plan.tile
    parameters, tasks, d = table.shape
    weights = np.full(B, 1.0 / B) if B > 0 else law.probabilities
    lanes, most = 0, min(plan.lanes, stop - first) * max(tasks, B, B_step) * d
    room, work = np.empty(parameters * most), np.empty(max(slots, 2) * most)
    for r in range(first, stop, plan.lanes):
        if lanes != min(plan.lanes, stop - r):
            lanes = min(plan.lanes, stop - r)
            everyone, alone = _everyone(lanes, tasks), lanes == 1
            whole = _parameters(table, everyone, alone, np.empty(0 if alone else parameters * everyone.size * d))
            picks = np.empty(lanes * B, np.int64) if B > 0 else everyone
            step_picks = np.empty(lanes * B_step, np.int64) if B_step > 0 else everyone
            gradient, squares = np.empty((lanes, d)), np.empty((lanes, d))
            update = gradient if plan.reuse else np.empty((lanes, d))
            objective, step = np.empty(lanes), np.empty(lanes)
        points, lost = w[r : r + lanes], diverged[r : r + lanes]
        for offset in range(scheduled.size):
            k = start + offset
            address = Address(plan.seed, np.uint64(r), np.uint64(k), TASK, np.uint64(lanes), np.uint64(0))
            noted = k % plan.record_every == 0
            if plan.reuse or noted or k % plan.norm_every == 0:
                _direction(
                    plan.gradient, oracle, plan.exact, points, everyone, alone, law.probabilities, tile, slots, address,
                    room, work, gradient, squares,
                )  # fmt: skip
                for lane in range(lanes):
                    if lost[lane] < 0:
                        norms[offset, r + lane] = norm(gradient[lane])
                        if not np.isfinite(norms[offset, r + lane]):
                            lost[lane] = k
            if noted:
                here = _scratch(work, slots, everyone.size, d)
                plan.objective(oracle.tasks, law, plan.exact, points, everyone, whole, here, objective)
                for lane in range(lanes):
                    if lost[lane] < 0:
                        objectives[offset, r + lane] = objective[lane]
            if k == plan.last:
                continue
            if not plan.reuse:
                if B > 0:
                    draw_tasks(law, address, picks)
                _direction(
                    plan.direction, oracle, plan.setting, points, picks, alone and B == 0, weights, tile, slots,
                    address, room, work, update, squares,
                )  # fmt: skip
                if plan.merge:
                    outer_noise(oracle.spread, plan.setting.D_o, squares, address, update)
            chosen = _scratch(room, parameters, step_picks.size, d) if B_step > 0 else whole
            here = _scratch(work, 2, step_picks.size, d)
            plan.step(oracle, rule, law, points, scheduled[offset], address, here, step_picks, chosen, step)
            moving = 0
            for lane in range(lanes):
                if lost[lane] < 0:
                    steps[offset, r + lane] = step[lane]
                    for j in range(d):
                        points[lane, j] -= step[lane] * update[lane, j]
                    if not np.isfinite(norm(points[lane])):
                        lost[lane] = k + 1
                    moving += lost[lane] < 0
            if not moving:
                break


def prepare(plan: Plan) -> None:
    """Compile what a run of this plan needs, where nothing is compiled yet: on two cores."""
    tasks, oracle = plan.oracle.tasks, plan.oracle
    methods = plan.direction, plan.gradient, plan.objective, plan.step
    compile_together(_advance, (*methods, oracle.gradients, oracle.products, *tasks[:3]))


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
