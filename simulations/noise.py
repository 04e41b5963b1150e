"""The records of oracle noise: kernels, the law of a coordinate that exact moments need, and the two readings of (A5).

Noise of the files in `simulations.noises` has mean zero and the same law at every point. One sample's gradient noise
has covariance (sigma_tilde^2/d) I, so E||noise||^2 = sigma_tilde^2. One sample's Hessian noise N is symmetric with
E N^2 = sigma_H^2 I, so E||N v||^2 = sigma_H^2 ||v||^2 for every v: the weak reading of (A5) with equality, and for a
mean of D samples 1/D of it. The strong reading E||N||_op^2 is never smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Nodes = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Coordinate:
    """One coordinate X of the gradient noise of a mean of D samples: symmetric about zero.

    variance: E X^2.
    wave: t -> E cos(t X), its characteristic function; t a float or an array.
    rule: n -> (points, weights) of about n nodes with sum(weights g(points)) -> E g(X), exact once n is above the
        number of values where that is finite. It raises ValueError where there is no rule for this D.
    """

    variance: float
    wave: Callable[[np.ndarray], np.ndarray]
    rule: Callable[[int], Nodes]


@dataclass(frozen=True)
class Strong:
    """E||N||_op^2 of a mean of D samples of Hessian noise.

    standing: "exact" (closed form), "quadrature" or "bound" (an upper bound).
    """

    value: float
    standing: Literal["exact", "quadrature", "bound"]


@dataclass(frozen=True)
class HessianNoise:
    """Noise of Hessian-vector products.

    name: of the file that builds it.
    kernel: SAMPLED_PRODUCTS in `simulations.kernels`, reading spread[1] = sigma_H.
    strong: (d, D) -> E||N||_op^2 in units of sigma_H^2 for a mean of D samples, or None where it is not known.
    """

    name: str
    kernel: object
    strong: Callable[[int, float], Strong | None]


@dataclass(frozen=True)
class GradientNoise:
    """Noise of sampled gradients.

    name: of the file that builds it.
    kernel: SAMPLED_GRADIENTS in `simulations.kernels`, reading spread = (sigma_tilde, sigma_H, *parameters).
    parameters: numbers of its own.
    law: (scale, D, d) -> Coordinate of a mean of D samples, scale = sigma_tilde/sqrt(d) the standard deviation of one;
        None where coordinates have no law of their own that does not depend on the point.
    partner: the Hessian noise that comes from the same samples; None where any kind may be chosen.
    whole: whether D must be a whole number.
    moments: (family, w, alpha, D_in, D_o, D_h) -> exact.Moments where the noise needs a way of its own, else None.
    """

    name: str
    kernel: object
    parameters: tuple[float, ...] = ()
    law: Callable[[float, float, int], Coordinate] | None = None
    partner: HessianNoise | None = None
    whole: bool = False
    moments: Callable | None = None


@dataclass(frozen=True)
class Noise:
    """What a family's oracle adds to its answers."""

    gradient: GradientNoise
    hessian: HessianNoise

    def spread(self, sigma_tilde: float, sigma_H: float) -> np.ndarray:
        """What the kernels read."""
        return np.array([sigma_tilde, sigma_H, *self.gradient.parameters])
