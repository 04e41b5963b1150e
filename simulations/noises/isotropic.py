"""Hessian noise N = sigma_H z I with z normal: (A5) with equality in both of its readings, for every batch size."""

from __future__ import annotations

import math

import numpy as np

from simulations.blocks import shift_rows
from simulations.kernels import SAMPLED_PRODUCTS, callback
from simulations.noise import HessianNoise, Strong
from simulations.philox import add_normals


@callback(SAMPLED_PRODUCTS)
def sampled_products(tasks, spread, points, vectors, picks, parameters, samples, address, out):
    """Hessian-vector products plus sigma_H z v, one normal z a task; spread = (sigma_tilde, sigma_H)."""
    tasks.products(points, vectors, picks, parameters, tasks.shared, out)
    scale = spread[1] / math.sqrt(samples)
    if scale > 0.0:
        z = np.zeros(out.shape[:-1])
        add_normals(z, scale, address)
        shift_rows(out, 1.0, z, vectors, out)


def strong(d: int, D: float) -> Strong:
    """N is a multiple of I."""
    return Strong(1 / D, "exact")


def isotropic() -> HessianNoise:
    """One normal a task, the same in every direction."""
    return HessianNoise("isotropic", sampled_products, in_blocks=True, strong=strong, diagonal=True)
