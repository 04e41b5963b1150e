"""Kernels of separable families, one source for all of them: f_i(w) = sum_j value(u_j, first_ij, second_ij), u = Q w.

A family's formula takes a coordinate, two numbers that tell the tasks apart, and the numbers all tasks share. Where the
coordinates are turned, the matrix Q follows those numbers; the gradient is Q^T times that in u.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulations.kernels import (
    GRADIENTS,
    PRODUCTS,
    VALUES,
    callback,
    linked,
    specialised,
    to_fixed_tuple,
)

SHARED = 1
"""How many numbers all tasks share; this and the three formulas are filled in for each family."""


def value(u, first, second, numbers):
    """One coordinate's part of a task: u, the two numbers of its own, and the shared ones."""


def slope(u, first, second, numbers):
    """First derivative of `value`."""


def curvature(u, first, second, numbers):
    """Second derivative of `value`."""


@linked
def _turn(shared, first, back, rows, out):
    """out[r] = Q rows[r], or Q^T rows[r] where `back` is 1; Q lies in `shared` from `first` on."""
    d = rows.shape[1]
    along, down = (1, d) if back else (d, 1)
    for r in range(rows.shape[0]):
        for j in range(d):
            total = 0.0
            for k in range(d):
                total += shared[first + along * j + down * k] * rows[r, k]
            out[r, j] = total


def _values(points, picks, parameters, shared, out):
    numbers, u = to_fixed_tuple(shared, SHARED), points
    if shared.size > SHARED:
        u = np.empty_like(points)
        _turn(shared, SHARED, 0, points, u)
    for r in range(picks.size):
        total = 0.0
        for j in range(u.shape[1]):
            total += value(u[r, j], parameters[0, r, j], parameters[1, r, j], numbers)
        out[r] = total


def _gradients(points, picks, parameters, shared, out):
    numbers, turned, u = to_fixed_tuple(shared, SHARED), shared.size > SHARED, points
    if turned:
        u = np.empty_like(points)
        _turn(shared, SHARED, 0, points, u)
    at, first, second, found = u.ravel(), parameters[0].ravel(), parameters[1].ravel(), out.ravel()
    for e in range(found.size):
        found[e] = slope(at[e], first[e], second[e], numbers)
    if turned:
        _turn(shared, SHARED, 1, out.copy(), out)


def _products(points, vectors, picks, parameters, shared, out):
    numbers, turned, u, v = to_fixed_tuple(shared, SHARED), shared.size > SHARED, points, vectors
    if turned:
        u, v = np.empty_like(points), np.empty_like(vectors)
        _turn(shared, SHARED, 0, points, u)
        _turn(shared, SHARED, 0, vectors, v)
    at, by, first, second, found = u.ravel(), v.ravel(), parameters[0].ravel(), parameters[1].ravel(), out.ravel()
    for e in range(found.size):
        found[e] = curvature(at[e], first[e], second[e], numbers) * by[e]
    if turned:
        _turn(shared, SHARED, 1, out.copy(), out)


class Rows(NamedTuple):
    """Kernels that know how to turn: callbacks as in `simulations.kernels.Tasks`."""

    values: object
    gradients: object
    products: object


def rows(value, slope, curvature, shared: int) -> Rows:
    """The kernels of a family.

    Args:
        value, slope, curvature: inlined formulas of (u, first, second, numbers): one coordinate's part of a task and
            its two derivatives.
        shared: how many numbers all tasks share, at least 1.
    """
    return Rows(
        callback(VALUES)(specialised(_values, value=value, SHARED=shared)),
        callback(GRADIENTS)(specialised(_gradients, slope=slope, SHARED=shared)),
        callback(PRODUCTS)(specialised(_products, curvature=curvature, SHARED=shared)),
    )
