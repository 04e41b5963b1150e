"""Sums in one fixed order, so that results are the same bits everywhere."""

from __future__ import annotations

import math

from simulations.kernels import inlined


@inlined
def norm(vector):
    """Euclidean norm, summed from the first entry to the last."""
    total = 0.0
    for x in vector:
        total += x * x
    return math.sqrt(total)
