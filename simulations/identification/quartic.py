"""Quartic losses whose coefficients are the data: what a meta-gradient under examination is given to differentiate.

loss(w, x) is the mean over the rows of x of a polynomial in w with the row as its coefficients: a row holds a tensor
for each degree, 4 first, and the tensors are contracted with w one slot at a time, as Horner would. That takes +, *
and slices alone, some fifty operations, so it runs on NumPy, torch, JAX, TensorFlow or autograd values as it stands,
and on one row or many, batched, traced or cast. The degree is four because a central difference of gradients is exact
on cubics, and would not tell HF-MAML from MAML there. Derivatives are exact here; coefficients and points are dyadic,
so casts lose nothing.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

DIM = 4
DEGREE = 4
_PARTS = {}
SIZE = 0
for _degree in range(DEGREE, 0, -1):
    _PARTS[_degree] = slice(SIZE, SIZE + DIM**_degree)
    SIZE += DIM**_degree


def loss(w, x):
    """Mean over the rows of x of the polynomial in w with these coefficients.

    Args:
        w: (DIM,) of any kind that supports indexing, + and *.
        x: (rows, SIZE) or (SIZE,), the coefficients.

    Returns:
        A scalar of the same kind.
    """
    total = None
    for degree in range(DEGREE, 0, -1):
        part = x[..., _PARTS[degree]]
        tensor = part if total is None else total + part
        total = tensor[..., 0::DIM] * w[0]
        for j in range(1, DIM):
            total = total + tensor[..., j::DIM] * w[j]
    if len(x.shape) == 1:
        return total[0]
    rows = int(x.shape[0])
    mean = total[0, 0]
    for r in range(1, rows):
        mean = mean + total[r, 0]
    return mean * (1.0 / rows)


def column(entry: tuple[int, ...]) -> int:
    """The column of x that multiplies the product of the w[j], j in `entry`."""
    return _PARTS[len(entry)].start + sum(j * DIM**place for place, j in enumerate(reversed(entry)))


class Quartic:
    """Losses with exact derivatives, from mean coefficients (..., SIZE): sums of symmetric tensors T_n[w, ..., w]."""

    def __init__(self, coefficients: np.ndarray) -> None:
        self._tensors = [_symmetric(coefficients[..., _PARTS[n]], n) for n in range(1, DEGREE + 1)]

    def derivative(self, order: int, w: np.ndarray) -> np.ndarray:
        """(..., DIM^order) at w (..., DIM), order 1 to 4: the sum over n of n!/(n - order)! T_n[w, ..., w, .]."""
        found = math.perm(DEGREE, order) * self._tensors[-1]
        for degree in range(DEGREE - 1, order - 1, -1):
            found = contracted(found, w) + math.perm(degree, order) * self._tensors[degree - 1]
        return np.broadcast_to(found, (*np.broadcast_shapes(found.shape[:-1], w.shape[:-1]), DIM**order))

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """(..., DIM)."""
        return self.derivative(1, w)

    def hessian(self, w: np.ndarray) -> np.ndarray:
        """(..., DIM, DIM)."""
        return self.derivative(2, w).reshape(*w.shape, DIM)


def contracted(tensor: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A flat tensor (..., DIM^n) with one slot filled by v (..., DIM): (..., DIM^(n-1))."""
    return (tensor.reshape(*tensor.shape[:-1], -1, DIM) @ v[..., None])[..., 0]


def _symmetric(tensor: np.ndarray, degree: int) -> np.ndarray:
    """A flat tensor (..., DIM^degree), averaged over the orders of its slots."""
    first = tensor.ndim - 1
    boxes = tensor.reshape(*tensor.shape[:-1], *[DIM] * degree)
    orders = itertools.permutations(range(first, first + degree))
    return np.mean([boxes.transpose(*range(first), *order) for order in orders], axis=0).reshape(tensor.shape)
