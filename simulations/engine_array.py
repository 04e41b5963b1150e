"""The array engine: the kernels' own source on arrays, all replicates one axis in front, by NumPy or, on a GPU, CuPy.

Methods, noises and step rules are the functions the Numba engine compiles, rebuilt by `kernels.on_arrays`: their blocks
become array forms, their formulas run as they stand. Numbers are drawn at the same addresses, so the engines agree to
rounding; only sums over coordinates and tasks may be taken in another order.

On a GPU an iteration is traced once and becomes a few CUDA kernels (`simulations.fused`); where it cannot be
traced, and on NumPy, every block is one pass over memory.

What a file must keep to, to run here: reach rows through `simulations.blocks`, random numbers through
`philox.add_normals`, `draw_tasks` and the helpers below them, take sizes from shapes (`out.shape[:-1]`, `shape[-1]`),
choose by arithmetic or `np.where` and never by an `if` on a drawn number. What cannot, registers an `array_form`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np

from simulations.family import Family, Formula
from simulations.fused import NAMESPACE, Untraceable, elementwise
from simulations.fused.replay import Programs
from simulations.iteration import Iteration, Lengths, Time, asked, in_blocks
from simulations.kernels import Law, Plan, Tasks, has_array_form, on_arrays

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
    unfused = partial(advance, xp, _MEMORY[name], _on_arrays(plan, family, xp))
    if xp is np or not fusible(family):
        return unfused
    try:
        return Programs(xp, plan, _kernels(plan, family, NAMESPACE))
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

        def iterate(k: int, planned: float, w, lost, rows: dict) -> tuple:
            found = made(asked(plan, k), w, lost, Time(np.uint64(k), k, planned))
            for name, row in rows.items():
                row[...] = found[name]
            return found["point"], found["lost"]

        return iterate

    with np.errstate(all="ignore"):
        return in_blocks(xp, plan, block, iterations, w, scheduled, start, diverged)
