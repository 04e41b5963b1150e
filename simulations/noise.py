"""Oracle noise: Gaussian gradients, and Hessian noise N = sigma_H z I, each the exact law of a mean of D samples.

The gradient noise of one sample is normal with covariance (sigma_tilde^2/d) I, so that E||noise||^2 = sigma_tilde^2
(A5 with equality). The Hessian noise has E||N v||^2 = sigma_H^2 ||v||^2 and E||N||_op^2 = sigma_H^2: A5 with equality
in both of its readings, for every batch size.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.blocks import shift_rows
from simulations.kernels import SAMPLED_GRADIENTS, SAMPLED_PRODUCTS, callback, inlined
from simulations.philox import OUTER, add_normals, at


@inlined
def deviation(spread, d, samples):
    """Standard deviation of a coordinate of a mean gradient."""
    return spread[0] / math.sqrt(d * samples)


@callback(SAMPLED_GRADIENTS)
def gaussian_gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus normal noise; spread = (sigma_tilde, sigma_H)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    add_normals(out, deviation(spread, points.shape[-1], samples), address)


@callback(SAMPLED_PRODUCTS)
def isotropic_products(tasks, spread, points, vectors, picks, parameters, samples, address, out):
    """Hessian-vector products plus sigma_H z v, one normal z a task; spread = (sigma_tilde, sigma_H)."""
    tasks.products(points, vectors, picks, parameters, tasks.shared, out)
    scale = spread[1] / math.sqrt(samples)
    if scale > 0.0:
        z = np.zeros(out.shape[:-1])
        add_normals(z, scale, address)
        shift_rows(out, 1.0, z, vectors, out)


@inlined
def outer_noise(oracle, setting, squares, address, out):
    """Add to every lane's direction the outer noise of its batch, merged into one vector of these variances."""
    noise = np.zeros(out.shape)
    add_normals(noise, deviation(oracle.spread, out.shape[-1], setting.D_o), at(address, OUTER))
    out += np.sqrt(squares) * noise
