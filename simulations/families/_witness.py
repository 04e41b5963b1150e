"""Lower bounds of a regression's constants by adversarial search: what is seen at some w, beside what holds at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from simulations.families import _robust
from simulations.families._rows import Rows

_SEED = 0
_POINTS, _ENTRIES = 2000, 2_000_000
_ROUNDS, _KEPT, _OFFSPRING, _SHRINK = 60, 8, 24, 0.85
_FARTHEST = 2.5


class Witnessed(Mapping[str, float]):
    """The largest values found of what the constants bound, sigma_H in its weak reading; found when first asked for.

    The search starts where some rows, as many as w has coordinates, have residuals of the order of the scale, and
    improves the best of these points by random steps that shrink.

    Args:
        tasks: of one loss and scale.
        probabilities: (tasks,).
    """

    def __init__(self, tasks: list[Rows], probabilities: np.ndarray) -> None:
        self._tasks, self._probabilities = tasks, probabilities

    def __getitem__(self, name: str) -> float:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @cached_property
    def _found(self) -> dict[str, float]:
        tasks, generator = self._tasks, np.random.Generator(np.random.Philox(_SEED))
        found = dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H"), 0.0)
        for task in tasks:
            starts = _starts(task, generator)
            pairs = np.hstack([starts, generator.standard_normal(starts.shape)])
            for name, seen, points in (
                ("L", _hessian, starts),
                ("rho", _third, pairs),
                ("sigma_tilde", _gradient_spread, starts),
                ("sigma_H", _hessian_spread, starts),
            ):
                found[name] = max(found[name], _climb(partial(seen, task), points, generator))
        X, y = (np.concatenate(parts) for parts in zip(*((task.X, task.y) for task in tasks), strict=True))
        starts = _starts(replace(tasks[0], X=X, y=y), generator)
        return found | {"sigma": _climb(partial(_task_spread, tasks, self._probabilities), starts, generator)}


def _hessian(task: Rows, w: np.ndarray) -> np.ndarray:
    """||Hess f_i(w)|| at points (m, d)."""
    return np.abs(np.linalg.eigvalsh(task.mean_outer(task.bends(w)))).max(axis=1)


def _third(task: Rows, wv: np.ndarray) -> np.ndarray:
    """The third derivative along unit vectors, at (m, 2 d): points beside directions."""
    w, v = np.hsplit(wv, 2)
    along = v @ task.X.T / np.linalg.norm(v, axis=1, keepdims=True)
    return np.abs((_robust.third(task.loss)(task.residuals(w)) * along**3).mean(axis=1)) / task.scale


def _gradient_spread(task: Rows, w: np.ndarray) -> np.ndarray:
    """The standard deviation of one row's gradient."""
    slopes = task.slopes(w)
    mean = slopes @ task.X / len(task.y)
    second = slopes**2 @ (task.X**2).sum(axis=1) / len(task.y)
    return np.sqrt(np.maximum(second - (mean**2).sum(axis=1), 0))


def _hessian_spread(task: Rows, w: np.ndarray) -> np.ndarray:
    """The largest standard deviation of one row's Hessian times a unit vector."""
    bends = task.bends(w)
    H = task.mean_outer(bends)
    variance = task.mean_outer(bends**2 * (task.X**2).sum(axis=1)) - H @ H
    return np.sqrt(np.maximum(np.linalg.eigvalsh(variance)[:, -1], 0))


def _task_spread(tasks: list[Rows], p: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The standard deviation of the task gradients."""
    each = np.stack([task.slopes(w) @ task.X / len(task.y) for task in tasks])
    return np.sqrt(p @ ((each - np.tensordot(p, each, 1)) ** 2).sum(axis=2))


def _starts(task: Rows, generator: np.random.Generator) -> np.ndarray:
    """The least-squares fit, and points at which d rows drawn at random have drawn residuals: (m, d)."""
    n, d = task.X.shape
    rows = generator.integers(n, size=(max(_KEPT, min(_POINTS, _ENTRIES // n)), d))
    wanted = task.y[rows] + task.scale * generator.uniform(-_FARTHEST, _FARTHEST, rows.shape)
    drawn = np.einsum("mjk,mk->mj", np.linalg.pinv(task.X[rows], rcond=1e-6), wanted)
    return np.vstack([np.linalg.lstsq(task.X, task.y)[0], drawn])


def _climb(seen: Callable[[np.ndarray], np.ndarray], points: np.ndarray, generator: np.random.Generator) -> float:
    """The largest value of a function of points (m, k) -> (m,) found from these."""
    values = seen(points)
    best = np.argsort(values)[-_KEPT:]
    points, values, length = points[best], values[best], 0.3 * np.median(np.abs(points), axis=0)
    for _ in range(_ROUNDS):
        steps = length * generator.standard_normal((_OFFSPRING, *points.shape))
        tried = np.concatenate([points[None], points + steps])
        reached = seen(tried.reshape(-1, points.shape[1])).reshape(tried.shape[:2])
        points, values = tried[reached.argmax(axis=0), np.arange(_KEPT)], reached.max(axis=0)
        length = length * _SHRINK
    return float(values.max())
