"""The array engine: the kernels' own source on arrays, all replicates one axis in front, by NumPy or, on a GPU, CuPy.

Methods, noises and step rules are the functions the Numba engine compiles, rebuilt by `kernels.on_arrays`: their blocks
become array forms, their formulas run as they stand. Numbers are drawn at the same addresses, so the engines agree to
rounding; only sums over coordinates and tasks may be taken in another order.

On a GPU an iteration is traced once and becomes a few CUDA kernels (`simulations.fused`) where `Fusible` says so; where
it does not, and on NumPy, every block is one pass over memory.

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

from simulations.family import Family, Formula
from simulations.fused import NAMESPACE, Untraceable, elementwise, trace
from simulations.iteration import Iteration, Lengths, Time, asked
from simulations.kernels import Law, Plan, Tasks, has_array_form, on_arrays

_MEMORY = {"numpy": 2**24, "cupy": 2**31}
_FUSED_MEMORY = 2**33
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
        if not kind.on_arrays:
            raise ValueError(f"{kind.name} noise runs on engine 'cpu' alone: its kernel is not written in blocks")
    xp = module(name)
    unfused = partial(advance, xp, _MEMORY[name], _on_arrays(plan, family, xp))
    if xp is np or not fusible(family):
        return unfused
    try:
        return Fused(xp, plan, _kernels(plan, family, NAMESPACE))
    except Untraceable:
        return unfused


def fusible(family: Family) -> bool:
    """Whether tasks are sums over coordinates, which is what tracing knows to write down.

    Noises, methods and step rules are tried: what they do beyond arithmetic and blocks raises `Untraceable`.
    """
    return family.formula is not None and family.rotation is None


def _kernels(plan: Plan, family: Family, xp: object) -> Plan:
    """The plan with kernels for arrays, and its numbers as such."""
    shared = tuple(map(float, family.unturned.shared))
    oracle = plan.oracle._replace(
        tasks=Tasks(*_tasks(family, xp), plan.oracle.tasks.table, shared),
        gradients=on_arrays(plan.oracle.gradients, xp),
        products=on_arrays(plan.oracle.products, xp),
        spread=tuple(map(float, plan.oracle.spread)),
    )
    names = ("direction", "gradient", "objective", "step")
    kernels = {name: on_arrays(getattr(plan, name), xp) for name in names}
    settings = {
        name: setting._replace(options=tuple(map(float, setting.options)))
        for name, setting in (("setting", plan.setting), ("exact", plan.exact))
    }
    return plan._replace(**kernels, **settings, oracle=oracle)


def _on_arrays(plan: Plan, family: Family, xp: ModuleType) -> Plan:
    """The plan with kernels for arrays, and its arrays where `xp` keeps them; the table gets a replicate axis."""
    made, law = _kernels(plan, family, xp), plan.law
    tasks = made.oracle.tasks._replace(table=xp.asarray(plan.oracle.tasks.table)[:, None])
    law = Law(xp.asarray(law.probabilities), xp.asarray(law.cumulative), xp.asarray(law.everyone))
    return made._replace(oracle=made.oracle._replace(tasks=tasks), law=law)


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

    def iterations(first: int, count: int) -> Callable:
        replicates = xp.arange(first, first + count, dtype=np.uint64)[:, None]
        made = Iteration(xp, plan, Lengths(count, plan.B, tasks, plan.rule.B_step, d), replicates)

        def iterate(k: int, planned: float, w, lost, rows: list) -> tuple:
            found = made(asked(plan, k), w, lost, Time(np.uint64(k), k, planned))
            for name, row in zip(_FOUND, rows, strict=True):
                if name in found:
                    row[...] = found[name]
            return found["point"], found["lost"]

        return iterate

    with np.errstate(all="ignore"):
        return _in_blocks(xp, block, iterations, w, scheduled, start, diverged)


_FOUND = ("norms", "objectives", "steps")


def _in_blocks(
    xp: ModuleType,
    block: int,
    iterations: Callable,
    w: np.ndarray,
    scheduled: np.ndarray,
    start: int,
    diverged: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """All scheduled iterations of block after block; results go home once for each, at its end.

    iterations: (first replicate, how many) -> a function of (k, planned step, points, lost, rows of norms, objectives
        and steps to fill) that returns points and lost after iteration k.
    """
    found = [np.full((scheduled.size, len(w)), math.nan) for _ in _FOUND]
    for first in range(0, len(w), block):
        part = slice(first, first + block)
        point, lost = xp.asarray(w[part]).copy(), xp.asarray(diverged[part]).copy()
        iterate, here = iterations(first, len(point)), [xp.full(each[:, part].shape, math.nan) for each in found]
        for offset, planned in enumerate(scheduled):
            point, lost = iterate(start + offset, float(planned), point, lost, [each[offset] for each in here])
        home = (w[part], diverged[part], *(each[:, part] for each in found))
        for target, source in zip(home, (point, lost, *here), strict=True):
            target[...] = source if xp is np else xp.asnumpy(source)
    return tuple(found)


class Fused:
    """`advance` by programs of the GPU, one for each thing that iterations may ask for.

    Raises:
        Untraceable: the plan cannot be traced.
    """

    def __init__(self, xp: ModuleType, plan: Plan, kernels: Plan) -> None:
        self.xp, self.plan, self.kernels, self.programs = xp, plan, kernels, {}
        self.arrays = {name: xp.asarray(each) for name, each in trace.arrays(plan).items()}
        for k in (0, 1):
            self.program(k)

    def program(self, k: int):
        """That of iteration k."""
        ask = asked(self.plan, k)
        if ask not in self.programs:
            self.programs[ask] = trace.traced(self.plan, self.kernels, ask)
        return self.programs[ask]

    def __call__(
        self, w: np.ndarray, scheduled: np.ndarray, start: int, threads: int, diverged: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """As `engine_cpu.advance`; blocks of replicates are as many as some memory holds."""
        used = {asked(self.plan, start + offset): self.program(start + offset) for offset in range(scheduled.size)}
        state = 8 * (2 * w.shape[1] + 2 + 3 * scheduled.size)
        block = _FUSED_MEMORY // (state + sum(program.bytes for program in used.values()))
        most = min((program.most for program in used.values()), default=len(w))
        return _in_blocks(self.xp, max(1, min(most, block)), partial(_Replay, self), w, scheduled, start, diverged)


class _Replay:
    """Iterations of some replicates: programs bound to arrays, of which points and lost alternate between two."""

    def __init__(self, fused: Fused, first: int, count: int) -> None:
        self.fused, self.count, self.bound, self.spare = fused, count, {}, {}
        self.scalars = {trace.SEED: np.uint64(fused.plan.seed), trace.FIRST: np.uint64(first)}

    def __call__(self, k: int, planned: float, point, lost, rows: list) -> tuple:
        ask, xp = asked(self.fused.plan, k), self.fused.xp
        program = self.fused.program(k)
        if ask not in self.bound:
            self.bound[ask] = program.bound(xp, self.fused.arrays, self.scalars, self.count)
        if not self.spare:
            self.spare, lost = {"point": xp.empty_like(point), "lost": xp.empty(self.count)}, lost.astype(np.float64)
        time = {trace.ADDRESS: np.uint64(k), trace.NOTED: np.float64(k), trace.PLANNED: np.float64(planned)}
        before = {"point": point, "lost": lost}
        named = {trace.POINT: point, trace.LOST: lost, **self.spare, **dict(zip(_FOUND, rows, strict=True))}
        self.bound[ask](named | time)
        for name in before.keys() & program.outputs:
            before[name], self.spare[name] = self.spare[name], before[name]
        return before["point"], before["lost"]
