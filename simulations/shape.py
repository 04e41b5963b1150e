"""Families made of one function psi of one variable: f_i(w) = sum_j A psi(omega (u_j - c_ij)) + b_i . u.

psi is even and not negative, and |psi''| is largest at 0. omega and A follow from L = A omega^2 sup|psi''| and
rho = A omega^3 sup|psi'''|, both attained: THEORY.md section 5.

sigma^2 is split between tilts b_i and shifts c_ij = +-theta/omega. In each coordinate n // 2 tasks are shifted down and
the others up, and the tilts have mean zero on each side, so the two parts add up. A law with two values has variance
4 p (1 - p) (half their distance)^2, so the shifts give
    4 p (1 - p) (A omega)^2 D(t)^2,   D(t) = (psi'(t + theta) - psi'(t - theta))/2,   p = 1 - (n // 2)/n,
in each coordinate, t = omega u. |D| is largest at t = 0, where it is |psi'(theta)|, for every theta up to the place t_0
at which |psi'| first peaks (`simulations.extremes`): sigma is attained at u = 0 in all coordinates at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from simulations import extremes, separable
from simulations.family import Family, Formula, Minimum, positive_integer, real
from simulations.kernels import inlined, on_arrays, specialised
from theory import Constants
from theory.certify import Certificate
from theory.rationals import exact


def psi(t, shared):
    """The family's function, filled in by `formulas`; shared = (A, omega, numbers of its own)."""


def psi_slope(t, shared):
    """Its first derivative."""


def psi_curvature(t, shared):
    """Its second derivative."""


def _value(u, shift, tilt, shared):
    """A psi(omega (u - shift)) + tilt u."""
    return shared[0] * psi(shared[1] * (u - shift), shared) + tilt * u


def _slope(u, shift, tilt, shared):
    """First derivative of `_value`."""
    return shared[0] * shared[1] * psi_slope(shared[1] * (u - shift), shared) + tilt


def _curvature(u, shift, tilt, shared):
    """Second derivative of `_value`."""
    return shared[0] * shared[1] * shared[1] * psi_curvature(shared[1] * (u - shift), shared)


@dataclass(frozen=True)
class Formulas:
    """A family's formula in all its forms: kernels for the engine, and functions (u, shift, tilt, shared) on arrays."""

    kernels: separable.Rows
    value: Callable
    slope: Callable
    curvature: Callable


def formulas(psi: Callable, psi_slope: Callable, psi_curvature: Callable, numbers: int = 0) -> Formulas:
    """Tasks made of an inlined psi(t, shared) and its derivatives, compiled.

    Args:
        psi, psi_slope, psi_curvature: inlined functions of (t, shared).
        numbers: how many numbers of its own psi has: shared[2], shared[3], ...
    """
    made = (
        inlined(specialised(_value, psi=psi)),
        inlined(specialised(_slope, psi_slope=psi_slope)),
        inlined(specialised(_curvature, psi_curvature=psi_curvature)),
    )
    return Formulas(separable.rows(*made, shared=2 + numbers), *map(on_arrays, made))


