"""Evidence from draws, valid at every stopping time: a bet against a bound, a confidence sequence, many cells at once.

Only nonnegative statistics with known bounds are judged here. A state is a handful of numbers; adding draws in one
piece or in many gives the same bits, so an interrupted run goes on as if it had not stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

_CAUTION = 0.5


@dataclass(frozen=True)
class Bet:
    """An e-process against E X <= bound, for X >= 0 that need not be bounded.

    The wealth K_t = prod_{s<=t} (1 + lambda_s (X_s/bound - 1)) with lambda_s in [0, 1] chosen from X_1, ..., X_{s-1}
    alone is a nonnegative supermartingale under the hypothesis, so P(sup_t K_t >= 1/delta) <= delta: Ville 1939. The
    choice is the approximate growth-rate-adaptive bet, mean over mean square of X/bound - 1 so far, times t/(t + 1):
    Waudby-Smith and Ramdas, JRSS B 86 (2024), section B.2; any other would be as valid.

    Args:
        bound: the hypothesis, positive.
        count, total, squares: how many draws, and the sums of X/bound - 1 and of its squares.
        log_wealth, highest: log K_t and its largest value so far.
    """

    bound: float
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    log_wealth: float = 0.0
    highest: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.bound < math.inf:
            raise ValueError(f"bound must be positive and finite, got {self.bound}")

    def add(self, draws: Sequence[float]) -> Bet:
        """The state after more draws.

        Raises:
            ValueError: a draw is negative or not finite.
        """
        gains = _checked(draws) / self.bound - 1.0
        before = self.count + np.arange(gains.size)
        totals, squares = _sums(self.total, gains), _sums(self.squares, gains * gains)
        mean = totals[:-1] / np.maximum(before, 1)
        spread = np.maximum(squares[:-1] / np.maximum(before, 1), 1e-300)
        share = np.clip(mean / spread, 0.0, 1.0) * before / (before + 1.0)
        logs = _sums(self.log_wealth, np.log1p(share * gains))
        return replace(
            self,
            count=self.count + gains.size,
            total=float(totals[-1]),
            squares=float(squares[-1]),
            log_wealth=float(logs[-1]),
            highest=max(self.highest, float(logs.max())),
        )

    @property
    def e_value(self) -> float:
        """K_t, the wealth now: E K_t <= 1 under the hypothesis."""
        return math.exp(min(self.log_wealth, 700.0))

    def refuted(self, delta: float) -> bool:
        """Whether E X <= bound is refuted, with probability at most delta of doing so wrongly, ever."""
        return self.highest >= -math.log(delta)


@dataclass(frozen=True)
class Confidence:
    """A confidence sequence for E X with 0 <= X <= top: the predictable plug-in empirical-Bernstein one.

    With probability at least 1 - 2 delta, E X lies at every t between top (sum lambda_s X_s -+ (log(1/delta) + sum v_s
    psi(lambda_s)))/sum lambda_s, X in units of top, v_s = 4 (X_s - mean_{s-1})^2, psi(l) = (-log(1 - l) - l)/4,
    lambda_s = min(1/2, sqrt(2 log(1/delta)/(variance_{s-1} s log(1 + s)))): Waudby-Smith and Ramdas, JRSS B 86 (2024),
    theorem 2; each side alone fails with probability at most delta.

    Args:
        top: the largest value X can take, positive.
        delta: of one side.
        count, total, squares: draws, their sum, and the sum of (X_s - mean_s)^2; in units of top.
        weight, weighted, penalty: the sums of lambda_s, of lambda_s X_s and of v_s psi(lambda_s).
        low, high: the intersection of all intervals so far, in units of X.
    """

    top: float
    delta: float
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    weight: float = 0.0
    weighted: float = 0.0
    penalty: float = 0.0
    low: float = 0.0
    high: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.top < math.inf:
            raise ValueError(f"top must be positive and finite, got {self.top}")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must lie in (0, 1), got {self.delta}")

    def add(self, draws: Sequence[float]) -> Confidence:
        """The state after more draws.

        Raises:
            ValueError: a draw is negative, above top or not finite.
        """
        x = _checked(draws) / self.top
        if x.size and x.max() > 1:
            raise ValueError(f"draws must be at most {self.top:g}, got {x.max() * self.top:g}")
        t = self.count + 1 + np.arange(x.size)
        totals = _sums(self.total, x)
        mean = (0.5 + totals) / (self.count + 1 + np.arange(x.size + 1))
        squares = _sums(self.squares, (x - mean[1:]) ** 2)
        variance = (0.25 + squares[:-1]) / t
        price = -math.log(self.delta)
        share = np.minimum(_CAUTION, np.sqrt(2 * price / (variance * t * np.log1p(t))))
        weight, weighted = _sums(self.weight, share), _sums(self.weighted, share * x)
        penalty = _sums(self.penalty, (x - mean[:-1]) ** 2 * (-np.log1p(-share) - share))
        room = (price + penalty[1:]) / weight[1:]
        centre = weighted[1:] / weight[1:]
        return replace(
            self,
            count=self.count + x.size,
            total=float(totals[-1]),
            squares=float(squares[-1]),
            weight=float(weight[-1]),
            weighted=float(weighted[-1]),
            penalty=float(penalty[-1]),
            low=max(self.low, self.top * float((centre - room).max(initial=0.0))),
            high=min(self.high, self.top * float((centre + room).min(initial=1.0))),
        )


def rejected(e_values: Sequence[float], delta: float) -> np.ndarray:
    """Which hypotheses e-BH rejects: of those, on average, at most the share delta is true, whatever their dependence.

    The k with the largest e-values, for the largest k whose k-th largest is at least (number of cells)/(k delta): Wang
    and Ramdas, JRSS B 84 (2022), theorem 2.

    Args:
        e_values: (cells,), each of mean at most 1 under its hypothesis.
        delta: the false discovery rate.

    Returns:
        (cells,) of bool.
    """
    found = np.asarray(e_values, dtype=float)
    order = np.argsort(-found, kind="stable")
    enough = found[order] * np.arange(1, found.size + 1) * delta >= found.size
    chosen = np.zeros(found.size, dtype=bool)
    chosen[order[: np.flatnonzero(enough).max(initial=-1) + 1]] = True
    return chosen


def draws_to_detect(
    excesses: Iterable[float], draw, delta: float, repeats: int, most: int, seed: int = 0
) -> dict[float, float]:
    """Median number of draws after which a bet refutes E X <= 1, by how much E X exceeds 1.

    Args:
        excesses: such as 0.05, 0.1, 0.5.
        draw: (generator, n) -> n draws of mean 1, multiplied by 1 + excess here.
        delta: of the refutation.
        repeats: simulated bets.
        most: draws at which a bet is given up; it then counts as infinite.
        seed: of the draws.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    return {
        excess: float(np.median([_detected(excess, draw, generator, delta, most) for _ in range(repeats)]))
        for excess in excesses
    }


def _detected(excess: float, draw, generator: np.random.Generator, delta: float, most: int) -> float:
    bet, piece = Bet(1.0), 64
    while bet.count < most:
        draws = (1 + excess) * draw(generator, piece)
        after = bet.add(draws)
        if after.refuted(delta):
            return bet.count + next(n for n in range(1, piece + 1) if bet.add(draws[:n]).refuted(delta))
        bet = after
    return math.inf


def _checked(draws: Sequence[float]) -> np.ndarray:
    x = np.asarray(draws, dtype=float).ravel()
    fault = ~((x >= 0) & (x < math.inf))
    if fault.any():
        raise ValueError(f"draws must be finite numbers that are not negative, got {x[fault][0]}")
    return x


def _sums(start: float, terms: np.ndarray) -> np.ndarray:
    """start, start + terms[0], ...: added one by one, so that pieces give the bits of the whole."""
    return np.cumsum(np.concatenate([[start], terms]))
