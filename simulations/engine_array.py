"""The array engine: the kernels' own source on arrays, all replicates one axis in front, by NumPy or, on a GPU, CuPy.

Methods, noises and step rules are the functions the Numba engine compiles, rebuilt by `kernels.on_arrays`: their blocks
become array forms, their formulas run as they stand. Numbers are drawn at the same addresses, so the engines agree to
rounding; only sums over coordinates and tasks may be taken in another order.

What a file must keep to, to run here: reach rows through `simulations.blocks`, random numbers through
`philox.add_normals`, `draw_tasks` and the helpers below them, take sizes from shapes (`out.shape[:-1]`, `shape[-1]`),
choose by arithmetic or `np.where` and never by an `if` on a drawn number. What cannot, registers an `array_form`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np

from simulations.blocks import gather, norm
from simulations.family import Family, Formula
from simulations.fused import elementwise
from simulations.kernels import Address, Law, Plan, Tasks, has_array_form, on_arrays
from simulations.noises.gaussian import outer_noise
from simulations.philox import TASK, draw_tasks

_MEMORY = {"numpy": 2**24, "cupy": 2**31}


def module(name: str) -> ModuleType:
    """numpy or cupy.

    Raises:
        ValueError: it is not installed, or finds no GPU.
    """
    try:
        found = importlib.import_module(name)
        if name == "cupy":
            found.cuda.runtime.getDeviceCount()
    except ImportError:
        needs = f"engine {name!r} needs {name}, which is not installed here: pip install 'mamlbound[gpu]'"
        raise ValueError(needs) from None
    except Exception as error:
        raise ValueError(f"engine {name!r} finds no GPU it can use: {error}") from None
    return found


def engine(name: str, family: Family, plan: Plan) -> Callable:
    """`advance` for a plan on this family, called as `engine_cpu.advance` is after its first argument.

    Raises:
        ValueError: the module cannot be used here, or the family or its noise does not run on arrays.
    """
    for kind in (family.noise.gradient, family.noise.hessian):
        if not kind.in_blocks:
            raise ValueError(f"{kind.name} noise runs on engine 'cpu' alone: its kernel is not written in blocks")
    xp = module(name)
    return partial(advance, xp, _MEMORY[name], _on_arrays(plan, family, xp))


def _on_arrays(plan: Plan, family: Family, xp: ModuleType) -> Plan:
    """The plan with kernels for arrays, and its arrays where `xp` keeps them; the table gets a replicate axis."""
    tasks, law = plan.oracle.tasks, plan.law
    kernels, shared = _tasks(family, xp), tuple(map(float, family.unturned.shared))
    oracle = plan.oracle._replace(
        tasks=Tasks(*kernels, xp.asarray(tasks.table)[:, None], shared),
        gradients=on_arrays(plan.oracle.gradients, xp),
        products=on_arrays(plan.oracle.products, xp),
        spread=tuple(map(float, plan.oracle.spread)),
    )
    names = ("direction", "gradient", "objective", "step")
    kernels = {name: on_arrays(getattr(plan, name), xp) for name in names}
    law = Law(xp.asarray(law.probabilities), xp.asarray(law.cumulative), xp.asarray(law.everyone))
    settings = {
        name: setting._replace(options=tuple(map(float, setting.options)))
        for name, setting in (("setting", plan.setting), ("exact", plan.exact))
    }
    return plan._replace(**kernels, **settings, oracle=oracle, law=law)


def _tasks(family: Family, xp: ModuleType) -> tuple[Callable, ...]:
    if all(map(has_array_form, family.kernels)):
        return tuple(on_arrays(kernel, xp) for kernel in family.kernels)
    if family.formula is None:
        raise ValueError(f"{family.name} tasks run on engine 'cpu' alone: no formula, and no array forms of kernels")
    return _separable(family.formula, family.rotation, xp)


def _separable(formula: Formula, rotation: np.ndarray | None, xp: ModuleType) -> tuple[Callable, ...]:
    """values, gradients and products of tasks that are sums of one formula over their coordinates u = Q w."""
    value, slope, curvature = (elementwise(each, xp) for each in (formula.value, formula.slope, formula.curvature))
    Q = None if rotation is None else xp.asarray(rotation)

    def turn(rows):
        return rows if Q is None else rows @ Q.T

    def back(rows):
        return rows if Q is None else rows @ Q

    def values(points, picks, parameters, shared, out):
        out[...] = value(turn(points), *parameters, shared).sum(axis=-1)

    def gradients(points, picks, parameters, shared, out):
        out[...] = back(slope(turn(points), *parameters, shared))

    def products(points, vectors, picks, parameters, shared, out):
        out[...] = back(curvature(turn(points), *parameters, shared) * turn(vectors))

    return values, gradients, products


def advance(
    xp: ModuleType,
    memory: int,
    plan: Plan,
    w: np.ndarray,
    scheduled: np.ndarray,
    start: int,
    threads: int,
    diverged: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """As `engine_cpu.advance`, on blocks of replicates of about `memory` bytes; `threads` is not looked at."""
    parameters, _, tasks, d = plan.oracle.tasks.table.shape
    rows = max(tasks, plan.B, plan.rule.B_step)
    block = max(1, int(memory // (8 * rows * d * (2 * plan.slots + parameters + 8))))
    found = tuple(np.full((scheduled.size, w.shape[0]), np.nan) for _ in range(3))
    with np.errstate(all="ignore"):
        for first in range(0, w.shape[0], block):
            part = slice(first, first + block)
            _Block(xp, plan, first, w[part], diverged[part]).run(scheduled, start, [each[:, part] for each in found])
    return found


class _Block:
    """Some replicates side by side, with their scratch."""

    def __init__(self, xp: ModuleType, plan: Plan, first: int, w: np.ndarray, diverged: np.ndarray) -> None:
        self.xp, self.plan, self.home = xp, plan, (w, diverged)
        self.point, self.lost = xp.asarray(w).copy(), xp.asarray(diverged).copy()
        self.replicates = xp.arange(first, first + len(w), dtype=np.uint64)[:, None]
        helpers = norm, draw_tasks, gather, outer_noise
        self.norm, self.draw, self.gather, self.outer = (on_arrays(each, xp) for each in helpers)
        (parameters, _, tasks, d), B, B_step = plan.oracle.tasks.table.shape, plan.B, plan.rule.B_step
        shape = len(w), B or tasks, d
        self.work, self.exact_work = xp.empty((plan.slots, *shape)), xp.empty((plan.slots, len(w), tasks, d))
        self.step_work = xp.empty((2, len(w), B_step or tasks, d))
        self.picks, self.step_picks = (xp.empty((len(w), n), dtype=np.int64) for n in (B, B_step))
        self.picked, self.step_picked = (xp.empty((parameters, len(w), n, d)) for n in (B, B_step))
        self.shares = xp.full(B, 1.0 / max(B, 1))

    def run(self, scheduled: np.ndarray, start: int, found: list[np.ndarray]) -> None:
        """All scheduled iterations; results go home once, at the end."""
        here = [self.xp.full(each.shape, math.nan) for each in found]
        for offset, planned in enumerate(scheduled):
            self._iterate(start + offset, float(planned), *(each[offset] for each in here))
        for target, source in zip((*self.home, *found), (self.point, self.lost, *here), strict=True):
            target[...] = source if self.xp is np else self.xp.asnumpy(source)

    def _iterate(self, k: int, planned: float, norms, objectives, steps) -> None:
        xp, plan, w = self.xp, self.plan, self.point
        address = Address(plan.seed, self.replicates, np.uint64(k), TASK)
        everyone = plan.law.everyone, plan.oracle.tasks.table, plan.law.probabilities
        gradient, unused = xp.zeros(w.shape), xp.zeros(w.shape)
        noted = k % plan.record_every == 0
        if plan.reuse or noted or k % plan.norm_every == 0:
            plan.gradient(plan.oracle, plan.exact, w, *everyone, address, self.exact_work, gradient, unused)
            norms[...] = self.norm(gradient)
            self.lost = xp.where((self.lost < 0) & ~xp.isfinite(norms), k, self.lost)
        if noted:
            plan.objective(plan.oracle.tasks, plan.law, plan.exact, w, *everyone[:2], self.exact_work, objectives)
        if k == plan.last:
            return
        update = gradient if plan.reuse else self._update(address, everyone)
        step_tasks = (self.step_picks, self.step_picked) if plan.rule.B_step else everyone[:2]
        step = xp.empty(len(w))
        plan.step(plan.oracle, plan.rule, plan.law, w, planned, address, self.step_work, *step_tasks, step)
        gone = self.lost >= 0
        steps[...] = step
        steps[gone] = math.nan
        self.point = xp.where(gone[:, None], w, w - steps[:, None] * update)
        self.lost = xp.where(~gone & ~xp.isfinite(self.norm(self.point)), k + 1, self.lost)

    def _update(self, address: Address, everyone: tuple):
        plan, update, squares = self.plan, self.xp.zeros(self.point.shape), self.xp.zeros(self.point.shape)
        picks, table, weights = everyone
        if plan.B:
            self.draw(plan.law, address, self.picks)
            self.gather(plan.oracle.tasks.table, self.picks, self.picked)
            picks, table, weights = self.picks, self.picked, self.shares
        plan.direction(
            plan.oracle, plan.setting, self.point, picks, table, weights, address, self.work, update, squares
        )
        if plan.merge:
            self.outer(plan.oracle.spread, plan.setting.D_o, squares, address, update)
        return update
