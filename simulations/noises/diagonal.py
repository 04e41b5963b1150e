"""Hessian noise N = sigma_H diag(z) with z normal: weakly 1/D, strongly E max_j z_j^2/D, about 2 log(d) times that."""

from __future__ import annotations

import math

import numpy as np

from simulations.blocks import add_product
from simulations.kernels import SAMPLED_PRODUCTS, callback
from simulations.noise import HessianNoise, Strong
from simulations.philox import add_normals


@callback(SAMPLED_PRODUCTS)
def sampled_products(tasks, spread, points, vectors, picks, parameters, samples, address, out):
    """Hessian-vector products plus sigma_H z v entry by entry; spread = (sigma_tilde, sigma_H)."""
    tasks.products(points, vectors, picks, parameters, tasks.shared, out)
    scale = spread[1] / math.sqrt(samples)
    if scale > 0.0:
        z = np.zeros(out.shape)
        add_normals(z, scale, address)
        add_product(z, vectors, out)


def strong(d: int, D: float) -> Strong:
    """E max_j z_j^2/D = integral of P(max |z| > t) 2 t dt/D."""

    def tail(t):
        return -2 * t * math.expm1(d * math.log1p(-math.erfc(t / math.sqrt(2))))

    if d == 1:
        return Strong(1 / D, "exact")
    from scipy.integrate import quad

    far = math.sqrt(2 * math.log(d)) + 10
    return Strong(quad(tail, 0, far, epsabs=0, epsrel=1e-11, limit=200)[0] / D, "quadrature")


def diagonal() -> HessianNoise:
    """One normal a task and coordinate."""
    return HessianNoise("diagonal", sampled_products, in_blocks=True, strong=strong, diagonal=True)
