"""A sample oracle: f_i(w, theta) = f_i(w) + e(w, theta) with one random function e for gradients and Hessians alike.

e(w) = -(s/kappa) cos(kappa u . w + phi), with u uniform on the sphere and phi uniform on the circle, so
    grad e = s sin(kappa u . w + phi) u        Hess e = s kappa cos(kappa u . w + phi) u u^T.
Over phi both have mean zero at every w; E||grad e||^2 = s^2/2 and E||Hess e v||^2 = s^2 kappa^2 ||v||^2/(2 d). So
s = sqrt(2) sigma_tilde and kappa = sqrt(d) sigma_H/sigma_tilde meet both constants with equality, and one Hessian has
E||N||_op^2 = d sigma_H^2, d times what (A5) asks for in its weak reading. At one address gradients and products belong
to the same functions. A mean of D samples is drawn sample by sample: its law is no simpler.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from flint import arb, fmpq

from simulations.elementary import turn
from simulations.kernels import SAMPLED_GRADIENTS, SAMPLED_PRODUCTS, callback, inlined
from simulations.noise import Coordinate, GradientNoise, HessianNoise, Nodes, Strong
from simulations.noises._rules import recurrence, symmetric_rule
from simulations.philox import MOST_BRANCHES, add_normals, branch, uniform_pair

_MOST = MOST_BRANCHES // 2
_MOST_NODES = 128
_TURN = 2 * math.pi


@inlined
def draw(k, directions, address):
    """The directions of sample k, one a row and not yet of length 1; phases are at the branch this returns."""
    block = directions.ravel()
    block[:] = 0.0
    add_normals(block, 1.0, branch(address, 2 * k + 1))
    return branch(address, 2 * k + 2)


@inlined
def wave(point, direction, row, kappa, phases):
    """Sine and cosine of kappa u . w + phi, and the length of the direction, which is that times u."""
    along, square = 0.0, 0.0
    for j in range(point.size):
        along += direction[j] * point[j]
        square += direction[j] * direction[j]
    length = math.sqrt(square)
    turns = kappa * along / (length * _TURN) + uniform_pair(np.uint64(row), phases)[0]
    sine, cosine = turn(turns - math.floor(turns))
    return sine, cosine, length


@callback(SAMPLED_GRADIENTS)
def sampled_gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus the mean of D random functions' gradients; spread = (sigma_tilde, sigma_H, kappa)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    if spread[0] == 0.0 or samples == np.inf:
        return
    scale, directions = math.sqrt(2.0) * spread[0] / samples, np.empty(points.shape)
    for k in range(int(samples)):
        phases = draw(k, directions, address)
        for r in range(picks.size):
            sine, _, length = wave(points[r], directions[r], r, spread[2], phases)
            for j in range(points.shape[1]):
                out[r, j] += scale * sine / length * directions[r, j]


@callback(SAMPLED_PRODUCTS)
def sampled_products(tasks, spread, points, vectors, picks, parameters, samples, address, out):
    """Hessian-vector products plus the mean of D random functions' products; spread = (sigma_tilde, sigma_H, kappa)."""
    tasks.products(points, vectors, picks, parameters, tasks.shared, out)
    if spread[1] == 0.0 or samples == np.inf:
        return
    scale, directions = math.sqrt(2.0) * spread[0] * spread[2] / samples, np.empty(points.shape)
    for k in range(int(samples)):
        phases = draw(k, directions, address)
        for r in range(picks.size):
            _, cosine, length = wave(points[r], directions[r], r, spread[2], phases)
            along = 0.0
            for j in range(points.shape[1]):
                along += directions[r, j] * vectors[r, j]
            for j in range(points.shape[1]):
                out[r, j] += scale * cosine * along / (length * length) * directions[r, j]


def parameters(sigma_tilde: float, sigma_H: float, d: int) -> tuple[float]:
    """kappa = sqrt(d) sigma_H/sigma_tilde.

    Raises:
        ValueError: sigma_H is positive and sigma_tilde is zero.
    """
    if sigma_tilde == 0 and sigma_H > 0:
        raise ValueError(
            f"sigma_tilde must be positive for random_feature noise with sigma_H = {sigma_H:g}: "
            "a random function whose gradient vanishes has no Hessian"
        )
    return (math.sqrt(d) * sigma_H / sigma_tilde if sigma_H else 0.0,)


@cache
def _steps(D: int, d: int, n: int) -> np.ndarray:
    """Recurrence of one coordinate of a mean of D samples, in units of one sample's deviation; n steps.

    One sample has E X^{2k} = (2d)^k ((1/2)_k)^2/((d/2)_k k!); the mean's moments are those of a power of its generating
    function, whose coefficients follow J. C. P. Miller's recurrence.
    """
    one, half = [fmpq(1)], fmpq(1, 2)
    for k in range(n):
        rising = (half + k) ** 2 / ((fmpq(d, 2) + k) * (k + 1))
        one.append(one[-1] * 2 * d * rising / ((2 * k + 1) * (2 * k + 2)))
    power = [fmpq(1)]
    for k in range(1, n + 1):
        power.append(sum((i * D - (k - i)) * one[i] * power[k - i] for i in range(1, k + 1)) / k)
    moments = [c * math.factorial(2 * k) / fmpq(D) ** (2 * k) for k, c in enumerate(power)]
    return np.array([int(step.p) / int(step.q) for step in recurrence(moments)])


def law(scale: float, D: float, d: int) -> Coordinate:
    """One coordinate of s sin(phi) u; the rule is Gauss's, from exact moments, and raises ValueError beyond them."""

    def ball(t):
        x = t * scale / D
        return (-x * x * d / 2).hypgeom([arb(1) / 2], [arb(1), arb(d) / 2]) ** int(D)

    def rule(n: int) -> Nodes:
        if n > _MOST_NODES:
            raise ValueError(f"quadrature for random_feature noise does not settle with {_MOST_NODES} nodes")
        points, weights = symmetric_rule(_steps(int(D), d, n - 1))
        return scale * points, weights

    return Coordinate(scale * scale / D, ball, rule)


def length(m: np.ndarray, scale: float, D: float) -> np.ndarray:
    """E||m + x u|| for x = s sin(phi): over u it is M 2F1(-1/2, (1-d)/2; d/2; (least/M)^2), M = max(||m||, |x|).

    Raises:
        ValueError: D is more than 1.
    """
    if D > 1:
        raise ValueError(f"the mean norm of {D:g} random features has no exact form: D must be 1 or None")
    from scipy.integrate import quad
    from scipy.special import hyp2f1

    d, s = m.shape[1], math.sqrt(2 * m.shape[1]) * scale

    def given(phi, distance):
        least, most = sorted((s * math.sin(phi), distance))
        return most * hyp2f1(-0.5, (1 - d) / 2, d / 2, (least / most) ** 2) * 2 / math.pi

    def mean(distance):
        bend = [math.asin(distance / s)] if distance < s else None
        return quad(given, 0, math.pi / 2, args=(distance,), points=bend, epsabs=0, epsrel=1e-12)[0]

    return np.array([mean(distance) for distance in np.linalg.norm(m, axis=1)])


def random_feature() -> GradientNoise:
    """Gradients and Hessians of random cosines."""
    hessians = HessianNoise(
        "random_feature",
        sampled_products,
        whole=True,
        most=_MOST,
        strong=lambda d, D: Strong(d / D, "exact" if D == 1 or d == 1 else "bound"),
    )
    return GradientNoise(
        "random_feature",
        sampled_gradients,
        whole=True,
        most=_MOST,
        parameters=parameters,
        law=law,
        length=length,
        round=True,
        partner=hessians,
    )
