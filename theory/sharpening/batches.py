"""The smallest batches under which N = sigma^2/B + sigma_tilde^2/(B D_o) + sigma_tilde^2/D_in stays below a bound.

Smallest means fewest samples an iteration, B (D_in + D_o + D_h), over all integers. For fixed D_in, with
E = D_in + D_h and n = N - sigma_tilde^2/D_in, the least real value is (sigma sqrt(E) + sigma_tilde)^2/n, at
D_o = sqrt(E) sigma_tilde/sigma, or that of the smallest B allowed if B is below it there. In the logarithms of the
batches the cost is a geometric programme, so these bounds have one valley in D_in, and one in D_o; integers are tried
outwards from its bottom until the bound alone is above the best cost found: what is left is the minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from theory import symbols as s

NOISE = sp.Symbol("N_bound", positive=True)
_BITS = 40
_ULP = Fraction(1, 1 << _BITS)


@dataclass(frozen=True)
class Noise:
    """What the batches must hold down: sigma2/B + outer2/(B D_o) + inner2/D_in <= N; B is at least `least_B`."""

    sigma2: Fraction
    outer2: Fraction
    inner2: Fraction
    N: Fraction
    D_h: int
    least_B: int

    def smallest(self) -> tuple[int, int, int]:
        """(B, D_in, D_o) with the fewest samples an iteration."""
        if not self.inner2:
            return max(self.least_B, math.ceil(self.sigma2 / self.N)), 1, 1
        first = math.floor(self.inner2 / self.N) + 1
        start = _bottom(self.least_cost, first)
        best = (math.inf,)
        for way in (range(start, first - 1, -1), _from(start + 1)):
            for D_in in way:
                if self.least_cost(D_in) > best[0]:
                    break
                best = self._over_outer(D_in, best)
        return best[1:]

    def least_cost(self, D_in: int) -> Fraction:
        """Below the cost of all batches with this D_in."""
        E, left = D_in + self.D_h, self._left(D_in)
        enough = self.least_B * left - self.sigma2
        if enough > _root_below(self.sigma2 * self.outer2 / E) + _ULP:
            return self.least_B * (E + self.outer2 / enough)
        return (self.sigma2 * E + self.outer2 + 2 * _root_below(self.sigma2 * self.outer2 * E)) / left

    def _left(self, D_in: int) -> Fraction:
        return self.N - self.inner2 / D_in

    def _over_outer(self, D_in: int, best: tuple) -> tuple:
        """The best of `best` and all (cost, B, D_in, D_o) with this D_in, going along the corners of B as D_o grows."""
        left, E = self._left(D_in), D_in + self.D_h

        def real_tasks(D_o: int) -> Fraction:
            return max(Fraction(self.least_B), (self.sigma2 + self.outer2 / D_o) / left)

        def fewest(B: int) -> int:
            return math.ceil(self.outer2 / (B * left - self.sigma2))

        def least(D_o: int) -> Fraction:
            return (E + D_o) * real_tasks(D_o)

        start = D_o = _bottom(least, 1)
        while D_o >= 1 and least(D_o) <= best[0]:
            B = math.ceil(real_tasks(D_o))
            D_o = fewest(B)
            best = min(best, (B * (E + D_o), B, D_in, D_o))
            D_o -= 1
        B = math.ceil(real_tasks(start)) - 1
        while self.least_B <= B and B * left > self.sigma2 and least(fewest(B)) <= best[0]:
            best = min(best, (B * (E + fewest(B)), B, D_in, fewest(B)))
            B -= 1
        return best


def _from(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 1


def _root_below(value: Fraction) -> Fraction:
    """A rational just below the root."""
    return math.isqrt((value.numerator << 2 * _BITS) // value.denominator) * _ULP


def _bottom(cost: Callable[[int], Fraction], first: int) -> int:
    """Where a function with one valley stops falling, from `first` on."""
    width = 1
    while cost(first + width) < cost(first + width - 1):
        width *= 2
    low, high = first, first + width - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle + 1) >= cost(middle) else (middle + 1, high)
    return low


def leading_cost(tasks: bool, samples: bool, batch: int = 1) -> sp.Expr:
    """The least samples an iteration as the bound on N tends to 0, by the limit of the real minimum.

    B stands for the smallest batch allowed, where noise does not ask for more.

    Args:
        tasks: whether sigma is positive.
        samples: whether sigma_tilde is positive.
        batch: how many times the noise of the batch counts in N.
    """
    sigma, tilde, N, x, B, D_h = sp.symbols("sigma sigma_tilde N x B D_h", positive=True)
    if tasks and samples:
        cost = batch * (sigma * sp.sqrt(x / N + D_h) + tilde) ** 2 / (N - tilde**2 * N / x)
        scaled = sp.limit(sp.expand(cost * N**2), N, 0)
        found = scaled.subs(x, _above(tilde**2, sp.solve(sp.diff(scaled, x), x))) / N**2
    elif samples:
        D_o = batch * tilde**2 / (B * (N - tilde**2 * N / x))
        scaled = sp.limit((x / N + D_o + D_h) * N, N, 0)
        found = B * scaled.subs(x, _above(tilde**2, sp.solve(sp.diff(scaled, x), x))) / N
    else:
        found = batch * sigma**2 / N * (2 + D_h) if tasks else B * (2 + D_h)
    return sp.simplify(found).subs({sigma: s.sigma, tilde: s.sigma_tilde, N: NOISE, B: s.B, D_h: s.D_h})


def _above(low: sp.Expr, roots: list[sp.Expr]) -> sp.Expr:
    return next(root for root in roots if sp.simplify(root - low).is_positive)
