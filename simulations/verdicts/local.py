"""What the claims speak of at a point, as balls that hold the exact values: one table from symbols to quantities."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp
from flint import arb

from simulations import enumeration, exact
from simulations.family import Family, real
from simulations.guarded import ROUNDING, around, ball, balls_around, dot, length
from simulations.verdicts.cell import STEP_FACTORS, Cell
from theory.rationals import Number
from theory.rationals import exact as exact_number

_MOST_BATCHES = 20_000
_MOST_SYMBOLIC = 40


class Unknown(ValueError):
    """There is no exact way to a quantity in this cell; the message says why."""


@dataclass(frozen=True)
class Local:
    """Enclosures at one point; vectors are lists of d balls.

    objective: F. gradient: grad F. mean_gradient: grad f. task_norm: E_i||grad f_i||. task_second: E_i||grad F_i||^2.
    rows: grad F_i, (tasks, d), and norms: ||grad f_i||, (tasks,), as floats. room: how far rounding may have moved a
    gradient.
    """

    objective: arb
    gradient: list[arb]
    mean_gradient: list[arb]
    task_norm: arb
    task_second: arb
    rows: np.ndarray
    norms: np.ndarray
    room: float


def local(family: Family, w: np.ndarray, alpha: float, N: int = 1) -> Local:
    """The quantities at w for F with N inner steps, from floats.

    Args:
        family: any.
        w: (d,).
        alpha: inner step.
        N: inner steps.
    """
    p, path = family.probabilities, [np.tile(w, (family.size, 1))]
    slopes = [family.gradients_at(path[0])]
    for _ in range(N):
        path.append(path[-1] - alpha * slopes[-1])
        slopes.append(family.gradients_at(path[-1]))
    rows = slopes[-1]
    for points in reversed(path[:-1]):
        rows = rows - alpha * _products_at(family, points, rows)
    norms, a = np.linalg.norm(slopes[0], axis=1), alpha * real(family.constants.L)
    room = ROUNDING * (1 + a) ** (2 * N) * (norms.max() + real(family.constants.L) * np.abs(path[-1]).max())
    values = family.values_at(path[-1])
    reach = np.abs(values).max() + norms.max() * np.abs(path[-1]).max()
    return Local(
        objective=around(float(p @ values), ROUNDING * reach),
        gradient=balls_around(p @ rows, room),
        mean_gradient=balls_around(p @ slopes[0], room),
        task_norm=around(float(p @ norms), room),
        task_second=around(float(p @ (rows * rows).sum(axis=1)), room * (room + 2 * norms.max() * (1 + a) ** (2 * N))),
        rows=rows,
        norms=norms,
        room=room,
    )


def _products_at(family: Family, points: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Hess f_i(points[i]) vectors[i], (tasks, d)."""
    if (points == points[0]).all():
        return family.hessian_vector_products(points[0], vectors)
    return np.array([family.hessian_vector_products(points[i], vectors)[i] for i in range(family.size)])


@dataclass(frozen=True)
class Estimated:
    """mean: E G and bias: E G - grad F, lists of d balls. second: E||G||^2."""

    mean: list[arb]
    bias: list[arb]
    second: arb


