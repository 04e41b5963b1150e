"""Cosine tasks in Arb balls: what the claims speak of, enclosed, so that a check can be decided for certain.

The tasks are those that the family's floats say, taken as exact numbers, with probabilities scaled to sum to one;
alpha, sigma_tilde and sigma_H are the rationals they were given as; L, rho and sigma enclose these tasks' own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from flint import arb, ctx, fmpq

from simulations.family import Family
from simulations.noise import PRECISION
from theory.rationals import Number, exact


@dataclass(frozen=True)
class Balls:
    """Enclosures at one point.

    objective: F(w). gradient: grad F(w). mean: E G. bias: E G - grad F. second: E||G||^2. mean_gradient: grad f(w).
    task_norm: E_i||grad f_i(w)||. task_second: E_i||grad F_i(w)||^2. task_variance: E_i||grad f_i - grad f||^2.
    Vectors are lists of d balls.
    """

    objective: arb
    gradient: list[arb]
    mean: list[arb]
    bias: list[arb]
    second: arb
    mean_gradient: list[arb]
    task_norm: arb
    task_second: arb
    task_variance: arb


def square(vector: list[arb]) -> arb:
    """||vector||^2."""
    return sum((x * x for x in vector), arb(0))


def balls(
    family: Family,
    w: np.ndarray,
    alpha: Number,
    D_in: float | None = None,
    D_o: float | None = None,
    D_h: float | None = None,
    precision: int = PRECISION,
) -> Balls:
    """Enclosures of F, grad F, E G, E||G||^2 and their like at w.

    Args:
        family: cosine tasks, coordinates not turned.
        w: (d,), floats taken as exact numbers.
        alpha: inner step; "1/6" is that rational.
        D_in, D_o, D_h: batch sizes, None or math.inf for an exact oracle.
        precision: bits.

    Raises:
        ValueError: the family is another one, or an argument is out of its range.
    """
    _check(family)
    w, noise = family.point(w), family.noise
    D_in, D_o, D_h = (noise.samples(name, D) for name, D in (("D_in", D_in), ("D_o", D_o), ("D_h", D_h)))
    if noise.gradient.law is None:
        raise ValueError(f"exact.balls needs noise with a law of its own, which {noise.gradient.name} has not")
    with ctx.workprec(precision):
        alpha, u = _ball(alpha), [arb(float(x)) for x in w]
        A, omega = (arb(float(x)) for x in family.shared[:2])
        scale = _ball(family.constants.sigma_tilde) / arb(family.dim).sqrt()
        once, twice = arb(1), arb(1)
        if not math.isinf(D_in):
            inner = noise.gradient.law(scale, D_in, family.dim)
            once, twice = inner.ball(alpha * omega), inner.ball(2 * alpha * omega)
        outer = _shared(scale, D_o)
        hessian = _shared(alpha * _ball(family.constants.sigma_H), D_h)
        top = A * omega
        names = ("objective", "second", "task_norm", "task_second", "gradient_second")
        sums = dict.fromkeys(names, arb(0))
        mean_gradient, gradient, bias = ([arb(0)] * family.dim for _ in range(3))
        for p, shifts, tilts in zip(_law(family), *family.table, strict=True):
            gradients, parts = [], []
            for j, (x, c, b) in enumerate(zip(u, map(_float, shifts), map(_float, tilts), strict=True)):
                sine, cosine = (omega * (x - c)).sin_cos()
                g = top * sine + b
                moved = x - alpha * g
                wave, crest = (omega * (moved - c)).sin_cos()
                h, shrink = top * wave + b, 1 - alpha * top * omega * cosine
                lost = top * wave * (once - 1)
                squared = top * top * (1 - twice * (1 - 2 * wave * wave)) / 2 + 2 * b * top * wave * once + b * b
                sums["objective"] += p * (A * (1 - crest) + b * moved)
                sums["second"] += p * (shrink * shrink + hessian) * (squared + outer)
                mean_gradient[j] += p * g
                gradient[j] += p * shrink * h
                bias[j] += p * shrink * lost
                gradients.append(g)
                parts.append(shrink * h)
            sums["task_norm"] += p * square(gradients).nonnegative_part().sqrt()
            sums["task_second"] += p * square(parts)
            sums["gradient_second"] += p * square(gradients)
        return Balls(
            objective=sums["objective"],
            gradient=gradient,
            mean=[x + y for x, y in zip(gradient, bias, strict=True)],
            bias=bias,
            second=sums["second"],
            mean_gradient=mean_gradient,
            task_norm=sums["task_norm"],
            task_second=sums["task_second"],
            task_variance=sums["gradient_second"] - square(mean_gradient),
        )


def constant_balls(family: Family, precision: int = PRECISION) -> Mapping[str, arb]:
    """Enclosures of the constants of cosine tasks: L, rho, sigma, sigma_tilde, sigma_H.

    The variance of the slopes in coordinate j is a constant, a first and a second harmonic of omega w_j. Of two points
    half a period apart, where the second peaks, the first is not negative at one: so the supremum lies between the
    constant plus the second's amplitude and that plus the first's, which is zero but for rounding.

    Raises:
        ValueError: the family is another one.
    """
    _check(family)
    with ctx.workprec(precision):
        A, omega = (arb(float(x)) for x in family.shared[:2])
        law, variance = _law(family), arb(0)
        for shifts, tilts in zip(*family.table.swapaxes(1, 2), strict=True):
            turned = [(omega * _float(c)).sin_cos() for c in shifts]
            waves = [A * omega * cosine for _, cosine in turned], [-A * omega * sine for sine, _ in turned]
            s, c, b = (_centred(law, entries) for entries in (*waves, [_float(b) for b in tilts]))
            ss, cc, sc, sb, cb, bb = (_mean(law, x, y) for x, y in ((s, s), (c, c), (s, c), (s, b), (c, b), (b, b)))
            least = bb + (ss + cc) / 2 + _length((cc - ss) / 2, sc)
            variance += least.union(least + 2 * _length(sb, cb))
        return {
            "L": A * omega**2,
            "rho": A * omega**3,
            "sigma": variance.nonnegative_part().sqrt(),
            "sigma_tilde": _ball(family.constants.sigma_tilde),
            "sigma_H": _ball(family.constants.sigma_H),
        }


def _check(family: Family) -> None:
    if family.name != "cosine" or family.turned:
        raise ValueError(f"Arb balls are there for cosine tasks, coordinates not turned; got {family.name}")


def _float(x: np.float64) -> arb:
    return arb(float(x))


def _ball(value: Number) -> arb:
    number = exact(value)
    return arb(fmpq(int(number.p), int(number.q))) if number.is_Rational else arb(str(number.evalf(60)))


def _shared(deviation: arb, D: float) -> arb:
    return arb(0) if math.isinf(D) else deviation * deviation / arb(D)


def _law(family: Family) -> list[arb]:
    weights = [_float(p) for p in family.probabilities]
    return [p / sum(weights, arb(0)) for p in weights]


def _mean(law: list[arb], x: list[arb], y: list[arb]) -> arb:
    return sum((p * s * t for p, s, t in zip(law, x, y, strict=True)), arb(0))


def _centred(law: list[arb], x: list[arb]) -> list[arb]:
    middle = sum((p * s for p, s in zip(law, x, strict=True)), arb(0))
    return [s - middle for s in x]


def _length(x: arb, y: arb) -> arb:
    return (x * x + y * y).nonnegative_part().sqrt()
