"""Small loops over blocks of rows that methods, noises, step rules and the engines share; sums run in one fixed order.

The rows of a block are those of one replicate after the other, its lanes, as many for each. Each loop comes twice:
as Numba compiles it, and as the array form that stands for it where all replicates are one axis in front. Kernels that
work through these alone run both ways as they stand.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.kernels import array_form, inlined

_NARROW = 8
"""Rows shorter than this are gone through by columns: a loop over so few entries costs more than it does."""


@inlined
def square(vector):
    """||vector||^2, in eight sums of every eighth entry that vector registers hold, on every machine the same."""
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    eights = vector.size // 8
    for n in range(np.uint64(eights)):
        j = np.uint64(8) * n
        s0 += vector[j] * vector[j]
        s1 += vector[j + np.uint64(1)] * vector[j + np.uint64(1)]
        s2 += vector[j + np.uint64(2)] * vector[j + np.uint64(2)]
        s3 += vector[j + np.uint64(3)] * vector[j + np.uint64(3)]
        s4 += vector[j + np.uint64(4)] * vector[j + np.uint64(4)]
        s5 += vector[j + np.uint64(5)] * vector[j + np.uint64(5)]
        s6 += vector[j + np.uint64(6)] * vector[j + np.uint64(6)]
        s7 += vector[j + np.uint64(7)] * vector[j + np.uint64(7)]
    total = ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
    for j in range(8 * eights, vector.size):
        total += vector[j] * vector[j]
    return total


@array_form(square)
def _(vector):
    return (vector * vector).sum(axis=-1)


@inlined
def norm(vector):
    """Euclidean norm."""
    return math.sqrt(square(vector))


@array_form(norm)
def _(vector):
    return np.sqrt((vector * vector).sum(axis=-1))


@inlined
def norms(rows, out):
    """out[r] = ||rows[r]||."""
    if rows.shape[1] < _NARROW:
        fill(0.0, out)
        for j in range(rows.shape[1]):
            for r in range(out.size):
                out[r] += rows[r, j] * rows[r, j]
        for r in range(out.size):
            out[r] = math.sqrt(out[r])
    else:
        for r in range(out.size):
            out[r] = norm(rows[r])


@array_form(norms)
def _(rows, out):
    out[...] = norm(rows)


@inlined
def products(left, right, out):
    """out[r] = <left[r], right[r]>."""
    for r in range(out.size):
        total = 0.0
        for j in range(left.shape[1]):
            total += left[r, j] * right[r, j]
        out[r] = total


@array_form(products)
def _(left, right, out):
    out[...] = (left * right).sum(axis=-1)


@inlined
def divide(numerators, denominators, out):
    """out = numerators/denominators, and 0 where the denominator is."""
    for r in range(out.size):
        out[r] = numerators[r] / denominators[r] if denominators[r] != 0.0 else 0.0


@array_form(divide)
def _(numerators, denominators, out):
    zero = denominators == 0.0
    out[...] = np.where(zero, 0.0, numerators / np.where(zero, 1.0, denominators))


@inlined
def means(weights, numbers, out):
    """out[lane] = sum_r weights[r] numbers[r] over the rows of this lane, from the first to the last."""
    for lane in range(out.size):
        total = 0.0
        for r in range(weights.size):
            total += weights[r] * numbers[lane * weights.size + r]
        out[lane] = total


@array_form(means)
def _(weights, numbers, out):
    out[...] = (weights * numbers).sum(axis=-1)


@inlined
def one_over(base, slope, numbers):
    """numbers = 1/(base + slope numbers)."""
    for lane in range(numbers.size):
        numbers[lane] = 1.0 / (base + slope * numbers[lane])


@array_form(one_over)
def _(base, slope, numbers):
    numbers[...] = 1.0 / (base + slope * numbers)


@inlined
def fill(number, block):
    """Every entry becomes this number."""
    entries = block.ravel()
    for e in range(entries.size):
        entries[e] = number


@array_form(fill)
def _(number, block):
    block[...] = number


@inlined
def tile(w, block):
    """Every row of the block becomes its lane's row of w."""
    rows = block.shape[0] // w.shape[0]
    for lane in range(w.shape[0]):
        if w.shape[1] < _NARROW:
            for j in range(w.shape[1]):
                for r in range(lane * rows, (lane + 1) * rows):
                    block[r, j] = w[lane, j]
        else:
            for r in range(lane * rows, (lane + 1) * rows):
                for j in range(w.shape[1]):
                    block[r, j] = w[lane, j]


@array_form(tile)
def _(w, block):
    block[...] = w[:, None, :]