class Point:
    """The quantities of a cell at its point, each found when it is first asked for."""

    def __init__(self, cell: Cell, names: set[str]) -> None:
        self.cell, self.family, self.names = cell, cell.family, names
        self.alpha = real(cell.inner_step)

    @cached_property
    def rigorous(self) -> bool:
        """Whether all that is asked for comes in Arb balls; raises Unknown where balls were asked for and do not."""
        cell, family = self.cell, self.family
        known = family.name == "cosine" and not family.turned and family.noise.gradient.law is not None
        enclosed = self.names <= ENCLOSED and cell.judged == "maml" and cell.N == 1
        if cell.by == "balls" and not (known and enclosed):
            raise Unknown(f"Arb balls do not enclose {', '.join(sorted(self.names - ENCLOSED)) or 'this family'}")
        return known and enclosed and cell.by in (None, "balls")

    @property
    def evidence(self) -> str:
        """How good the enclosures are."""
        return "interval" if self.rigorous else "exact"

    @cached_property
    def constants(self) -> dict[str, arb]:
        """The given numbers, with balls for the tasks' own constants where those declared are the same to rounding.

        A claim speaks of what is declared, but that a table is rounded is no fault of it.
        """
        if not self.rigorous:
            return self.cell.balls
        own, declared = exact.constant_balls(self.family), self.cell.balls
        near = {name for name, x in own.items() if abs(x - declared[name]) <= ROUNDING * declared[name]}
        return declared | {name: own[name] for name in near}

    @cached_property
    def at(self) -> Local:
        """At w."""
        return self._local(self.cell.point)

    @cached_property
    def to(self) -> Local:
        """At u."""
        return self._local(self.other)

    def _local(self, w: np.ndarray) -> Local:
        found = local(self.family, w, self.alpha, self.cell.N)
        if not self.rigorous:
            return found
        names = ("objective", "gradient", "mean_gradient", "task_norm", "task_second")
        enclosed = exact.balls(self.family, w, self.cell.inner_step)
        return replace(found, **{name: getattr(enclosed, name) for name in names})

    @cached_property
    def other(self) -> np.ndarray:
        """u, (d,)."""
        if self.cell.u is not None:
            return self.family.point(self.cell.u, "u")
        descent = self.family.probabilities @ self.at.rows
        return self.cell.point - descent / real(self.family.constants.L)

    @cached_property
    def apart(self) -> list[arb]:
        """u - w, exactly."""
        return [arb(float(x)) - arb(float(y)) for x, y in zip(self.other, self.cell.point, strict=True)]

    @cached_property
    def estimated(self) -> Estimated:
        """Moments of the estimate that is judged; raises Unknown for several noisy inner steps."""
        cell, D = self.cell, {name: getattr(self.cell, name) for name in ("D_in", "D_o", "D_h")}
        noiseless = all(cell.samples(name) == math.inf for name in D)
        if cell.N > 1 and not noiseless:
            raise Unknown(f"no exact moments of {cell.N} noisy inner steps are known")
        if noiseless and cell.judged == "maml" and cell.by != "outcomes":
            return Estimated(self.at.gradient, [arb(0)] * self.family.dim, self.at.task_second)
        if self.rigorous:
            found = exact.balls(self.family, cell.point, cell.inner_step, **D)
            return Estimated(found.mean, found.bias, found.second)
        if cell.judged == "maml" and cell.by != "outcomes":
            found = exact.moments(self.family, cell.point, cell.inner_step, **D)
        else:
            how = {"estimate": cell.estimator, "zeta": real(cell.zeta)}
            found = enumeration.moments(self.family, cell.point, self.alpha, **D, **how)
        noise = real(self.family.constants.sigma_tilde) * ROUNDING
        room = self.at.room + noise
        wide = room * (room + 2 * math.sqrt(found.second))
        return Estimated(
            balls_around(found.mean, room),
            balls_around(found.bias, 2 * room),
            around(found.second, 2 * wide + found.error),
        )

    @cached_property
    def exact_update(self) -> list[arb]:
        """The mean over tasks of the judged estimate with exact oracles."""
        exact_oracles = enumeration.moments(self.family, self.cell.point, self.alpha, estimate=self.cell.estimator)
        return balls_around(exact_oracles.mean, self.at.room)

    @cached_property
    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """The values 1/L~(w) of the random step rule and their probabilities."""
        cell, (base, slope) = self.cell, self.cell.smoothness
        if cell.samples("B_step") == math.inf:
            lengths, chances = np.array([self.family.probabilities @ self.at.norms]), np.ones(1)
        else:
            likely, norms = self._sampled_norms
            shares, chances = batches(likely, int(cell.B_step))
            lengths = shares @ norms
        return 1 / (base + slope * lengths), chances

    @cached_property
    def _sampled_norms(self) -> tuple[np.ndarray, np.ndarray]:
        """||grad~ f_i(w)|| of one task i ~ p: probabilities and values."""
        chances, noise = enumeration.noises(self.family, self.cell.D_step, "D_step")
        gradients = self.family.gradients(self.cell.point)
        norms = np.linalg.norm(gradients[:, None] + noise, axis=2)
        return np.outer(self.family.probabilities, chances).ravel(), norms.ravel()

    def step_moment(self, power: int) -> arb:
        """E (1/L~)^power."""
        steps, chances = self.steps
        value = float(chances @ steps**power)
        return around(value, 10 * ROUNDING * value)

    @cached_property
    def betas(self) -> tuple[np.ndarray, np.ndarray]:
        """The steps of one iteration and their probabilities."""
        steps, chances = self.steps
        return steps / STEP_FACTORS[self.cell.method], chances

    def beta_moment(self, power: int) -> arb:
        """E beta^power."""
        steps, chances = self.betas
        value = float(chances @ steps**power)
        return around(value, 10 * ROUNDING * value)

    @cached_property
    def _updates(self) -> tuple[np.ndarray, np.ndarray]:
        """Every update direction, (m, d), and its probability."""
        cell, D = self.cell, {name: getattr(self.cell, name) for name in ("D_in", "D_o", "D_h")}
        how = {"estimate": cell.estimator, "zeta": real(cell.zeta)}
        chances, rows = enumeration.law(self.family, cell.point, self.alpha, **D, **how)
        if cell.samples("B") != math.inf:
            shares, chances = batches(chances, int(cell.B))
        elif all(cell.samples(name) == math.inf for name in D):
            shares, chances = chances[None], np.ones(1)
        elif self.family.size == 1:
            shares = np.eye(chances.size)
        else:
            raise Unknown("a full batch of noisy tasks has too many outcomes to visit: give B")
        return shares @ rows, chances

    @cached_property
    def step_of_F(self) -> arb:
        """E F(w - beta (mean of a batch)) - F(w), visiting every batch, noise and step size.

        Raises:
            Unknown: there are too many to visit.
        """
        updates, chances = self._updates
        steps, likely = self.betas
        if steps.size * chances.size > _MOST_BATCHES:
            raise Unknown(f"{steps.size * chances.size} outcomes of a step are too many to visit")
        values = np.array(
            [
                [exact.objective(self.family, self.cell.point - beta * update, self.alpha) for beta in steps]
                for update in updates
            ]
        )
        room = 10 * ROUNDING * (np.abs(values).max() + float(self.at.objective.rad()) / ROUNDING)
        return around(float(chances @ values @ likely), room) - self.at.objective


