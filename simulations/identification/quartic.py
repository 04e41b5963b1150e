"""Quartic losses whose coefficients are the data: what a meta-gradient under examination is given to differentiate.

loss(w, x) is the mean over the rows of x of x . phi(w), phi(w) the monomials of degree 1 to 4 in w. It uses + and *
and indexing alone, so it runs on NumPy, torch, JAX, TensorFlow or autograd values as it stands, and on one row or many,
batched, traced or cast. The degree is four because a central difference of gradients is exact on cubics, and would not
tell HF-MAML from MAML there. Derivatives are exact here; coefficients and points are dyadic, so casts lose nothing.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

DIM = 4
DEGREE = 4

EXPONENTS = np.array(
    [powers for powers in itertools.product(range(DEGREE + 1), repeat=DIM) if 1 <= sum(powers) <= DEGREE]
)
EXPONENTS = EXPONENTS[np.lexsort((*EXPONENTS.T, EXPONENTS.sum(axis=1)))]
SIZE = len(EXPONENTS)


def _chain() -> list[tuple[int, int]]:
    """Each monomial as (earlier monomial or -1, index of the w it is multiplied by)."""
    place = {tuple(powers): k for k, powers in enumerate(EXPONENTS)}
    steps = []
    for powers in EXPONENTS:
        j = int(np.flatnonzero(powers)[0])
        shorter = tuple(powers - np.eye(DIM, dtype=int)[j])
        steps.append((place.get(shorter, -1), j))
    return steps


_CHAIN = _chain()


def loss(w, x):
    """Mean over the rows of x of x . phi(w).

    Args:
        w: (DIM,) of any kind that supports indexing, + and *.
        x: (rows, SIZE) or (SIZE,), the coefficients.

    Returns:
        A scalar of the same kind.
    """
    monomials, total = [], None
    for k, (earlier, j) in enumerate(_CHAIN):
        monomials.append(w[j] if earlier < 0 else monomials[earlier] * w[j])
        term = x[..., k] * monomials[k]
        total = term if total is None else total + term
    if len(x.shape) == 1:
        return total
    rows = int(x.shape[0])
    mean = total[0]
    for r in range(1, rows):
        mean = mean + total[r]
    return mean * (1.0 / rows)


def _places(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """For every entry of a symmetric tensor: its monomial, and how many entries share it."""
    units = np.eye(DIM, dtype=int)
    powers = np.array([units[list(entry)].sum(axis=0) for entry in itertools.product(range(DIM), repeat=degree)])
    place = (powers[:, None, :] == EXPONENTS[None]).all(axis=2).argmax(axis=1)
    return place, np.bincount(place, minlength=SIZE)[place]


_PLACES = [_places(degree) for degree in range(1, DEGREE + 1)]


class Quartic:
    """Losses with exact derivatives, from mean coefficients (..., SIZE): sums of symmetric tensors T_n[w, ..., w]."""

    def __init__(self, coefficients: np.ndarray) -> None:
        self._tensors = [coefficients[..., place] / shared for place, shared in _PLACES]

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
