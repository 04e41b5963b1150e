"""Heavy-tailed gradient noise: a vector z sqrt(W) of d normals that share one W = nu/chi^2_nu a sample.

Given the W of all D samples their mean is normal with variance sum(W)/D^2, so D + d numbers draw it exactly. There is
no shorter law: one batch costs O(D). W by the gamma sampler of Marsaglia and Tsang (2000), exact but for rounding.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from flint import arb

from simulations.elementary import log
from simulations.kernels import SAMPLED_GRADIENTS, callback, inlined
from simulations.noise import Coordinate, GradientNoise
from simulations.noises.gaussian import noncentral_chi_mean
from simulations.philox import MOST_BRANCHES, add_normals, branch, normal_pair, uniform_pair

_2 = np.uint64(2)
_FARTHEST = 1e60


@inlined
def gamma(shape, row, rows, address):
    """A gamma variable of this shape >= 1; every attempt has two counters of its own for each of the rows."""
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    index, cube, searching = row, 0.0, True
    while searching:
        x = normal_pair(_2 * index, address)[0]
        u = uniform_pair(_2 * index + np.uint64(1), address)[0]
        index += rows
        cube = (1.0 + c * x) ** 3
        if cube > 0.0:
            searching = log(u) >= 0.5 * x * x + d * (1.0 - cube + log(cube))
    return d * cube


@callback(SAMPLED_GRADIENTS)
def sampled_gradients(tasks, spread, points, picks, parameters, samples, address, out):
    """Gradients plus the mean of t vectors; spread = (sigma_tilde, sigma_H, nu)."""
    tasks.gradients(points, picks, parameters, tasks.shared, out)
    if spread[0] == 0.0 or samples == np.inf:
        return
    nu, (rows, d) = spread[2], points.shape
    scale = spread[0] * math.sqrt((nu - 2.0) / d) / samples
    block = np.zeros((rows, d))
    add_normals(block.ravel(), 1.0, address)
    for r in range(rows):
        total = 0.0
        for k in range(int(samples)):
            total += 0.5 / gamma(0.5 * nu, np.uint64(r), np.uint64(rows), branch(address, k + 1))
        for j in range(d):
            out[r, j] += scale * math.sqrt(total) * block[r, j]


def law(nu: float, scale: float, D: float, d: int) -> Coordinate:
    """The mean of D variables of Student's law; the rule, for D = 1 alone, is double exponential.

    E cos(t T) = K_h(x) (x/2)^h 2/Gamma(h) for one T, with h = nu/2 and x = sqrt(nu) |t|. The rule raises
    ValueError for D above 1.
    """

    def ball(frequency):
        x, half = abs(frequency * scale / D * (arb(nu) - 2).sqrt()), arb(nu) / 2
        return arb(1) if x == 0 else (x.bessel_k(half) * (x / 2) ** half * 2 / half.gamma()) ** int(D)

    def rule(n):
        if D > 1:
            raise ValueError(
                f"the mean of {D:g} Student t samples has no quadrature rule: D_in must be 1 or None, "
                "or the family one with a closed form, such as cosine"
            )
        points, weights = _double_exponential(n, nu)
        return scale * math.sqrt((nu - 2) / nu) * points, weights

    return Coordinate(scale * scale / D, ball, rule)


def length(nu: float, m: np.ndarray, scale: float, D: float) -> np.ndarray:
    """E||m + noise|| for one sample: the normal's given chi^2, by the trapezoidal rule over its logarithm.

    Raises:
        ValueError: D is more than 1.
    """
    if D > 1:
        raise ValueError(f"the mean norm of {D:g} Student t samples has no exact form: D must be 1 or None")
    from scipy.stats import chi2

    u, step = np.linspace(-160 / (nu - 1), math.log(chi2.isf(1e-30, nu)), 1025, retstep=True)
    x, unit = np.exp(u)[:, None], scale * math.sqrt(nu - 2)
    means = noncentral_chi_mean(np.linalg.norm(m, axis=1), unit / np.sqrt(x), m.shape[1])
    return step * (x * chi2.pdf(x, nu) * means).sum(axis=0)


def _double_exponential(n: int, nu: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes sinh(pi/2 sinh u) for Student's t, as far out as a quadratic function needs for 18 digits.

    Its integral's tail falls like that of t with nu - 2 degrees of freedom.
    """
    from scipy.special import gammaln
    from scipy.stats import t

    farthest = min(10 * t.isf(1e-18, nu - 2), _FARTHEST)
    last = math.asinh(2 / math.pi * math.asinh(farthest))
    u, step = np.linspace(-last, last, 4 * n + 1, retstep=True)
    points = np.sinh(math.pi / 2 * np.sinh(u))
    tail = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * math.log(math.pi * nu)
    density = np.exp(tail - (nu + 1) / 2 * np.log1p(points**2 / nu))
    weights = step * density * math.pi / 2 * np.cosh(u) * np.hypot(1, points)
    return points, weights / weights.sum()


def student_t(nu: float = 4.0) -> GradientNoise:
    """Student t vectors with nu degrees of freedom, scaled to variance sigma_tilde^2.

    Args:
        nu: above 2, where the variance is finite.

    Raises:
        ValueError: nu is not above 2.
    """
    nu = float(nu)
    if not 2 < nu < math.inf:
        raise ValueError(f"nu must be finite and above 2, where Student's t has a variance, got {nu}")
    return GradientNoise(
        "student_t",
        sampled_gradients,
        whole=True,
        most=MOST_BRANCHES,
        parameters=lambda sigma_tilde, sigma_H, d: (nu,),
        law=partial(law, nu),
        length=partial(length, nu),
        round=True,
    )