@inlined
def copy(source, target):
    """target = source."""
    ours, theirs = source.ravel(), target.ravel()
    for e in range(ours.size):
        theirs[e] = ours[e]


@array_form(copy)
def _(source, target):
    target[...] = source


@inlined
def step_back(start, step, moved):
    """moved = start - step moved."""
    ours, theirs = start.ravel(), moved.ravel()
    for e in range(ours.size):
        theirs[e] = ours[e] - step * theirs[e]


@array_form(step_back)
def _(start, step, moved):
    moved[...] = start - step * moved


@inlined
def add(scale, block, out):
    """out += scale block."""
    ours, theirs = block.ravel(), out.ravel()
    for e in range(ours.size):
        theirs[e] += scale * ours[e]


@array_form(add)
def _(scale, block, out):
    out += scale * block


@inlined
def add_product(left, right, out):
    """out += left right, entry by entry."""
    ours, others, theirs = left.ravel(), right.ravel(), out.ravel()
    for e in range(ours.size):
        theirs[e] += ours[e] * others[e]


@array_form(add_product)
def _(left, right, out):
    out += left * right


@inlined
def add_roots(squares, block, out):
    """out += sqrt(squares) block, entry by entry."""
    ours, others, theirs = squares.ravel(), block.ravel(), out.ravel()
    for e in range(ours.size):
        theirs[e] += math.sqrt(ours[e]) * others[e]


@array_form(add_roots)
def _(squares, block, out):
    out += np.sqrt(squares) * block


@inlined
def shift_rows(start, sign, scales, rows, out):
    """out[r] = start[r] + sign scales[r] rows[r]; out may be start or rows."""
    if rows.shape[1] < _NARROW:
        for j in range(rows.shape[1]):
            for r in range(scales.size):
                out[r, j] = start[r, j] + sign * scales[r] * rows[r, j]
    else:
        for r in range(scales.size):
            scale = sign * scales[r]
            for j in range(rows.shape[1]):
                out[r, j] = start[r, j] + scale * rows[r, j]


@array_form(shift_rows)
def _(start, sign, scales, rows, out):
    out[...] = start + (sign * scales)[..., None] * rows


@inlined
def gather(table, picks, parameters):
    """The table's columns of these picks: parameters[p, r] = table[p, picks[r]]."""
    for p in range(table.shape[0]):
        if table.shape[2] < _NARROW:
            for j in range(table.shape[2]):
                for r in range(picks.size):
                    parameters[p, r, j] = table[p, picks[r], j]
        else:
            for r in range(picks.size):
                source, target = table[p, picks[r]], parameters[p, r]
                for j in range(source.size):
                    target[j] = source[j]


@array_form(gather)
def _(table, picks, parameters):
    parameters[...] = table[:, 0][:, picks]


@inlined
def weighted_sum(weights, rows, out):
    """out[lane] += sum_r weights[r] rows[r] over the rows of this lane, from the first row to the last."""
    for lane in range(out.shape[0]):
        if out.shape[1] < _NARROW:
            for j in range(out.shape[1]):
                total = out[lane, j]
                for r in range(weights.size):
                    total += weights[r] * rows[lane * weights.size + r, j]
                out[lane, j] = total
        else:
            sums = out[lane]
            for r in range(weights.size):
                weight, row = weights[r], rows[lane * weights.size + r]
                for j in range(sums.size):
                    sums[j] += weight * row[j]


@array_form(weighted_sum)
def _(weights, rows, out):
    out += (weights[:, None] * rows).sum(axis=-2)


@inlined
def weighted_products(weights, factors, rows, out, squares):
    """Entrywise out[lane] += sum_r weights[r] factors[r] rows[r], squares[lane] += sum_r (weights[r] factors[r])^2."""
    rows_each = weights.size
    for lane in range(out.shape[0]):
        if out.shape[1] < _NARROW:
            for j in range(out.shape[1]):
                total, square = out[lane, j], squares[lane, j]
                for r in range(rows_each):
                    share = weights[r] * factors[lane * rows_each + r, j]
                    total += share * rows[lane * rows_each + r, j]
                    square += share * share
                out[lane, j], squares[lane, j] = total, square
        else:
            sums, sums_of_squares = out[lane], squares[lane]
            for r in range(rows_each):
                weight, factor, row = weights[r], factors[lane * rows_each + r], rows[lane * rows_each + r]
                for j in range(sums.size):
                    share = weight * factor[j]
                    sums[j] += share * row[j]
                    sums_of_squares[j] += share * share


@array_form(weighted_products)
def _(weights, factors, rows, out, squares):
    shares = weights[:, None] * factors
    out += (shares * rows).sum(axis=-2)
    squares += (shares * shares).sum(axis=-2)
