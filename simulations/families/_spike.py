"""One task on a line that brings (7) as near to its sharp constant as rho allows: THEORY.md section 2.

f'' = r(u) - r(u - w + h) + r(u - w - h) with r(v) = rho v cut off at -L and L, h = L/rho: -L left of the adapted point
0, L right of it, and -L again on a spike at w. There f'(0) = a s and f'(w) = w/alpha, for inner noise +-s: MAML steps
from w to 0 and its noisy gradients are larger on either side. F is not bounded below, which (7) does not ask for, so
this is no registered family.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from simulations import separable
from simulations.family import Family, Formula, real
from simulations.kernels import inlined, on_arrays
from theory import Constants
from theory.rationals import Number, exact


@inlined
def once(v, L, h):
    """The integral of r from 0 to v."""
    near = np.minimum(np.abs(v), h)
    return L * (0.5 * near * near / h + np.abs(v) - near)


@inlined
def twice(v, L, h):
    """The integral of `once` from 0 to v."""
    size = np.abs(v)
    near = np.minimum(size, h)
    far = size - near
    return np.copysign(L * (near * near * near / (6.0 * h) + far * (0.5 * h + 0.5 * far)), v)


@inlined
def value(u, spike, base, shared):
    """The task, with shared = (L, h)."""
    L, h = shared[0], shared[1]
    return base * u + twice(u, L, h) - twice(u - spike + h, L, h) + twice(u - spike - h, L, h)


@inlined
def slope(u, spike, base, shared):
    """First derivative of `value`."""
    L, h = shared[0], shared[1]
    return base + once(u, L, h) - once(u - spike + h, L, h) + once(u - spike - h, L, h)


@inlined
def curvature(u, spike, base, shared):
    """Second derivative of `value`."""
    L, h = shared[0], shared[1]
    ramps = np.minimum(np.maximum(u, -h), h) - np.minimum(np.maximum(u - spike + h, -h), h)
    return L / h * (ramps + np.minimum(np.maximum(u - spike - h, -h), h))


KERNELS = separable.rows(value, slope, curvature, shared=2)


def expression(row, shared, w):
    """The task as SymPy writes it."""
    ((place,), (base,)), (L, h), (u,) = row, shared, w

    def cubic(v):
        near = sp.Min(sp.Abs(v), h)
        far = sp.Abs(v) - near
        return sp.sign(v) * L * (near**3 / (6 * h) + far * (h + far) / 2)

    return base * u + cubic(u) - cubic(u - place + h) + cubic(u - place - h)


def floors(family: Family, alpha: float) -> np.ndarray:
    """Far to the left the task falls without end."""
    return np.array([-np.inf])


def spike(sharpness: float = 1e4, L: Number = 1.0, sigma_tilde: Number = 1.0, alpha: Number = "1/6") -> Family:
    """The task.

    Args:
        sharpness: rho alpha sigma_tilde/L, at least 100.
        L, sigma_tilde: as everywhere; rho follows.
        alpha: the inner step it is made for.

    Raises:
        ValueError: the spike would be too wide, or alpha L is not in (0, 1/2).
    """
    smooth, s, step = real(L), real(sigma_tilde), real(alpha)
    a = step * smooth
    if not 0 < a < 0.5:
        raise ValueError(f"alpha L must lie in (0, 1/2) for a spike, got {a:g}")
    rho = sharpness * smooth / (step * s)
    h = smooth / rho
    w = step * (a * s - 2.5 * smooth * h) / (1 - a)
    if w < 4 * h:
        raise ValueError(f"sharpness must be larger for a spike, got {sharpness:g}")
    return Family(
        name="spike",
        kernels=KERNELS,
        table=np.array([[[w]], [[a * s - 2 * smooth * h]]]),
        shared=np.array([smooth, h]),
        probabilities=np.ones(1),
        constants=Constants(L, exact(rho), 0, sigma_tilde, 0),
        standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H"), "attained"),
        start=np.array([w]),
        expression=expression,
        formula=Formula(on_arrays(value), on_arrays(slope), on_arrays(curvature), floors),
    )
