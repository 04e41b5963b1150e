"""Gauss rules of symmetric laws from their three-term recurrences, and the recurrences from their moments."""

from __future__ import annotations

import numpy as np
from flint import fmpq

from simulations.noise import Nodes


def symmetric_rule(steps: np.ndarray) -> Nodes:
    """The Gauss rule whose monic orthogonal polynomials satisfy p_{k+1} = x p_k - steps[k-1] p_{k-1}."""
    from scipy.linalg import eigh_tridiagonal

    points, vectors = eigh_tridiagonal(np.zeros(len(steps) + 1), np.sqrt(steps))
    return points, vectors[0] ** 2


def recurrence(even_moments: list[fmpq]) -> list[fmpq]:
    """The steps of a symmetric law from E X^0, E X^2, ..., E X^{2n}: n of them, by Chebyshev's algorithm, exactly."""
    n = len(even_moments) - 1
    row = [even_moments[k // 2] if k % 2 == 0 else fmpq(0) for k in range(2 * n + 1)]
    before, steps, last = [fmpq(0)] * (2 * n + 1), [], fmpq(0)
    for k in range(1, n + 1):
        after = [fmpq(0)] * (2 * n + 1)
        for j in range(k, 2 * n + 1 - k):
            after[j] = row[j + 1] - last * before[j]
        last = after[k] / row[k - 1]
        steps.append(last)
        before, row = row, after
    return steps
