"""A door to single draws of an oracle: what it adds to gradients and Hessian-vector products, row by row."""

import numpy as np

from simulations.kernels import ADDRESS, MATRIX, ORACLE, PICKS, REAL, TABLE, Address, compiled, types
from simulations.philox import INNER


@compiled(types.void(ORACLE, MATRIX, MATRIX, PICKS, TABLE, REAL, ADDRESS, MATRIX, MATRIX))
def _sampled(oracle, points, vectors, picks, parameters, samples, address, gradients, products):
    oracle.gradients(oracle.tasks, oracle.spread, points, picks, parameters, samples, address, gradients)
    oracle.products(oracle.tasks, oracle.spread, points, vectors, picks, parameters, samples, address, products)


def noise_of(family, samples, count, points=None, vectors=None, seed=9):
    """The noise of gradients and of products with `vectors`, both at one address: each (count, d).

    points, vectors: (d,) or (count, d), the start by default.
    """
    picks = np.arange(count) % family.size
    points, vectors = (
        np.array(np.broadcast_to(family.start if rows is None else rows, (count, family.dim)), dtype=float, order="C")
        for rows in (points, vectors)
    )
    address = Address(np.uint64(seed), np.uint64(0), np.uint64(0), INNER)
    parameters, found = np.take(family.table, picks, axis=1), np.empty((2, 2, count, family.dim))
    for oracle, D, out in ((family.oracle, samples, found[0]), (family.oracle, np.inf, found[1])):
        _sampled(oracle, points, vectors, picks, parameters, float(D), address, *out)
    return found[0] - found[1]