@dataclass(frozen=True)
class Shape:
    """psi as a family needs it.

    Args:
        formulas: of psi, made by the function of this name.
        expression: psi(t, *numbers) as SymPy writes it.
        numbers: the values of its own numbers.
        bend: sup|psi''|, which is |psi''(0)|.
        jerk: sup|psi'''|.
        steepest: t_0, where |psi'| first peaks.
        start: runs start at |omega w_j| between these two numbers.
        lowest: (theta, p) -> the infimum of p psi(t - theta) + (1 - p) psi(t + theta) and the t that has it, None if
            it is at infinity; None altogether where neither is known.
        floors, windows: as in `Formula`.
        proof: of bend, jerk and steepest.
        outer_moments, rate_exponent: as in `Family`.
    """

    formulas: Formulas
    expression: Callable
    numbers: tuple[float, ...]
    bend: float
    jerk: float
    steepest: float
    start: tuple[float, float]
    lowest: Callable
    floors: Callable
    proof: Callable[[], Certificate]
    windows: Callable | None = None
    outer_moments: Callable | None = None
    rate_exponent: float | None = None

    def task(self, row, shared, w):
        """The task as SymPy writes it, in the coordinates u."""
        (shift, tilt), (A, omega, *numbers) = row, shared[: 2 + len(self.numbers)]
        return sum(
            A * self.expression(omega * (x - c), *numbers) + b * x for x, c, b in zip(w, shift, tilt, strict=True)
        )

    def family(
        self, name: str, dim: int, tasks: int, constants: Constants, shift_share: float | None, seed: int
    ) -> Family:
        """The family of this psi with exactly these constants.

        Args:
            name: of the family.
            dim: d.
            tasks: n, each with probability 1/n.
            constants: L, rho, sigma, sigma_tilde, sigma_H.
            shift_share: part of sigma^2 carried by shifts; by default one half or as much as the amplitude allows, and
                none with fewer than three tasks.
            seed: of the signs, the tilts and the start.

        Raises:
            ValueError: no such family has these constants; the message gives the range that can be reached.
        """
        d, n = positive_integer("dim", dim), positive_integer("tasks", tasks)
        L, rho, sigma = real(constants.L), real(constants.rho), real(constants.sigma)
        if rho == 0:
            raise ValueError(f"rho must be positive for {name} tasks, whose curvature varies; got 0")
        check_spread(n, sigma)
        omega = rho / L * self.bend / self.jerk
        A = L / (omega**2 * self.bend)
        shared = np.array([A, omega, *self.numbers])
        generator = np.random.Generator(np.random.Philox(seed))
        p = (n - n // 2) / n
        most = math.sqrt(4 * p * (1 - p) * d) * A * omega * self._steepness(self.steepest)
        share = _shift_share(name, shift_share, n, sigma, most)
        theta = self._shift(math.sqrt(share) * sigma / most) if share else 0.0
        sides = np.zeros((n, d))
        if share or n > 2:
            sides = generator.permuted(np.tile(np.where(np.arange(n) % 2, -1.0, 1.0)[:, None], (1, d)), axis=0)
        b = tilts(generator, sides, math.sqrt(1 - share) * sigma)
        start = generator.uniform(*self.start, d) * generator.choice([-1.0, 1.0], d) / omega
        family = Family(
            name=name,
            kernels=self.formulas.kernels,
            table=np.stack([sides * theta / omega, b]),
            shared=shared,
            probabilities=np.full(n, 1 / n),
            constants=constants,
            standing=dict.fromkeys(("L", "rho", "sigma", "sigma_tilde", "sigma_H"), "attained"),
            start=start,
            expression=self.task,
            formula=Formula(
                self.formulas.value, self.formulas.slope, self.formulas.curvature, self.floors, self.windows
            ),
            outer_moments=self.outer_moments,
            rate_exponent=self.rate_exponent,
            proof=lambda: self._certificate(name, L, rho, A, omega),
        )
        return self._with_gap(family, theta, p)

    def _certificate(self, name: str, L: float, rho: float, A: float, omega: float) -> Certificate:
        A, omega, bend, jerk = map(exact, (A, omega, self.bend, self.jerk))
        steps = (
            *self.proof().steps,
            extremes.equal("A omega^2 sup|psi''| = L", A * omega**2 * bend, L),
            extremes.equal("A omega^3 sup|psi'''| = rho", A * omega**3 * jerk, rho),
        )
        return Certificate(f"{name}: L = {L:g} and rho = {rho:g} are attained", steps)

    def _steepness(self, t: float) -> float:
        return abs(float(self.formulas.slope(t, 0.0, 0.0, (1.0, 1.0, *self.numbers))))

    def _shift(self, share: float) -> float:
        """The theta of [0, t_0] with |psi'(theta)| = share |psi'(t_0)|, by bisection: |psi'| rises there."""
        most = min(share * (1 + 1e-12), 1.0) * self.steepest
        asked = share * self._steepness(self.steepest)
        if self._steepness(most) <= asked:
            return most
        low, high = asked / self.bend * (1 - 1e-12), most
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self._steepness(middle) < asked else (low, middle)
        return high

    def _with_gap(self, family: Family, theta: float, p: float) -> Family:
        """With minimum and Delta where they are known; the tilts have mean zero and do not enter f."""
        found = self.lowest(theta if family.table[0].any() else 0.0, p)
        if found is None:
            return family
        A, omega = family.shared[:2]
        value, t = found
        minimum = Minimum(family.dim * A * value, None if t is None else np.full(family.dim, t / omega))
        here = family.probabilities @ family.formula.value(family.start, family.table[0], 0.0, family.shared)
        return replace(
            family,
            minimum=minimum,
            constants=replace(family.constants, Delta=max(0.0, float((here - A * value).sum()))),
            standing={**family.standing, "Delta": "attained"},
        )


def check_spread(n: int, sigma: float) -> None:
    """Refuse a variance over a single task.

    Raises:
        ValueError: there is one.
    """
    if n == 1 and sigma > 0:
        raise ValueError(f"sigma must be 0 for a single task, got {sigma:g}")


def tilts(generator: np.random.Generator, sides: np.ndarray, spread: float) -> np.ndarray:
    """(tasks, d) tilts with mean zero on each side, and root mean square norm `spread` over the tasks."""
    n, d = sides.shape
    drawn = np.zeros((n, d))
    if spread == 0:
        return drawn
    for j in range(d):
        basis, weights, _ = np.linalg.svd(np.stack([np.ones(n), sides[:, j]], axis=1), full_matrices=True)
        rank = int((weights > 1e-9).sum())
        drawn[:, j] = basis[:, rank:] @ generator.standard_normal(n - rank)
    return drawn * spread / math.sqrt((drawn**2).sum() / n)


def around_wells(family: Family, alpha: float, wide: float, steepness: float) -> tuple[np.ndarray, float]:
    """Windows (`Formula`) for wells: psi is 0 at 0 and grows on either side to a finite limit.

    Where no task's inner point x_i = u - alpha f_i'(u) is within wide/omega of the middle of its well, the sum of
    F_j and alpha E b_ij^2 is larger than where a likeliest task's x_i is in the middle of its own.

    Args:
        family: of the wells.
        alpha: inner step.
        wide: the t at which psi has all but max p_i/2 of its limit.
        steepness: sup|psi'|.
    """
    A, omega = family.shared[:2]
    shifts, tilts = family.table
    reach = wide / omega + alpha * A * omega * steepness
    return (shifts + alpha * tilts - reach).T.copy(), 2 * reach


def tilt_variance(family: Family) -> np.ndarray:
    """E b_ij^2, (d,)."""
    return family.probabilities @ family.table[1] ** 2


def _shift_share(name: str, asked: float | None, n: int, sigma: float, most: float) -> float:
    """The part of sigma^2 for the shifts, which can carry sigma up to `most`."""
    reachable = min(1.0, (most / sigma) ** 2) if sigma else 1.0
    if asked is None:
        return min(0.5, reachable) if sigma and n > 2 else 0.0
    if not 0 <= asked <= 1:
        raise ValueError(f"shift_share must lie in [0, 1], got {asked}")
    if asked > reachable:
        raise ValueError(
            f"shift_share = {asked:g} of sigma = {sigma:g} is beyond the amplitude of these {name} tasks: "
            f"shift_share can be at most {reachable:.6g} here"
        )
    if n == 2 and sigma and 0 < asked < 1:
        raise ValueError(f"shift_share must be 0 or 1 for two tasks, got {asked:g}")
    return asked if sigma else 0.0
