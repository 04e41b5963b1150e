"""Hessian noise with independent normal entries on and above the diagonal: the Gaussian orthogonal ensemble.

Off the diagonal the variance is s^2, on it 2 s^2, with s^2 = sigma_H^2/(d + 1), so that E N^2 = sigma_H^2 I. Given v
the vector N v is normal with covariance s^2 (||v||^2 I + v v^T), so d + 1 normals draw it. Two products at one address
share these normals and not one N: every law here is that of one product.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from simulations.blocks import norm
from simulations.kernels import SAMPLED_PRODUCTS, callback
from simulations.noise import HessianNoise, Strong
from simulations.philox import add_normals

_STEPS, _EVERY, _LARGEST = 200, 20, 64


@callback(SAMPLED_PRODUCTS)
def sampled_products(tasks, spread, points, vectors, picks, parameters, samples, address, out):
    """Hessian-vector products plus N v; spread = (sigma_tilde, sigma_H)."""
    tasks.products(points, vectors, picks, parameters, tasks.shared, out)
    rows, d = vectors.shape
    scale = spread[1] / math.sqrt((d + 1) * samples)
    if scale > 0.0:
        z = np.zeros((rows, d + 1))
        add_normals(z.ravel(), scale, address)
        for r in range(rows):
            length = norm(vectors[r])
            for j in range(d):
                out[r, j] += length * z[r, j] + z[r, d] * vectors[r, j]


@cache
def largest_square(d: int) -> float:
    """E||N||_op^2 for sigma_H = 1 by quadrature: from 1 for d = 1 towards 4, the square of the semicircle's end.

    With entries of variance 1/2 and 1 the eigenvalues have density c prod |l_i - l_j| exp(-sum l_i^2/2). De Bruijn's
    formula makes P(all |l_i| <= t) a Pfaffian of integrals of Hermite functions over [-t, t], and their parity makes
    that a determinant of half the size: even against odd functions, with one column of plain integrals where d is odd.
    """
    from scipy.integrate import cumulative_simpson, simpson

    u = np.linspace(0.0, math.sqrt(2 * d) + 8, _STEPS * _EVERY + 1)
    step, functions = u[1], _hermite_functions(d, u)
    inner = cumulative_simpson(functions[0::2], dx=step, initial=0)
    pairs = 2 * cumulative_simpson(inner[:, None] * functions[None, 1::2], dx=step, initial=0)
    matrix = np.concatenate([pairs, inner[:, None]], axis=1) if d % 2 else pairs
    below = np.linalg.det(matrix[:, :, ::_EVERY].transpose(2, 0, 1))
    above = 1 - below / below[-1]
    return float(simpson(2 * u[::_EVERY] * above, dx=_EVERY * step)) * 2 / (d + 1)


def _hermite_functions(count: int, u: np.ndarray) -> np.ndarray:
    """The first orthonormal Hermite functions, (count, points)."""
    found = [math.pi**-0.25 * np.exp(-(u**2) / 2)]
    for k in range(1, count):
        before = math.sqrt((k - 1) / k) * found[k - 2] if k > 1 else 0.0
        found.append(math.sqrt(2 / k) * u * found[k - 1] - before)
    return np.array(found)


def strong(d: int, D: float) -> Strong | None:
    """A mean of D samples is the same ensemble with 1/D of the variance."""
    if d > _LARGEST:
        return None
    return Strong(1 / D, "exact") if d == 1 else Strong(largest_square(d) / D, "quadrature")


def symmetric() -> HessianNoise:
    """A full symmetric matrix a task."""
    return HessianNoise("symmetric", sampled_products, strong=strong, one_matrix=False)
