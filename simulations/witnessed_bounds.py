"""Lower bounds on L, rho, sigma and sigma_tilde of somebody's own loss, each with the points that show it.

Sampling can refute a constant and never confirm one: what is found here is a lower bound, and every consequence drawn
from it is of the form "the hypothesis fails" or "not refuted".

    L            ||grad f_i(u) - grad f_i(w)||/||u - w||, u along the power iteration of differences
    rho          ||grad f_i(w + v) - 2 grad f_i(w) + grad f_i(w - v)||/||v||^2: the difference is the integral of
                 (Hess f_i(w + t v) - Hess f_i(w - t v)) v over t in [0, 1], of norm at most rho ||v||^2
    sigma        (E_i ||grad f_i(w) - grad f(w)||^2)^(1/2), a finite sum
    sigma_tilde  the same over the samples of one task
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulations.methods.maml import METHOD
from theory import CLAIMS, domains
from theory import symbols as s

_POWER_STEPS = 4
_CLIMB = np.geomspace(0.5, 1e-3, 48)
_NEAR, _WIDE = 1e-3, 1e-2
_ULPS = 64


@dataclass(frozen=True, eq=False)
class Witness:
    """A lower bound and what shows it: the task (None where all take part) and the points, each (d,)."""

    value: float
    task: int | None
    points: tuple[np.ndarray, ...]

    def __str__(self) -> str:
        where = ", ".join(np.array2string(point, precision=4, threshold=6, edgeitems=2) for point in self.points)
        return f">= {self.value:.6g}" + (f", task {self.task}" if self.task is not None else "") + f", at {where}"


@dataclass(frozen=True, eq=False)
class LowerBounds:
    """Witnessed lower bounds on the constants of a loss, and what they say about the steps in use.

    L, rho, sigma: Witness. sigma_tilde: Witness, or None where no gradients of single samples were given.
    says: sentences on alpha and beta. broken: whether a hypothesis fails.
    """

    L: Witness
    rho: Witness
    sigma: Witness
    sigma_tilde: Witness | None
    says: tuple[str, ...]
    broken: bool

    def __str__(self) -> str:
        found = {"L": self.L, "rho": self.rho, "sigma": self.sigma, "sigma_tilde": self.sigma_tilde}
        return "\n".join([*(f"{name} {witness}" for name, witness in found.items() if witness), *self.says])


def lower_bounds(
    gradient: Callable,
    tasks: Sequence,
    at: np.ndarray,
    *,
    radius: float,
    alpha: float | None = None,
    beta: float | None = None,
    sample_gradients: Callable | None = None,
    points: int = 32,
    seed: int = 0,
) -> LowerBounds:
    """Lower bounds on L, rho, sigma and sigma_tilde (A2 to A5) of a user's own loss, and what they say of its steps.

    Args:
        gradient: (w (d,), task) -> (d,), the gradient of one task's loss in double precision.
        tasks: the tasks, equally likely; whatever `gradient` takes.
        at: (d,), the centre of the ball in which points are drawn, say the current iterate.
        radius: of the ball.
        alpha: the inner step in use. beta: the outer step in use.
        sample_gradients: (w, task) -> (samples, d), the gradient of every sample of a task.
        points: how many are drawn; the best is then improved by a local search.
        seed: of the points.

    Returns:
        Witnessed lower bounds, lowered by the rounding of gradients good to 64 units in the last place.

    Raises:
        ValueError: no tasks, a radius, step or number of points that is not positive, or a gradient of another shape
            or not finite.
    """
    at = np.asarray(at, float)
    for name, value in {"radius": radius, "points": points, "alpha": alpha, "beta": beta}.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be positive, got {value}")
    if len(tasks) == 0:
        raise ValueError("tasks must hold at least one task")
    look = _Look(gradient, sample_gradients, tasks, at, radius)
    everyone, together = range(len(tasks)), (None,)
    places = look.sampled(points, seed)
    L = look.largest(look.slope_change, everyone, places, seed)
    rho = look.largest(look.bend, everyone, places, seed)
    sigma = look.largest(look.spread, together, places, seed)
    sigma_tilde = look.largest(look.noise, everyone, places, seed) if sample_gradients else None
    says, broken = _consequences(L, rho, at, look.mean_norm(), alpha, beta)
    return LowerBounds(L, rho, sigma, sigma_tilde, says, broken)


class _Look:
    """The measures, each (w, v, task) -> (value, next direction, points), and the search for their largest values."""

    def __init__(self, gradient: Callable, sample_gradients: Callable | None, tasks: Sequence, at, radius) -> None:
        self.gradient, self.sample_gradients = gradient, sample_gradients
        self.tasks, self.at, self.radius = tasks, at, radius

    def g(self, w: np.ndarray, task: int) -> np.ndarray:
        found = np.asarray(self.gradient(w, self.tasks[task]), float)
        if found.shape != w.shape or not np.isfinite(found).all():
            raise ValueError(f"gradient must give finite numbers of shape {w.shape}, got {found!r} at task {task}")
        return found

    def mean_norm(self) -> float:
        """E_i ||grad f_i|| at the centre."""
        return float(np.mean([np.linalg.norm(self.g(self.at, task)) for task in range(len(self.tasks))]))

    def slope_change(self, w: np.ndarray, v: np.ndarray, task: int):
        u = w + _NEAR * self.radius * v
        here, there = self.g(w, task), self.g(u, task)
        length = _guarded(there - here, here, there)
        return length / np.linalg.norm(u - w), there - here, (w, u)

    def bend(self, w: np.ndarray, v: np.ndarray, task: int):
        step = _WIDE * self.radius * v
        ahead, behind = w + step, w - step
        there, here, back = self.g(ahead, task), self.g(w, task), self.g(behind, task)
        change = there - 2 * here + back
        return _guarded(change, there, here, here, back) / (step @ step), change, (behind, w, ahead)

    def spread(self, w: np.ndarray, v: np.ndarray, task: None):
        rows = np.array([self.g(w, i) for i in range(len(self.tasks))])
        return _deviation(rows), v, (w,)

    def noise(self, w: np.ndarray, v: np.ndarray, task: int):
        rows = np.asarray(self.sample_gradients(w, self.tasks[task]), float)
        if rows.ndim != 2 or rows.shape[1] != len(w) or not np.isfinite(rows).all():
            raise ValueError(f"sample_gradients must give finite numbers of shape (samples, {len(w)}) at task {task}")
        return _deviation(rows), v, (w,)

    def sampled(self, count: int, seed: int) -> np.ndarray:
        """The centre and points of the ball, uniform, (count, d)."""
        generator = _generator(seed, 0)
        directions = generator.standard_normal((count, len(self.at)))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = generator.random((count, 1)) ** (1 / len(self.at))
        lengths[0] = 0.0
        return self.at + self.radius * lengths * directions

    def largest(self, measure: Callable, tasks: Sequence, places: np.ndarray, seed: int) -> Witness:
        """The largest value found: power iteration for the direction at every place, then a local search."""
        generator = _generator(seed, 1)
        best = max(
            (self._along(measure, w, generator.standard_normal(len(w)), task) for w in places for task in tasks),
            key=lambda found: found[0].value,
        )
        for scale in _CLIMB:
            witness, v = best
            w = witness.points[len(witness.points) // 2 if len(witness.points) == 3 else 0]
            moved = w + scale * self.radius / np.sqrt(len(w)) * generator.standard_normal(len(w)) - self.at
            moved *= min(1.0, self.radius / np.linalg.norm(moved))
            best = max(best, self._along(measure, self.at + moved, v, witness.task), key=lambda found: found[0].value)
        return best[0]

    def _along(self, measure: Callable, w: np.ndarray, v: np.ndarray, task: int | None) -> tuple[Witness, np.ndarray]:
        best = None
        for _ in range(_POWER_STEPS):
            v = v / np.linalg.norm(v)
            value, following, points = measure(w, v, task)
            if best is None or value > best[0].value:
                best = Witness(float(value), task, points), v
            if following is v or not following.any():
                break
            v = following
        return best


def _generator(seed: int, part: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, part]))


def _guarded(change: np.ndarray, *gradients: np.ndarray) -> float:
    """The norm of a difference of gradients less what rounding may have added."""
    rounding = _ULPS * np.finfo(float).eps * sum(np.linalg.norm(g) for g in gradients)
    return max(np.linalg.norm(change) - rounding, 0.0)


def _deviation(rows: np.ndarray) -> float:
    """(mean ||row - mean||^2)^(1/2) less what rounding may have added."""
    return _guarded((rows - rows.mean(axis=0)) / np.sqrt(len(rows)), *(rows / np.sqrt(len(rows))))


def _consequences(L: Witness, rho: Witness, at: np.ndarray, mean: float, alpha: float | None, beta: float | None):
    """What the bounds say of the hypothesis on alpha and of the outer steps, and whether one is exceeded."""
    says, broken = [], False
    if not L.value:
        return ("no change of gradient was seen: nothing follows",), False
    hypothesis = domains.INNER_STEP.relation
    limit = float(hypothesis.rhs.subs(s.L, L.value))
    words = f"{hypothesis.lhs} <= {hypothesis.rhs}, which the theorems assume, needs alpha <= {limit:.4g}"
    if alpha is not None:
        broken = alpha > limit
        words += f": alpha = {alpha:g} {'breaks it' if broken else 'is not refuted'}"
    says.append(words)
    a = (alpha or 0.0) * L.value
    if a > 1:
        return (*says, "the bound L(w) on the smoothness of F needs alpha <= 1/L: no outer step follows"), True
    for which, factor in (("published", METHOD.step_factor), ("sharp", 1)):
        name = "1/L(w)" if factor == 1 else f"1/({factor} L(w))"
        constants = CLAIMS["smoothness"].constants(which, a=a)
        steep = float(constants["cL"]) * L.value + float(constants["cg"]) * rho.value * (alpha or 0.0) * mean
        most = 1 / (factor * steep)
        words = f"at the centre the {which} step {name} is at most {most:.4g}"
        if beta is not None:
            broken |= beta > most
            words += f": beta = {beta:g} {'exceeds it' if beta > most else 'is not refuted'}"
        says.append(words)
    return tuple(says), broken
