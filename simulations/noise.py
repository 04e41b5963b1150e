"""Oracle noise: Gaussian gradients, and Hessian noise N = sigma_H z I, each the exact law of a mean of D samples.

The gradient noise of one sample is normal with covariance (sigma_tilde^2/d) I, so that E||noise||^2 = sigma_tilde^2
(A5 with equality). The Hessian noise has E||N v||^2 = sigma_H^2 ||v||^2 and E||N||_op^2 = sigma_H^2: A5 with equality
in both of its readings, for every batch size.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.kernels import SAMPLED_GRADIENTS, SAMPLED_PRODUCTS, callback
from simulations.philox import normal_pair

ONE = np.uint64(1)


@callback(SAMPLED_GRADIENTS)
def gaussian_gradients(tasks, spread, points, picks, samples, address, out):
    """Gradients plus normal noise; spread = (sigma_tilde, sigma_H)."""
    tasks.gradients(points, picks, tasks.table, tasks.shared, out)
    rows, d = points.shape
    scale = spread[0] / math.sqrt(d * samples)
    if scale == 0.0:
        return
    pairs = (d + 1) // 2
    for r in range(rows):
        for pair in range(pairs):
            even, odd = normal_pair(np.uint64(r * pairs + pair), address)
            out[r, 2 * pair] += scale * even
            if 2 * pair + 1 < d:
                out[r, 2 * pair + 1] += scale * odd


@callback(SAMPLED_PRODUCTS)
def isotropic_products(tasks, spread, points, vectors, picks, samples, address, out):
    """Hessian-vector products plus sigma_H z v, one normal z a task; spread = (sigma_tilde, sigma_H)."""
    tasks.products(points, vectors, picks, tasks.table, tasks.shared, out)
    scale = spread[1] / math.sqrt(samples)
    if scale == 0.0:
        return
    rows, d = points.shape
    for r in range(rows):
        even, odd = normal_pair(np.uint64(r) >> ONE, address)
        z = odd if r % 2 else even
        for j in range(d):
            out[r, j] += scale * z * vectors[r, j]
