"""A plan's iteration under trace: symbols in the place of its arrays, and the program that comes of them."""

from __future__ import annotations

from simulations.fused.lazy import Axis, Lazy
from simulations.fused.namespace import NAMESPACE
from simulations.fused.program import Program
from simulations.fused.values import COORDINATES, REPLICATES, Untraceable, value
from simulations.iteration import Ask, Iteration, Lengths, Time
from simulations.kernels import Law, Plan

SEED, FIRST, ADDRESS, NOTED, PLANNED = "seed", "first replicate", "iteration", "iteration as noted", "planned step"
POINT, LOST = "point before", "lost before"
AXES = Lengths(REPLICATES, "B", "tasks", "B_step", COORDINATES)


def arrays(plan: Plan) -> dict[str, object]:
    """The plan's own arrays by the names they have in a program."""
    law, table = plan.law, plan.oracle.tasks.table
    own = {f"table {n}": each for n, each in enumerate(table)}
    return own | {"probabilities": law.probabilities, "cumulative": law.cumulative, "everyone": law.everyone}


def traced(plan: Plan, kernels: Plan, ask: Ask) -> Program:
    """The program of iterations that ask for these things.

    Args:
        plan: as the engine has it, for its numbers and lengths.
        kernels: the same with kernels rebuilt for `NAMESPACE`.
        ask: what is to be found.

    Raises:
        Untraceable: something in it cannot be written down.
    """
    _, tasks, d = plan.oracle.tasks.table.shape
    lengths = dict(zip(AXES, (1, plan.B, tasks, plan.rule.B_step, d), strict=True))
    axes = Lengths(*(Axis(lengths[name], name) for name in AXES))
    kinds = {"probabilities": "d", "cumulative": "d", "everyone": "Q"}
    law = Law(*(_array(name, kind, axes.tasks) for name, kind in kinds.items()))
    table = [_array(f"table {n}", "d", axes.tasks, axes.d) for n in range(len(plan.oracle.tasks.table))]
    oracle = kernels.oracle._replace(tasks=kernels.oracle.tasks._replace(table=table))
    own = kernels._replace(oracle=oracle, law=law, seed=_scalar(SEED, "Q"))
    number = value("place", (), REPLICATES, "Q", frozenset({REPLICATES}))
    replicates = (Lazy(number, (axes.replicates,)) + _scalar(FIRST, "Q"))[:, None]
    time = Time(_scalar(ADDRESS, "Q"), _scalar(NOTED, "d"), _scalar(PLANNED, "d"))
    w, lost = _array(POINT, "d", axes.replicates, axes.d), _array(LOST, "d", axes.replicates)
    found = Iteration(NAMESPACE, own, axes, replicates)(ask, w, lost, time)
    expected = {name: frozenset({REPLICATES, *([COORDINATES] if name == "point" else [])}) for name in found}
    if any(each.value.axes != expected[name] for name, each in found.items()):
        raise Untraceable("what is found does not vary as it should")
    if not ask.move:
        del found["point"]
    if not (ask.move or ask.norm):
        del found["lost"]
    return Program({name: each.value for name, each in found.items()}, lengths)


def _array(name: str, kind: str, *axes: Axis) -> Lazy:
    return Lazy(value("load", (), name, kind, frozenset(axis.name for axis in axes)), axes)


def _scalar(name: str, kind: str) -> Lazy:
    return Lazy(value("scalar", (), name, kind))
