"""Gradient noise +-s in every coordinate: the mean of D samples by counting, at a cost that does not grow with D.

The mean is s (2 K - D)/D with K binomial(D, 1/2). Up to D = 128 the count is that of the ones in D random bits. Above,
it is drawn by transformed rejection (Hoermann, The generation of binomial random variates, 1993, algorithm BTRS), whose
law is exact but for rounding: relative errors of probabilities are below 2e-13 wherever they exceed 1e-17.
"""

from __future__ import annotations

import math

import numpy as np

from simulations.elementary import log
from simulations.kernels import SAMPLED_GRADIENTS, callback, inlined
from simulations.noise import Coordinate, GradientNoise
from simulations.noises._rules import symmetric_rule
from simulations.philox import branch, philox, uniform_pair

_BITS = 64.0
_MOST_TERMS = 4096
_1, _2, _4, _56 = (np.uint64(n) for n in (1, 2, 4, 56))
_PAIRS, _FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_EIGHTS, _BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


@inlined
def ones(word):
    """Number of ones among the 64 bits of a word."""
    word = word - ((word >> _1) & _PAIRS)
    word = (word & _FOURS) + ((word >> _2) & _FOURS)
    word = (word + (word >> _4)) & _EIGHTS
    return (word * _BYTES) >> _56


@inlined
def count(word, bits):
    """Number of ones among so many bits of a word; none for bits <= 0."""
    return np.float64(ones(word >> np.uint64(_BITS - bits))) if bits > 0.0 else 0.0


@inlined
def _stirling(k):
    """log k! less Stirling's formula, to 1e-16 for k > 16."""
    z = 1.0 / (k * k)
    return (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z / 1188)))) / k


@inlined
def log_ratio(x, D):
    """log of P(K = D/2 + x) sqrt(pi D/2), for |x| < D/2."""
    y = 2.0 * x / D
    entropy = y * math.log1p(2.0 * y / (1.0 - y)) + math.log1p(-y * y)
    lost = _stirling(D) - _stirling(0.5 * D + x) - _stirling(0.5 * D - x)
    return -0.5 * D * entropy - 0.5 * math.log1p(-y * y) + lost


@inlined
def hat(D):
    """a, b, alpha and the height of the squeeze of BTRS at p = 1/2."""
    root = 0.5 * math.sqrt(D)
    b = 1.15 + 2.53 * root
    return -0.0823 + 0.0248 * b, b, (2.83 + 5.1 / b) * root, 0.92 - 4.2 / b


@inlined
def deviation(D, element, address):
    """K - D/2 for D above 128: candidates in branches 1, 2, ... of the address until one is taken."""
    a, b, alpha, squeeze = hat(D)
    half = 0.5 * D - math.floor(0.5 * D)
    top = log_ratio(half, D)
    attempt, x, searching = 0, 0.0, True
    while searching:
        attempt += 1
        first, second = uniform_pair(element, branch(address, attempt))
        u = first - 0.5
        edge = 0.5 - abs(u)
        x = math.floor((2.0 * a / edge + b) * u + half + 0.5) - half
        if edge >= 0.07 and second <= squeeze:
            searching = False
        elif abs(x) < 0.5 * D:
            searching = log(second * alpha / (a / (edge * edge) + b)) > log_ratio(x, D) - top
    return x


@callback(SAMPLED_GRADIENTS)
def sampled_gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus the mean of signs; spread = (sigma_tilde, sigma_H)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    scale = spread[0] / math.sqrt(points.shape[1])
    if scale == 0.0 or samples == np.inf:
        return
    block, unit = out.ravel(), 2.0 * scale / samples
    if samples > 2.0 * _BITS:
        for e in range(block.size):
            block[e] += unit * deviation(samples, np.uint64(e), address)
    else:
        for e in range(block.size):
            first, second = philox(np.uint64(e), address.iteration, address.replicate, address.role, address.seed)
            block[e] += unit * (count(first, min(samples, _BITS)) + count(second, samples - _BITS) - 0.5 * samples)


def law(scale: float, D: float, d: int) -> Coordinate:
    """Binomial; the rule is the finite sum where n > D, else Gauss-Krawtchouk with n nodes."""

    from scipy.special import gammaln

    def rule(n):
        if n > D:
            k = np.arange(D + 1)
            weights = np.exp(gammaln(D + 1) - gammaln(k + 1) - gammaln(D - k + 1) - D * math.log(2))
            return scale * (2 * k - D) / D, weights / weights.sum()
        k = np.arange(1, n)
        return symmetric_rule(k * (D - k + 1) * (scale / D) ** 2)

    def ball(t):
        return (t * scale / D).cos() ** int(D)

    return Coordinate(scale * scale / D, ball, rule)


def length(m: np.ndarray, scale: float, D: float) -> np.ndarray:
    """E||m + noise|| = integral over t > 0 of (1 - prod_j E exp(-t (m_j + X_j)^2)) t^(-3/2)/(2 sqrt(pi)).

    In u = log t the integrand is entire and falls off on both sides like exp(-|u|/2): the trapezoidal rule converges
    geometrically.

    Raises:
        ValueError: D is too large to visit all D + 1 values of the mean.
    """
    if D > _MOST_TERMS:
        raise ValueError(f"the mean norm with rademacher noise sums all D + 1 values: D must be up to {_MOST_TERMS}")
    points, weights = law(scale, D, m.shape[1]).rule(int(D) + 1)
    squares = (m[:, :, None] + points) ** 2
    total, middle, step = np.zeros(len(m)), -math.log(squares.max() * m.shape[1]), 0.25
    for u in np.arange(middle - 75, middle + 75, step):
        with np.errstate(divide="ignore"):
            damped = np.log1p(np.maximum(np.expm1(-math.exp(u) * squares) @ weights, -1.0)).sum(axis=1)
        total -= np.expm1(damped) * math.exp(-u / 2)
    return total * step / (2 * math.sqrt(math.pi))


def rademacher() -> GradientNoise:
    """Independent signs times sigma_tilde/sqrt(d), one a coordinate and sample."""
    return GradientNoise("rademacher", sampled_gradients, whole=True, most=2**53, law=law, length=length)
