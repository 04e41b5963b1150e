"""Quartic losses whose coefficients are the data: what a meta-gradient under examination is given to differentiate.

loss(w, x) is the mean over the rows of x of x . phi(w), phi(w) the monomials of degree 1 to 4 in w. It uses + and *
and indexing alone, so it runs on NumPy, torch, JAX, TensorFlow or autograd values as it stands, and on one row or many,
batched, traced or cast. The degree is four because a central difference of gradients is exact on cubics, and would not
tell HF-MAML from MAML there. Derivatives are exact here; coefficients and points are dyadic, so casts lose nothing.
"""

from __future__ import annotations

import itertools

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


def _derivative(factors: np.ndarray, powers: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and exponents of monomials after one more derivative, along a new last axis of length DIM."""
    unit = np.eye(DIM, dtype=int)
    lowered = powers[..., None, :] - unit
    return factors[..., None] * powers, np.maximum(lowered, 0)


_FACTORS = [np.ones(SIZE)]
_POWERS = [EXPONENTS]
for _order in range(2):
    _next = _derivative(_FACTORS[-1], _POWERS[-1], _order)
    _FACTORS.append(_next[0])
    _POWERS.append(_next[1])


def _monomials(w: np.ndarray, order: int) -> np.ndarray:
    """The derivatives of phi of this order at w: (SIZE,) followed by `order` axes of length DIM."""
    table = w[:, None] ** np.arange(DEGREE + 1)
    powers = _POWERS[order]
    found = _FACTORS[order].copy()
    for j in range(DIM):
        found *= table[j][powers[..., j]]
    return found


def gradient(coefficients: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Exact gradient at w, (DIM,), of the loss with these mean coefficients (SIZE,)."""
    return coefficients @ _monomials(w, 1)


def hessian(coefficients: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Exact Hessian at w, (DIM, DIM), of the loss with these mean coefficients (SIZE,)."""
    return np.tensordot(coefficients, _monomials(w, 2), 1)
