"""One iteration of a plan on arrays, all replicates one axis in front: run by NumPy or CuPy, or traced once."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np

from simulations.blocks import gather, norm
from simulations.kernels import Address, Plan, on_arrays
from simulations.noises.gaussian import outer_noise
from simulations.philox import TASK, draw_tasks


class Ask(NamedTuple):
    """What an iteration is to find: ||grad F||, F, and the next point."""

    norm: bool
    objective: bool
    move: bool


def asked(plan: Plan, k: int) -> Ask:
    """Of iteration k."""
    noted = k % plan.record_every == 0
    return Ask(bool(plan.reuse or noted or k % plan.norm_every == 0), noted, k != plan.last)


class Lengths(NamedTuple):
    """Of the axes: replicates, tasks in a batch, tasks, tasks in a step rule's batch, coordinates."""

    replicates: int
    B: int
    tasks: int
    B_step: int
    d: int


class Time(NamedTuple):
    """An iteration: its number for random numbers, and as it is noted; the step planned for it."""

    address: object
    noted: object
    planned: object


class Iteration:
    """A plan with its kernels for arrays, and scratch for so many replicates.

    Args:
        xp: numpy, cupy, or what stands for it under trace.
        plan: kernels rebuilt for `xp`, arrays its own.
        lengths: of the axes.
        replicates: their numbers, (replicates, 1).
    """

    def __init__(self, xp: object, plan: Plan, lengths: Lengths, replicates: object) -> None:
        self.xp, self.plan, self.replicates = xp, plan, replicates
        helpers = norm, draw_tasks, gather, outer_noise
        self.norm, self.draw, self.gather, self.outer = (on_arrays(each, xp) for each in helpers)
        R, B, tasks, B_step, d = lengths
        self.shape, parameters = (R, d), len(plan.oracle.tasks.table)
        self.work, self.exact_work = (xp.empty((plan.slots, R, n, d)) for n in (B if plan.B else tasks, tasks))
        self.step_work = xp.empty((2, R, B_step if plan.rule.B_step else tasks, d))
        self.picks, self.step_picks = (xp.empty((R, n), dtype="int64") for n in (B, B_step))
        self.picked, self.step_picked = (xp.empty((parameters, R, n, d)) for n in (B, B_step))
        self.shares = xp.full(plan.B, 1.0 / max(plan.B, 1))

    def __call__(self, ask: Ask, w: object, lost: object, time: Time) -> dict[str, object]:
        """From points (replicates, d) and the iterations at which replicates were lost, negative where they are not.

        Returns:
            "point" and "lost" after the iteration, and of "norms", "objectives" and "steps" what is found, each
            (replicates,). A lost replicate stands still.
        """
        xp, plan, found = self.xp, self.plan, {}
        address = Address(plan.seed, self.replicates, time.address, TASK)
        everyone = plan.law.everyone, plan.oracle.tasks.table, plan.law.probabilities
        gradient, unused = xp.zeros(self.shape), xp.zeros(self.shape)
        if ask.norm:
            plan.gradient(plan.oracle, plan.exact, w, *everyone, address, self.exact_work, gradient, unused)
            found["norms"] = self.norm(gradient)
            lost = self._lost(lost, found["norms"], time.noted)
        if ask.objective:
            found["objectives"] = xp.empty(self.shape[:1])
            filled = self.exact_work, found["objectives"]
            plan.objective(plan.oracle.tasks, plan.law, plan.exact, w, *everyone[:2], *filled)
        if not ask.move:
            return found | {"point": w, "lost": lost}
        update = gradient if plan.reuse else self._update(w, address, everyone)
        step = xp.empty(self.shape[:1])
        tasks = (self.step_picks, self.step_picked) if plan.rule.B_step else everyone[:2]
        plan.step(plan.oracle, plan.rule, plan.law, w, time.planned, address, self.step_work, *tasks, step)
        gone = lost >= 0
        found["steps"] = xp.where(gone, math.nan, step)
        found["point"] = xp.where(gone[:, None], w, w - found["steps"][:, None] * update)
        return found | {"lost": self._lost(lost, self.norm(found["point"]), time.noted + 1)}

    def _lost(self, lost, length, when):
        xp = self.xp
        return xp.where(lost >= 0, lost, xp.where(xp.isfinite(length), lost, when))

    def _update(self, w, address: Address, everyone: tuple):
        plan, update, squares = self.plan, self.xp.zeros(self.shape), self.xp.zeros(self.shape)
        picks, table, weights = everyone
        if plan.B:
            self.draw(plan.law, address, self.picks)
            self.gather(plan.oracle.tasks.table, self.picks, self.picked)
            picks, table, weights = self.picks, self.picked, self.shares
        tasks = picks, table, weights
        plan.direction(plan.oracle, plan.setting, w, *tasks, address, self.work, update, squares)
        if plan.merge:
            self.outer(plan.oracle.spread, plan.setting.D_o, squares, address, update)
        return update


def noted(plan: Plan, start: int, count: int) -> dict[str, list[int]]:
    """Which of the iterations start, start + 1, ... note their norms, objectives and steps."""
    asks = [asked(plan, start + offset) for offset in range(count)]
    return {
        "norms": [n for n, ask in enumerate(asks) if ask.norm],
        "objectives": [n for n, ask in enumerate(asks) if ask.objective],
        "steps": [n for n, ask in enumerate(asks) if ask.objective and ask.move],
    }


def in_blocks(
    xp: ModuleType,
    plan: Plan,
    block: int,
    iterations: Callable,
    w: np.ndarray,
    scheduled: np.ndarray,
    start: int,
    diverged: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """All scheduled iterations of block after block; what they note goes home once for each, at its end.

    iterations: (first replicate, how many) -> a function of (k, planned step, points, lost, rows to fill by name) that
        returns points and lost after iteration k.

    Returns:
        As `engine_cpu.advance`; but rows that no iteration notes hold nothing, zeros that take no memory until they
        are written to, and steps are noted where F is.
    """
    rows = noted(plan, start, scheduled.size)
    found = {name: np.zeros((scheduled.size, len(w))) for name in rows}
    found["steps"][rows["objectives"]] = math.nan
    for first in range(0, len(w), block):
        part = slice(first, first + block)
        point, lost = xp.asarray(w[part]).copy(), xp.asarray(diverged[part]).copy()
        iterate = iterations(first, len(point))
        here = {name: xp.empty((len(n), len(point))) for name, n in rows.items()}
        left = {name: dict(zip(n, here[name], strict=True)) for name, n in rows.items()}
        for offset, planned in enumerate(scheduled):
            fill = {name: each[offset] for name, each in left.items() if offset in each}
            point, lost = iterate(start + offset, float(planned), point, lost, fill)
        w[part], diverged[part] = _home(xp, point), _home(xp, lost)
        for name, n in rows.items():
            if n:
                found[name][n, part] = _home(xp, here[name])
    return tuple(found.values())


def _home(xp: ModuleType, array) -> np.ndarray:
    return array if xp is np else xp.asnumpy(array)
