"""The record of a family of tasks: kernels, tables, true constants, and the exact quantities a user may ask of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Literal

import numpy as np

from simulations.kernels import MATRIX, PICKS, TASKS, VECTOR, Law, Oracle, Tasks, compiled, types
from simulations.noise import gaussian_gradients, isotropic_products
from theory import Constants
from theory.rationals import Number, exact

Standing = Literal["attained", "safe"]


@compiled(types.void(TASKS, MATRIX, PICKS, VECTOR))
def _values(tasks, points, picks, out):
    tasks.values(points, picks, tasks.table, tasks.shared, out)


@compiled(types.void(TASKS, MATRIX, PICKS, MATRIX))
def _gradients(tasks, points, picks, out):
    tasks.gradients(points, picks, tasks.table, tasks.shared, out)


@compiled(types.void(TASKS, MATRIX, MATRIX, PICKS, MATRIX))
def _products(tasks, points, vectors, picks, out):
    tasks.products(points, vectors, picks, tasks.table, tasks.shared, out)


@dataclass(frozen=True)
class Formula:
    """One coordinate of a separable task, as functions of (u, *parameters, shared) on scalars or arrays.

    value, slope, curvature: the formula and its two derivatives.
    floors: (d,) the infimum of each coordinate's part of F where it is known, NaN where one period must be searched.
    period: of the coordinates whose floor is NaN.
    """

    value: Callable
    slope: Callable
    curvature: Callable
    floors: np.ndarray
    period: float


@dataclass(frozen=True, eq=False)
class Family:
    """A finite set of tasks f_i with exactly known constants.

    Args:
        name: of the file that builds it.
        kernels: (values, gradients, products, jets), callbacks as in `simulations.kernels.Tasks`.
        table: (parameters, tasks, d).
        shared: (m,) parameters all tasks have in common.
        probabilities: (tasks,), of the law p.
        constants: L, rho, sigma, sigma_tilde, sigma_H, and Delta at alpha = 0 where it is known.
        standing: of each constant, whether it is attained (an equality) or safe (an upper bound).
        start: (d,), the point w_0 from which runs start.
        expression: (a task's parameters (parameters, d), shared, w) -> the task as SymPy writes it in the symbols w.
        formula: the one-coordinate formula of a separable family, else None.
        outer_moments: (family, w, alpha, variance) -> E h_i and E h_i^2, each (tasks, d), with normal inner noise of
            this variance a coordinate, where a closed form exists; else None.
    """

    name: str
    kernels: tuple[object, object, object, object]
    table: np.ndarray
    shared: np.ndarray
    probabilities: np.ndarray
    constants: Constants
    standing: Mapping[str, Standing]
    start: np.ndarray
    expression: Callable
    formula: Formula | None = None
    outer_moments: Callable | None = None

    @property
    def size(self) -> int:
        """Number of tasks."""
        return self.table.shape[1]

    @property
    def dim(self) -> int:
        """Dimension d of w."""
        return self.table.shape[2]

    @cached_property
    def tasks(self) -> Tasks:
        """The tasks as kernels see them."""
        return Tasks(*self.kernels, self.table, self.shared)

    @cached_property
    def oracle(self) -> Oracle:
        """The noisy answers an algorithm works with."""
        spread = np.array([real(self.constants.sigma_tilde), real(self.constants.sigma_H)])
        return Oracle(self.tasks, gaussian_gradients, isotropic_products, spread)

    @cached_property
    def law(self) -> Law:
        """The law p of the tasks."""
        return Law(self.probabilities, np.cumsum(self.probabilities), np.arange(self.size))

    def started_at(self, w: np.ndarray) -> Family:
        """The same tasks with another start.

        Raises:
            ValueError: w does not have shape (d,).
        """
        return replace(self, start=self.point(w))

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
        _products(self.tasks, np.tile(self.point(w), (self.size, 1)), vectors, np.arange(self.size), out)
        return out

    def values_at(self, points: np.ndarray) -> np.ndarray:
        """f_i(points[i]), (tasks,), for points (tasks, d).

        Raises:
            ValueError: points has another shape.
        """
        out = np.empty(self.size)
        _values(self.tasks, self._rows("points", points), np.arange(self.size), out)
        return out

    def gradients_at(self, points: np.ndarray) -> np.ndarray:
        """grad f_i(points[i]), (tasks, d), for points (tasks, d).

        Raises:
            ValueError: points has another shape.
        """
        out = np.empty((self.size, self.dim))
        _gradients(self.tasks, self._rows("points", points), np.arange(self.size), out)
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
    return float(exact(value))


def positive_integer(name: str, value: int) -> int:
    """`value` if it is a whole number of at least 1.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)