def batches(probabilities: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Every batch of so many independent tasks: (batches, tasks) shares, and their probabilities.

    Raises:
        Unknown: there are too many.
    """
    tasks = probabilities.size
    if math.comb(tasks + size - 1, size) > _MOST_BATCHES:
        raise Unknown(f"the batches of {size} out of {tasks} tasks are too many to visit")
    counts = np.array(list(_compositions(size, tasks)))
    logs = np.array([math.lgamma(size + 1) - sum(math.lgamma(n + 1) for n in row) for row in counts])
    chances = np.exp(logs + counts @ np.log(probabilities))
    return counts / size, chances / chances.sum()


def _compositions(total: int, parts: int) -> Iterator[list[int]]:
    for picks in itertools.combinations_with_replacement(range(parts), total):
        found = Counter(picks)
        yield [found[i] for i in range(parts)]


def derivative(family: Family, w: np.ndarray, alpha: Number) -> list[arb]:
    """grad F(w), (d,), by differentiating F as SymPy writes it: nothing of (5) enters.

    In the coordinates u = Q w where they are turned.

    Raises:
        Unknown: the family is too large for that.
    """
    if family.size * family.dim > _MOST_SYMBOLIC:
        raise Unknown(f"SymPy differentiates F of at most {_MOST_SYMBOLIC} tasks times coordinates")
    if family.turned:
        w, family = family.rotation @ w, family.unturned
    x, total = sp.symbols(f"w:{family.dim}", real=True), [sp.Integer(0)] * family.dim
    at, alpha = {symbol: sp.Rational(float(value)) for symbol, value in zip(x, w, strict=True)}, exact_number(alpha)
    shared = [sp.Rational(float(value)) for value in family.shared]
    for i, p in enumerate(family.probabilities):
        rows = [[sp.Rational(float(value)) for value in row] for row in family.table[:, i]]
        f = sp.sympify(family.expression(rows, shared, x))
        adapted = {symbol: symbol - alpha * f.diff(symbol) for symbol in x}
        F_i = f.subs(adapted, simultaneous=True)
        total = [so_far + sp.Rational(float(p)) * F_i.diff(symbol) for so_far, symbol in zip(total, x, strict=True)]
    values = [float(each.subs(at).evalf(30)) for each in total]
    return balls_around(np.array(values), ROUNDING * max(1e-300, *map(abs, values)))


def _gradient(point: Point) -> list[arb]:
    """grad F: by (5), but where (5) itself is judged."""
    if point.cell.claim.id == "objective-gradient":
        return derivative(point.family, point.cell.point, point.cell.inner_step)
    return point.at.gradient


ENCLOSED = {
    *("grad_F", "grad_f", "mean_grad", "task_second", "bias_norm", "mean_G", "second_G", "overlap", "distance"),
    *("grad_F_change", "F_rise", "smooth_k"),
}
QUANTITIES: dict[str, Callable[[Point], arb]] = {
    "grad_F": lambda point: length(_gradient(point)),
    "exact_G": lambda point: length(point.exact_update),
    "grad_f": lambda point: length(point.at.mean_gradient),
    "mean_grad": lambda point: point.at.task_norm,
    "task_second": lambda point: point.at.task_second,
    "bias_norm": lambda point: length(point.estimated.bias),
    "mean_G": lambda point: length(point.estimated.mean),
    "second_G": lambda point: point.estimated.second,
    "overlap": lambda point: dot(point.at.gradient, point.estimated.mean),
    "distance": lambda point: length(point.apart),
    "grad_F_change": lambda point: length([x - y for x, y in zip(point.to.gradient, point.at.gradient, strict=True)]),
    "F_rise": lambda point: point.to.objective - point.at.objective - dot(point.at.gradient, point.apart),
    "smooth_k": lambda point: (
        4 * point.cell.balls["L"] + 2 * point.cell.balls["rho"] * ball(point.cell.inner_step) * point.at.task_norm
    ),
    "step_mean": lambda point: point.step_moment(1),
    "step_second": lambda point: point.step_moment(2),
    "beta_mean": lambda point: point.beta_moment(1),
    "beta_second": lambda point: point.beta_moment(2),
    "F_step": lambda point: point.step_of_F,
}
FIRST_STEP: dict[str, Callable[[Point], arb]] = {
    "F_drop": lambda point: -point.step_of_F,
    "mean_grad_F": lambda point: length(point.at.gradient),
}
"""What a claim about iteration k of a run speaks of at k = 0, where w_k is no random point."""
