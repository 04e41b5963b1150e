"""The records of oracle noise: kernels, the law of a coordinate that exact moments need, and the two readings of (A5).

Noise of the files in `simulations.noises` has mean zero and the same law at every point. One sample's gradient noise
has covariance (sigma_tilde^2/d) I, so E||noise||^2 = sigma_tilde^2. One sample's Hessian noise N is symmetric with
E N^2 = sigma_H^2 I, so E||N v||^2 = sigma_H^2 ||v||^2 for every v: the weak reading of (A5) with equality, and for a
mean of D samples 1/D of it. The strong reading E||N||_op^2 is never smaller, and need not fall like 1/D.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from flint import arb, ctx

Nodes = tuple[np.ndarray, np.ndarray]
PRECISION = 128


@dataclass(frozen=True)
class Coordinate:
    """One coordinate X of the gradient noise of a mean of D samples: symmetric about zero.

    variance: E X^2.
    ball: t -> E cos(t X), the characteristic function, on Arb balls.
    rule: n -> (points, weights) of about n nodes with sum(weights g(points)) -> E g(X), exact once n is above the
        number of values where that is finite. It raises ValueError where there is no rule for this D.
    """

    variance: float
    ball: Callable[[arb], arb]
    rule: Callable[[int], Nodes]

    def wave(self, t: float) -> float:
        """E cos(t X)."""
        with ctx.workprec(PRECISION):
            return float(self.ball(arb(t)))


@dataclass(frozen=True)
class Strong:
    """E||N||_op^2 of a mean of D samples, in units of sigma_H^2.

    standing: "exact" (closed form), "quadrature", or "bound" (an upper bound).
    """

    value: float
    standing: Literal["exact", "quadrature", "bound"]


@dataclass(frozen=True)
class _Kind:
    """What gradient and Hessian noise have in common.

    name: of the file that builds it.
    kernel: SAMPLED_GRADIENTS or SAMPLED_PRODUCTS of `simulations.kernels`.
    whole: whether D must be a whole number.
    most: the largest D there is an exact law for.
    in_blocks: whether the kernel works through `simulations.blocks` and `philox` alone, so that it can be given any
        block of rows, and arrays.
    """

    name: str
    kernel: object
    whole: bool = False
    most: float = math.inf
    in_blocks: bool = False

    def samples(self, name: str, D: float | None) -> float:
        """D as a float, infinite for None, which is the exact oracle.

        Raises:
            ValueError: there is no mean of D samples of this noise.
        """
        D = math.inf if D is None else float(D)
        if not D > 0:
            raise ValueError(f"{name} must be positive, or None for an exact oracle, got {D:g}")
        if self.whole and not (math.isinf(D) or (D.is_integer() and self.most >= D)):
            top = "" if math.isinf(self.most) else f" up to {self.most:.0f}"
            raise ValueError(f"{name} must be a whole number{top} with {self.name} noise, got {D:.16g}")
        return D


@dataclass(frozen=True, kw_only=True)
class HessianNoise(_Kind):
    """Noise of Hessian-vector products; the kernel reads spread[1] = sigma_H.

    strong: (d, D) -> E||N||_op^2 of a mean of D samples, or None where it is not known.
    one_matrix: whether products with several vectors at one address belong to one N.
    diagonal: whether N is a diagonal matrix.
    """

    strong: Callable[[int, float], Strong | None]
    one_matrix: bool = True
    diagonal: bool = False


@dataclass(frozen=True, kw_only=True)
class GradientNoise(_Kind):
    """Noise of sampled gradients; the kernel reads spread = (sigma_tilde, sigma_H, *parameters).

    parameters: (sigma_tilde, sigma_H, d) -> numbers of its own. It raises ValueError where this noise cannot have
        these constants.
    law: (scale, D, d) -> Coordinate of a mean of D samples, where scale = sigma_tilde/sqrt(d) is the standard deviation
        of one; None where coordinates have no law that is the same at every point.
    length: (m, scale, D) -> E||m_i + noise|| for the rows of m, (tasks, d). It raises ValueError where there is no way
        for this D.
    normal: whether coordinates are independent and normal, so that a weighted sum of such noise is such noise.
    round: whether the law of the noise vector is the same in all orthogonal coordinates.
    partner: the Hessian noise that comes from the same samples; None where any kind may be chosen.
    moments: (family, w, alpha, D_in, D_o, D_h) -> exact.Moments where the noise needs a way of its own, else None.
    """

    parameters: Callable[[float, float, int], tuple[float, ...]] = lambda sigma_tilde, sigma_H, d: ()
    law: Callable[[float, float, int], Coordinate] | None = None
    length: Callable[[np.ndarray, float, float], np.ndarray] | None = None
    normal: bool = False
    round: bool = False
    partner: HessianNoise | None = None
    moments: Callable | None = None


@dataclass(frozen=True)
class Noise:
    """What a family's oracle adds to its answers."""

    gradient: GradientNoise
    hessian: HessianNoise

    def spread(self, sigma_tilde: float, sigma_H: float, d: int) -> np.ndarray:
        """What the kernels read.

        Raises:
            ValueError: this noise cannot have these constants.
        """
        return np.array([sigma_tilde, sigma_H, *self.gradient.parameters(sigma_tilde, sigma_H, d)])

    def samples(self, name: str, D: float | None) -> float:
        """The batch size called `name` (D_in, D_o, D_h or D_step) as a float, infinite for None.

        Raises:
            ValueError: there is no mean of D samples of this noise.
        """
        return (self.hessian if name == "D_h" else self.gradient).samples(name, D)
