"""The directions of the algorithms on exact derivatives, in the project's letters, for a batch of probes at once.

Inner steps on f_s (support), outer loss f_o (query, unless said otherwise); the mean over the tasks of each probe of

    w_0 = w,  w_{j+1} = w_j - alpha M grad f_s(w_j),  M = I, or a block of it (ANIL)
    MAML-k            (I - alpha H_s(w_0) M) ... (I - alpha H_s(w_{k-1}) M) grad f_o(w_k)
    last m through    the last m factors of it; none of them is FO-MAML-k
    multi-step loss   the mean over the iterates j of MAML-j (or FO-MAML-j)
    Reptile-k         (w_0 - w_k)/alpha
    HF-MAML(delta)    MAML with every H v replaced by a difference quotient of gradients
    iMAML(lambda)     (I + H_s(phi)/lambda)^{-1} grad f_o(phi), phi an exact, proximal or plain inner solution

Every function here returns a direction: (batch, numbers (G,)) -> (G, probes, DIM), numbers the values of a free number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulations.identification.probes import Batch
from simulations.identification.quartic import DIM, Quartic, contracted

_NEWTON_STEPS = 40
_SLACK = 1e-15


@dataclass(frozen=True)
class Path:
    """How the inner steps go: on which data, in which block, and how many (k + offset, or a fixed number)."""

    data: int = 0
    block: tuple[int, int] = (0, DIM)
    fixed: int | None = None
    offset: int = 0

    def steps(self, batch: Batch) -> np.ndarray:
        """(T,), the inner steps taken on each task."""
        steps = batch.steps if self.fixed is None else np.full_like(batch.steps, self.fixed)
        return np.maximum(steps + self.offset, 0)

    def points(self, batch: Batch, size: np.ndarray, pull: np.ndarray | float = 0.0) -> list[np.ndarray]:
        """w_0, w_1, ... of every task, each (..., T, DIM); a task that has taken its steps stays where it is.

        Args:
            size: (..., T, 1), the inner step. pull: (..., 1, 1), the weight lambda of a proximal term.
        """
        steps, points = self.steps(batch)[:, None], [batch.w]
        for j in range(steps.max()):
            here = points[-1]
            slope = batch.losses[self.data].gradient(here) + pull * (here - batch.w)
            points.append(here - np.where(j < steps, size, 0.0) * self.masked(slope))
        return points

    def masked(self, vectors: np.ndarray) -> np.ndarray:
        """The vectors outside the block set to 0."""
        inside = np.zeros(DIM)
        inside[self.block[0] : self.block[1]] = 1.0
        return inside * vectors


def _direction(per_task: Callable) -> Callable:
    """From a function of (batch, numbers (G, 1, 1)) that gives (..., T, DIM) to a direction."""

    def direction(batch: Batch, numbers: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            vectors = per_task(batch, np.reshape(numbers, (-1, 1, 1)))
            return batch.mean(np.broadcast_to(vectors, (len(numbers), *batch.w.shape)))

    return direction


def _product(loss: Quartic, point: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return contracted(loss.derivative(2, point), vector)


def _through(batch: Batch, path: Path, points, vector, size, *, stop, last=None, curved=None, bent="here"):
    """The factors I - alpha H M of the inner steps before step `stop` (T,), or of the last so many, on a vector."""
    loss = batch.losses[path.data if curved is None else curved]
    stop = stop[:, None]
    for j in range(len(points) - 2, -1, -1):
        at = {"here": points[j], "start": points[0], "end": points[-1], "late": points[j + 1]}[bent]
        active = (j < stop) if last is None else (j < stop) & (j >= stop - last)
        vector = vector - np.where(active, size, 0.0) * _product(loss, at, path.masked(vector))
    return vector


def _unrolled(batch: Batch, path: Path, size: np.ndarray, outer: int, last: int | None, **which) -> np.ndarray:
    points = path.points(batch, size)
    vector = batch.losses[outer].gradient(points[-1])
    if last == 0:
        return vector
    return _through(batch, path, points, vector, size, stop=path.steps(batch), last=last, **which)


def unrolled(path: Path, outer: int = 1, last: int | None = None, **which) -> Callable:
    """Differentiated through the last so many inner steps, all of them if None.

    Args:
        path: the inner steps.
        outer: data of the outer loss, 0 support or 1 query.
        last: how many factors.
        which: where the Hessians are taken: bent="here", "start", "end" or "late"; curved=1, of the query loss.
    """
    return _direction(lambda batch, _: _unrolled(batch, path, batch.alpha, outer, last, **which))


def stepped(path: Path, last: int | None, relative: bool) -> Callable:
    """MAML or FO-MAML with an inner step that is the free number, or (relative) the free number times alpha."""
    return _direction(
        lambda batch, number: _unrolled(
            batch, path, number * (batch.alpha if relative else np.ones_like(batch.alpha)), 1, last
        )
    )


def multi_step_loss(first: int, last: int | None) -> Callable:
    """The mean over the iterates first, ..., k of what `unrolled` gives at each."""

    def per_task(batch: Batch, _) -> np.ndarray:
        path = Path()
        points, steps = path.points(batch, batch.alpha), path.steps(batch)
        total = np.zeros_like(batch.w)
        for j in range(first, len(points)):
            vector = batch.losses[1].gradient(points[j])
            if last is None:
                vector = _through(batch, path, points, vector, batch.alpha, stop=np.minimum(steps, j))
            total = total + np.where((j <= steps)[:, None], vector, 0.0)
        return total / (steps + 1 - first)[:, None]

    return _direction(per_task)


def reptile(path: Path) -> Callable:
    """(w_0 - w_k)/alpha."""
    return _direction(lambda batch, _: (batch.w - path.points(batch, batch.alpha)[-1]) / batch.alpha)


def plain(outer: int) -> Callable:
    """The gradient at w itself."""
    return _direction(lambda batch, _: batch.losses[outer].gradient(batch.w))


def hessian_free(scaling: str, central: bool, split: int = DIM) -> Callable:
    """MAML with difference quotients of gradients, (grad f(w + r v) - grad f(w - r v))/(2 r), for H v.

    On a quartic the quotient is H v + (r^2/6) D^4 f[v, v, v], with (r/2) D^3 f[v, v] besides where it is one-sided.

    Args:
        scaling: r = delta ("plain"), delta/||v|| ("unit"), over all of v or block by block, or delta/(alpha ||v||).
        central: or one-sided.
        split: where the second block begins.
    """

    def reach(batch: Batch, vector: np.ndarray, delta: np.ndarray) -> np.ndarray:
        if scaling == "plain":
            return delta * np.ones(DIM)
        blocks = [block for block in (vector[..., :split], vector[..., split:]) if block.shape[-1]]
        norms = [np.broadcast_to(np.linalg.norm(block, axis=-1, keepdims=True), block.shape) for block in blocks]
        return delta / np.concatenate(norms, axis=-1) / (batch.alpha if scaling == "alpha" else 1.0)

    def quotient(loss: Quartic, point: np.ndarray, vector: np.ndarray, r: np.ndarray) -> np.ndarray:
        """With r one number a coordinate: the quotient of coordinate j is along r_j v, r_j its block's."""
        found = _product(loss, point, vector)
        for order in (4,) if central else (3, 4):
            bent = loss.derivative(order, point)
            for _ in range(order - 1):
                bent = contracted(bent, vector)
            found = found + r ** (order - 2) / math.factorial(order - 1) * bent
        return found

    def per_block(loss: Quartic, point: np.ndarray, vector: np.ndarray, r: np.ndarray) -> np.ndarray:
        """(grad f(w + r * v) - ...)/(2 r), componentwise, as code that loops over its tensors does."""
        along = r * vector
        return quotient(loss, point, along, np.ones(DIM)) / r

    def per_task(batch: Batch, delta: np.ndarray) -> np.ndarray:
        path = Path()
        points, steps = path.points(batch, batch.alpha), path.steps(batch)[:, None]
        vector = batch.losses[1].gradient(points[-1])
        for j in range(len(points) - 2, -1, -1):
            r = reach(batch, vector, delta)
            found = (quotient if split == DIM else per_block)(batch.losses[0], points[j], vector, r)
            vector = vector - np.where(j < steps, batch.alpha, 0.0) * found
        return vector

    return _direction(per_task)


