"""Tasks that are means over rows of data, f_i(w) = (scale^2/n_i) sum_k psi((x_k . w - y_k)/scale), and the oracle that
draws minibatches of those rows.

`shared` is (loss, scale, x_1, y_1, x_2, y_2, ...), the rows of a task one after another; `table` holds each task's
first row and its number of rows n_i. One sample is one row, drawn with replacement: a sampled gradient or Hessian is
the mean over D such rows, drawn anew for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulations.families import _robust
from simulations.families._robust import curvature, slope, value
from simulations.family import Family
from simulations.kernels import (
    GRADIENTS,
    PRODUCTS,
    SAMPLED_GRADIENTS,
    SAMPLED_PRODUCTS,
    VALUES,
    callback,
    inlined,
    on_arrays,
)
from simulations.philox import uniform_pair

HEADER = 2
_1, _2 = np.uint64(1), np.uint64(2)
_slope, _curvature = on_arrays(slope), on_arrays(curvature)


@dataclass(frozen=True)
class Rows:
    """One task on arrays: X (n, d), y (n,). Residuals are in units of the scale."""

    loss: int
    scale: float
    X: np.ndarray
    y: np.ndarray

    def residuals(self, points: np.ndarray) -> np.ndarray:
        """(m, n) at points (m, d)."""
        return (points @ self.X.T - self.y) / self.scale

    def slopes(self, points: np.ndarray) -> np.ndarray:
        """(m, n): the gradient of row k at points[r] is slopes[r, k] x_k."""
        return self.scale * _slope(self.residuals(points), self.loss)

    def bends(self, points: np.ndarray) -> np.ndarray:
        """(m, n): the Hessian of row k at points[r] is bends[r, k] x_k x_k^T."""
        return _curvature(self.residuals(points), self.loss)

    def mean_outer(self, factors: np.ndarray) -> np.ndarray:
        """The means over rows of factors[r, k] x_k x_k^T: (m, d, d)."""
        n, d = self.X.shape
        outer = (self.X[:, :, None] * self.X[:, None, :]).reshape(n, d * d)
        return (factors @ outer / n).reshape(-1, d, d)


def packed(tasks: list[Rows]) -> tuple[np.ndarray, np.ndarray]:
    """`table` and `shared` of tasks with one loss and scale."""
    counts = np.array([len(task.y) for task in tasks])
    rows = np.concatenate([np.column_stack([task.X, task.y]) for task in tasks])
    table = np.stack([np.cumsum(counts) - counts, counts])[:, :, None] * np.ones(rows.shape[1] - 1)
    return table, np.concatenate([[tasks[0].loss, tasks[0].scale], rows.ravel()])


def unpacked(family: Family) -> list[Rows]:
    """What `packed` was given."""
    loss, scale = int(family.shared[0]), float(family.shared[1])
    rows = family.shared[HEADER:].reshape(-1, family.dim + 1)
    starts = family.table[0, 1:, 0].astype(int)
    return [Rows(loss, scale, task[:, :-1], task[:, -1]) for task in np.split(rows, starts)]


def expression(row, shared, w):
    """The task as SymPy writes it."""
    psi, scale, d = _robust.EXPRESSIONS[int(shared[0])], shared[1], len(w)
    first, count = (int(parameter[0]) for parameter in row)
    rows = shared[HEADER:].reshape(-1, d + 1)[first : first + count]
    residuals = (sum(a * u for a, u in zip(x, w, strict=True)) - y for *x, y in rows)
    return scale**2 / count * sum(psi.subs(_robust.T, residual / scale) for residual in residuals)


@inlined
def _row(shared, k, d):
    """Row k, (d + 1,): x and then y."""
    return shared[HEADER + k * (d + 1) : HEADER + (k + 1) * (d + 1)]


@inlined
def _dot(row, w):
    """x . w."""
    total = 0.0
    for j in range(w.size):
        total += row[j] * w[j]
    return total


@inlined
def _residual(row, w, scale):
    """(x . w - y)/scale."""
    return (_dot(row, w) - row[w.size]) / scale


@inlined
def _add(factor, row, out):
    """out += factor x."""
    for j in range(out.size):
        out[j] += factor * row[j]


@inlined
def _drawn(u, count):
    """The row a uniform stands for."""
    return min(int(u * count), count - 1)


@callback(VALUES)
def values(points, picks, parameters, shared, out):
    loss, scale, d = shared[0], shared[1], points.shape[1]
    for r in range(picks.size):
        first, count = int(parameters[0, r, 0]), int(parameters[1, r, 0])
        total = 0.0
        for k in range(first, first + count):
            total += value(_residual(_row(shared, k, d), points[r], scale), loss)
        out[r] = scale * scale * total / count


@callback(GRADIENTS)
def gradients(points, picks, parameters, shared, out):
    loss, scale, d = shared[0], shared[1], points.shape[1]
    for r in range(picks.size):
        first, count = int(parameters[0, r, 0]), int(parameters[1, r, 0])
        out[r] = 0.0
        for k in range(first, first + count):
            row = _row(shared, k, d)
            _add(scale / count * slope(_residual(row, points[r], scale), loss), row, out[r])


@callback(PRODUCTS)
def products(points, vectors, picks, parameters, shared, out):
    loss, scale, d = shared[0], shared[1], points.shape[1]
    for r in range(picks.size):
        first, count = int(parameters[0, r, 0]), int(parameters[1, r, 0])
        out[r] = 0.0
        for k in range(first, first + count):
            row = _row(shared, k, d)
            bend = curvature(_residual(row, points[r], scale), loss)
            _add(bend * _dot(row, vectors[r]) / count, row, out[r])


@callback(SAMPLED_GRADIENTS)
def sampled_gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Means over `samples` rows, drawn in pairs: sample j of call row r from counter r ceil(samples/2) + j // 2."""
    if samples == np.inf:
        tasks.gradients(points, picks, parameters, tasks.shared, out)
        return
    loss, scale, d, drawn = tasks.shared[0], tasks.shared[1], points.shape[1], np.uint64(samples)
    pairs = (drawn + _1) // _2
    for r in range(picks.size):
        first, count = int(parameters[0, r, 0]), int(parameters[1, r, 0])
        out[r] = 0.0
        for pair in range(pairs):
            both = uniform_pair(np.uint64(r) * pairs + np.uint64(pair), address)
            for half in range(min(_2, drawn - _2 * np.uint64(pair))):
                row = _row(tasks.shared, first + _drawn(both[half], count), d)
                _add(scale / samples * slope(_residual(row, points[r], scale), loss), row, out[r])


@callback(SAMPLED_PRODUCTS)
def sampled_products(tasks, spread, points, vectors, picks, parameters, samples, address, out):
    """Means over `samples` rows, placed as in `sampled_gradients`."""
    if samples == np.inf:
        tasks.products(points, vectors, picks, parameters, tasks.shared, out)
        return
    loss, scale, d, drawn = tasks.shared[0], tasks.shared[1], points.shape[1], np.uint64(samples)
    pairs = (drawn + _1) // _2
    for r in range(picks.size):
        first, count = int(parameters[0, r, 0]), int(parameters[1, r, 0])
        out[r] = 0.0
        for pair in range(pairs):
            both = uniform_pair(np.uint64(r) * pairs + np.uint64(pair), address)
            for half in range(min(_2, drawn - _2 * np.uint64(pair))):
                row = _row(tasks.shared, first + _drawn(both[half], count), d)
                bend = curvature(_residual(row, points[r], scale), loss)
                _add(bend * _dot(row, vectors[r]) / samples, row, out[r])
