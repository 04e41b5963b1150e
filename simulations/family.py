"""The record of a family of tasks: kernels, tables, true constants, and the exact quantities a user may ask of it."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import Literal

import numpy as np

from simulations import separable
from simulations.kernels import (
    GRADIENTS,
    MATRIX,
    PICKS,
    PRODUCTS,
    TABLE,
    VALUES,
    VECTOR,
    Law,
    Oracle,
    Tasks,
    compiled,
    types,
)
from simulations.markup import table
from simulations.noise import GradientNoise, HessianNoise, Noise
from simulations.noises import PLAIN, chosen
from theory import Constants
from theory.certify import Certificate
from theory.rationals import Number, exact

Standing = Literal["attained", "safe"]
_ORTHOGONAL = 1e-12


@compiled(types.void(types.FunctionType(VALUES), MATRIX, PICKS, TABLE, VECTOR, VECTOR))
def _values(kernel, points, picks, table, shared, out):
    kernel(points, picks, table, shared, out)


@compiled(types.void(types.FunctionType(GRADIENTS), MATRIX, PICKS, TABLE, VECTOR, MATRIX))
def _gradients(kernel, points, picks, table, shared, out):
    kernel(points, picks, table, shared, out)


@compiled(types.void(types.FunctionType(PRODUCTS), MATRIX, MATRIX, PICKS, TABLE, VECTOR, MATRIX))
def _products(kernel, points, vectors, picks, table, shared, out):
    kernel(points, vectors, picks, table, shared, out)


@dataclass(frozen=True)
class Formula:
    """One coordinate of a separable task, as functions of (u, *parameters, shared) on scalars or arrays.

    value, slope, curvature: the formula and its two derivatives.
    floors: (family, alpha) -> (d,), the infimum of each coordinate's part of F, NaN where it must be searched for.
    windows: (family, alpha) -> left ends (d, k) and a length: one of these k intervals holds a minimiser of a
        coordinate's part of F. Asked only where a floor is NaN.
    """

    value: Callable
    slope: Callable
    curvature: Callable
    floors: Callable
    windows: Callable | None = None


@dataclass(frozen=True)
class Minimum:
    """The infimum of f = E_i f_i, which is F at alpha = 0, and a point (d,) that has it, None if it is at infinity."""

    value: float
    point: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Family:
    """A finite set of tasks f_i with exactly known constants.

    Args:
        name: of the file that builds it.
        kernels: (values, gradients, products), callbacks as in `simulations.kernels.Tasks`.
        table: (parameters, tasks, d).
        shared: (m,) parameters all tasks have in common; where the family is turned, then the entries of `rotation`.
        probabilities: (tasks,), of the law p.
        constants: L, rho, sigma, sigma_tilde, sigma_H, and Delta at alpha = 0 where it is known.
        standing: of each constant, whether it is attained (an equality) or safe (an upper bound).
        start: (d,), the point w_0 from which runs start.
        expression: (a task's parameters (parameters, d), shared, w) -> the task as SymPy writes it in the symbols w.
        formula: the one-coordinate formula of a separable family, else None.
        outer_moments: (family, centres, alpha, inner) -> E h and E h^2 for h = grad f_i(centres[i] - alpha X), entry by
            entry, (tasks, d), with X of this law a coordinate (`simulations.noise.Coordinate`), where a closed form
            exists; else None.
        turned: whether the formula is one of u = Q w instead of w; `rotation` is this Q.
        minimum: of f = E_i f_i where it is known, else None.
        rate_exponent: the p of T(eps) ~ eps^p for full batches, THEORY.md section 5; None where T grows like
            log(1/eps) only.
        floor: a number that no f_i goes below anywhere, where one is known, else None.
        seen: of each safe constant, the largest value a search has seen: a lower bound of the true one.
        proof: replays the proof that the constants stand as `standing` says, where there is one.
        noise: what the oracle adds to its answers.
        recipe: the builder's name, as "family", and the arguments it was called with, where they are known.
    """

    name: str
    kernels: tuple[object, object, object]
    table: np.ndarray
    shared: np.ndarray
    probabilities: np.ndarray
    constants: Constants
    standing: Mapping[str, Standing]
    start: np.ndarray
    expression: Callable
    formula: Formula | None = None
    outer_moments: Callable | None = None
    turned: bool = False
    minimum: Minimum | None = None
    rate_exponent: float | None = None
    floor: float | None = None
    seen: Mapping[str, float] = field(default_factory=dict)
    proof: Callable[[], Certificate] | None = None
    noise: Noise = PLAIN
    recipe: Mapping[str, object] | None = None

    def _repr_html_(self) -> str:
        """The constants, and whether each is attained."""
        known = self.constants.keywords()
        title = f"<p><b>{html.escape(self.name)}</b>: {self.size} tasks in dimension {self.dim}</p>"
        rows = ((name, value, self.standing.get(name, ""), self.seen.get(name, "")) for name, value in known.items())
        return title + table(("constant", "value", "standing", "seen"), rows)

    @property
    def size(self) -> int:
        """Number of tasks."""
        return self.table.shape[1]

    @property
    def dim(self) -> int:
        """Dimension d of w."""
        return self.table.shape[2]

    @property
    def rotation(self) -> np.ndarray | None:
        """The orthogonal Q (d, d) of a turned family, else None."""
        return self.shared[-(self.dim**2) :].reshape(self.dim, self.dim) if self.turned else None

    @property
    def unturned(self) -> Family:
        """The same tasks as functions of u = Q w: separable, where the formula is."""
        if not self.turned:
            return self
        Q, shared = self.rotation, self.shared[: -(self.dim**2)]
        minimum = self.minimum
        if minimum and minimum.point is not None:
            minimum = replace(minimum, point=Q @ minimum.point)
        return replace(self, turned=False, shared=shared, start=Q @ self.start, minimum=minimum)

    def turned_by(self, Q: np.ndarray) -> Family:
        """The tasks w -> f_i(Q w), with the same constants; the start is turned back.

        Raises:
            ValueError: Q is not an orthogonal matrix (d, d), or the family's kernels know no rotation.
        """
        Q = np.array(Q, dtype=float)
        if Q.shape != (self.dim, self.dim) or np.abs(Q @ Q.T - np.eye(self.dim)).max() > _ORTHOGONAL:
            raise ValueError(f"Q must be an orthogonal matrix of shape ({self.dim}, {self.dim})")
        if self.formula is None or not isinstance(self.kernels, separable.Rows):
            raise ValueError(f"only a family with the kernels of simulations.separable can be turned, not {self.name}")
        base = self.unturned
        Q = Q if not self.turned else self.rotation @ Q
        minimum = base.minimum
        if minimum and minimum.point is not None:
            minimum = replace(minimum, point=Q.T @ minimum.point)
        shared = np.concatenate([base.shared, Q.ravel()])
        return replace(base, turned=True, shared=shared, start=Q.T @ base.start, minimum=minimum)

    def certificate(self) -> Certificate:
        """The proof of the family's constants, replayed.

        Raises:
            ValueError: the family brings no proof.
        """
        if self.proof is None:
            raise ValueError(f"the {self.name} family brings no proof of its constants")
        return self.proof()

    @cached_property
    def tasks(self) -> Tasks:
        """The tasks as kernels see them."""
        return Tasks(*self.kernels, self.table, self.shared)

    @cached_property
    def oracle(self) -> Oracle:
        """The noisy answers an algorithm works with."""
        spread = self.noise.spread(real(self.constants.sigma_tilde), real(self.constants.sigma_H), self.dim)
        return Oracle(self.tasks, self.noise.gradient.kernel, self.noise.hessian.kernel, spread)

    @cached_property
    def law(self) -> Law:
        """The law p of the tasks."""
        return Law(self.probabilities, np.cumsum(self.probabilities), np.arange(self.size))

    def with_noise(
        self, gradient: str | GradientNoise | None = None, hessian: str | HessianNoise | None = None
    ) -> Family:
        """The same tasks with another oracle; the constants stay.

        Args:
            gradient, hessian: name of a file of `simulations.noises` or what it builds; None keeps what there is.

        Raises:
            ValueError: a name is not known, or the two do not go together.
        """
        return replace(self, noise=chosen(self.noise, gradient, hessian))

    def __post_init__(self) -> None:
        self.noise.spread(real(self.constants.sigma_tilde), real(self.constants.sigma_H), self.dim)

    def started_at(self, w: np.ndarray) -> Family:
        """The same tasks with another start, and its Delta where the infimum is known.

        Raises:
            ValueError: w does not have shape (d,).
        """
        w, constants = self.point(w), self.constants
        if constants.Delta is not None:
            Delta = max(0.0, float(self.probabilities @ self.values(w)) - self.minimum.value)
            constants = replace(constants, Delta=Delta)
        return replace(self, start=w, constants=constants)

    def point(self, w: np.ndarray, name: str = "w") -> np.ndarray:
        """`w` as a float vector of the right length.

        Raises:
            ValueError: it has another shape.
        """
        vector = np.array(w, dtype=float)
        if vector.shape != (self.dim,):
            raise ValueError(f"{name} must have shape ({self.dim},) for this {self.name} family, got {vector.shape}")
        return vector

    def values(self, w: np.ndarray) -> np.ndarray:
        """f_i(w) for every task, (tasks,).

        Raises:
            ValueError: w does not have shape (d,).
        """
        return self.values_at(np.tile(self.point(w), (self.size, 1)))

    def gradients(self, w: np.ndarray) -> np.ndarray:
        """grad f_i(w) for every task, (tasks, d).

        Raises:
            ValueError: w does not have shape (d,).
        """
        return self.gradients_at(np.tile(self.point(w), (self.size, 1)))

    def hessian_vector_products(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Hess f_i(w) v for every task.

        Args:
            w: (d,).
            v: (d,), or (tasks, d) for one vector a task.

        Returns:
            (tasks, d).

        Raises:
            ValueError: w or v has another shape.
        """
        vectors = np.array(v, dtype=float)
        vectors = self._rows("v", np.tile(self.point(vectors, "v"), (self.size, 1)) if vectors.ndim < 2 else vectors)
        out = np.empty_like(vectors)
        points = np.tile(self.point(w), (self.size, 1))
        _products(self.kernels[2], points, vectors, self.law.everyone, self.table, self.shared, out)
        return out

    def values_at(self, points: np.ndarray) -> np.ndarray:
        """f_i(points[i]), (tasks,), for points (tasks, d).

        Raises:
            ValueError: points has another shape.
        """
        out = np.empty(self.size)
        _values(self.kernels[0], self._rows("points", points), self.law.everyone, self.table, self.shared, out)
        return out

    def gradients_at(self, points: np.ndarray) -> np.ndarray:
        """grad f_i(points[i]), (tasks, d), for points (tasks, d).

        Raises:
            ValueError: points has another shape.
        """
        out = np.empty((self.size, self.dim))
        _gradients(self.kernels[1], self._rows("points", points), self.law.everyone, self.table, self.shared, out)
        return out

    def _rows(self, name: str, rows: np.ndarray) -> np.ndarray:
        """`rows` as a float matrix with one row a task: kernels do not check what they are given."""
        matrix = np.ascontiguousarray(rows, dtype=float)
        if matrix.shape != (self.size, self.dim):
            raise ValueError(
                f"{name} must have shape ({self.size}, {self.dim}) for this {self.name} family, got {matrix.shape}"
            )
        return matrix


def real(value: Number) -> float:
    """The float nearest to a number as a person types it: 0.05, "1/20" or a Fraction.

    Raises:
        ValueError: it is no number.
    """
    return float(value) if isinstance(value, float) and value == value else float(exact(value))


def positive_integer(name: str, value: int) -> int:
    """`value` if it is a whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)