@dataclass(frozen=True)
class Solver:
    """A linear solver stopped after so many steps, or where the relative residual is at most `tolerance`."""

    steps: int
    tolerance: float = 0.0
    neumann: bool = False

    def __call__(self, matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
        """matrix (..., DIM, DIM) and right side (..., DIM) -> (..., DIM)."""
        return (self._series if self.neumann else self._conjugate_gradients)(matrix, right)

    def _series(self, matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
        term = found = right
        for _ in range(self.steps):
            term = term - (matrix @ term[..., None])[..., 0]
            found = found + term
        return found

    def _conjugate_gradients(self, matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
        found, residual = np.zeros_like(right), right
        along, size = residual, (residual**2).sum(axis=-1, keepdims=True)
        enough = max(self.tolerance, _SLACK) ** 2 * size
        for _ in range(self.steps):
            image = (matrix @ along[..., None])[..., 0]
            length = np.where(size > enough, size / (along * image).sum(axis=-1, keepdims=True), 0.0)
            found, residual = found + length * along, residual - length * image
            before, size = size, (residual**2).sum(axis=-1, keepdims=True)
            along = residual + size / before * along
        return found


def _proximal_point(support: Quartic, start: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """argmin f_s(phi) + (lambda/2)||phi - w||^2 near w, by damped Newton steps; NaN where it is not found."""
    point = np.array(np.broadcast_to(start, np.broadcast_shapes(start.shape, pull.shape)))
    open_, weight = np.ones(point.shape[:-1], bool), np.broadcast_to(pull, (*point.shape[:-1], 1))
    for _ in range(_NEWTON_STEPS):
        slope = support.gradient(point) + pull * (point - start)
        curved = support.hessian(point) + weight[..., None] * np.eye(DIM)
        curved[~np.isfinite(curved).all(axis=(-2, -1))] = -np.eye(DIM)
        concave = open_ & (np.linalg.eigvalsh(curved)[..., 0] <= 0)
        point[concave] = np.nan
        open_ &= ~concave
        step = np.linalg.solve(curved[open_], slope[open_][..., None])[..., 0]
        length = np.linalg.norm(step, axis=-1, keepdims=True)
        point[open_] -= step * np.minimum(1.0, 0.5 / (length + 1e-300))
        going = length[..., 0] > _SLACK * (1 + np.linalg.norm(point[open_], axis=-1))
        open_[open_] = going
        if not open_.any():
            break
    else:
        point[open_ & (np.linalg.norm(slope, axis=-1) > 1e-12)] = np.nan
    return point


def _system(batch: Batch, inner: str, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """I + H_s(phi)/lambda and grad f_o(phi), phi the inner solution."""
    support, query = batch.losses
    if inner == "exact":
        point = _proximal_point(support, batch.w, pull)
    else:
        point = Path().points(batch, batch.alpha, pull if inner == "proximal" else 0.0)[-1]
    return np.eye(DIM) + support.hessian(point) / np.reshape(pull, (-1, 1, 1, 1)), query.gradient(point)


def _solved(matrix: np.ndarray, right: np.ndarray, solver: Solver | None) -> np.ndarray:
    if solver:
        return solver(matrix, np.broadcast_to(right, matrix.shape[:-1]))
    good = np.isfinite(matrix).all(axis=(-2, -1))
    found = np.linalg.solve(np.where(good[..., None, None], matrix, np.eye(DIM)), right[..., None])[..., 0]
    return np.where(good[..., None], found, np.nan)


def implicit(inner: str, solver: Solver | None = None) -> Callable:
    """(I + H/lambda)^{-1} grad f_o at the inner solution, solved exactly or by a solver stopped early."""
    return _direction(lambda batch, pull: _solved(*_system(batch, inner, pull), solver))


def solve_error(inner: str, solver: Solver) -> Callable[[Batch, float], float]:
    """The largest relative residual that the solver leaves on the tasks of a batch, as a function of lambda."""

    def error(batch: Batch, pull: float) -> float:
        with np.errstate(all="ignore"):
            matrix, right = _system(batch, inner, np.reshape(pull, (1, 1, 1)))
            left = (matrix @ _solved(matrix, right, solver)[..., None])[..., 0] - right
        return float((np.linalg.norm(left, axis=-1) / np.linalg.norm(right, axis=-1)).max())

    return error
