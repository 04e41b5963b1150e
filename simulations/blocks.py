"""Small loops over blocks of rows that methods, step rules and the engine share; sums run in one fixed order."""

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


@inlined
def tile(w, block):
    """Every row of the block becomes w."""
    for r in range(block.shape[0]):
        for j in range(w.size):
            block[r, j] = w[j]


@inlined
def gather(table, picks, parameters):
    """The table's columns of these picks: parameters[p, r] = table[p, picks[r]]."""
    for p in range(table.shape[0]):
        for r in range(picks.size):
            source, target = table[p, picks[r]], parameters[p, r]
            for j in range(source.size):
                target[j] = source[j]


@inlined
def weighted_sum(weights, rows, out):
    """out = sum_r weights[r] rows[r], from the first row to the last."""
    for j in range(out.size):
        out[j] = 0.0
    for r in range(weights.size):
        for j in range(out.size):
            out[j] += weights[r] * rows[r, j]
