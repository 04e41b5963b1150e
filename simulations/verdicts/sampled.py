"""Verdicts by sampling, where the outcomes of two-point noise are too many to visit: E||G||^2 and its bound.

A draw is one outcome of all noise, and its statistic sum_i p_i ||G_i||^2, of mean E||G||^2: tasks are averaged, not
drawn. It is bounded, since two-point noise is: ||G_i|| <= (1 + alpha L [+ alpha sigma_H]) (||grad f_i(w - alpha grad
f_i(w))|| + (1 + alpha L) sigma_tilde), the factor 1 for FO-MAML. A bet refutes the claim, a confidence sequence shows
it (`simulations.evidence`), each wrongly with probability at most delta, however long it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from simulations.enumeration import Oracle
from simulations.evidence import Bet, Confidence
from simulations.family import real
from simulations.guarded import enclosed, ends
from simulations.verdicts import local
from simulations.verdicts.cell import GIVEN, Cell
from simulations.verdicts.verdict import Verdict, symbols_of
from theory import symbols as s

_STATISTIC = "second_G"
BLOCK = 1024
"""Draws of one address of the generator; a cell is decided after 1, 2, 4, ... blocks."""


@dataclass(frozen=True)
class Sample:
    """What the draws so far say of a cell: enough to go on from, bit for bit.

    least, most: ends of the right side. bet: against E X <= most. confidence: for E X.
    """

    least: float
    most: float
    bet: Bet
    confidence: Confidence

    @classmethod
    def restored(cls, record: dict) -> Sample:
        """From what `record` gave."""
        return cls(record["least"], record["most"], Bet(**record["bet"]), Confidence(**record["confidence"]))

    @property
    def record(self) -> dict:
        """As plain data."""
        return asdict(self)

    @property
    def draws(self) -> int:
        """How many so far."""
        return self.bet.count

    def more(self, cell: Cell, seed: int, blocks: int) -> Sample:
        """The state after so many more blocks of draws.

        Args:
            cell: of which this is the state.
            seed: of its noise.
            blocks: of `BLOCK` draws.
        """
        bet, confidence = self.bet, self.confidence
        for block in range(self.draws // BLOCK, self.draws // BLOCK + blocks):
            draws = np.fromiter(_draws(cell, seed, block), float, BLOCK)
            bet, confidence = bet.add(draws), confidence.add(draws)
        return Sample(self.least, self.most, bet, confidence)

    def verdict(self, cell: Cell) -> Verdict:
        """Of the cell, from the draws so far."""
        low, high, delta = self.confidence.low, self.confidence.high, self.confidence.delta
        if self.bet.refuted(delta):
            return Verdict("VIOLATED", "e-process", low, self.most, _ratio(self.most, low), "", cell)
        if high <= self.least:
            return Verdict("HOLDS", "confidence sequence", high, self.least, _ratio(self.least, high), "", cell)
        reason = f"after {self.draws} draws {_STATISTIC} is in [{low:.6g}, {high:.6g}], its bound {self.least:.6g}"
        return Verdict("UNDECIDED", "", math.nan, math.nan, math.nan, reason, cell)


def begun(cell: Cell, delta: float) -> Sample | None:
    """The state before the first draw, None where the claim is not one that draws can decide.

    Args:
        cell: one that could not be decided otherwise.
        delta: chance of a wrong decision.
    """
    claim = cell.claim
    names = symbols_of(claim, cell.version) - GIVEN
    if claim.kind != "upper" or str(claim.left(cell.version)) != _STATISTIC or cell.N != 1:
        return None
    if not isinstance(cell.judged, str) or (cell.judged == "maml" and cell.by != "outcomes"):
        return None
    point = local.Point(cell, names)
    given = {**point.constants, **{n: local.QUANTITIES[n](point) for n in names - {_STATISTIC}}}
    values = {s.QUANTITIES[name].symbol: value for name, value in given.items()}
    least, most = ends(enclosed(claim.versions[cell.version].rhs, values))
    top = _top(cell)
    if not (0 < most < math.inf and 0 < top < math.inf):
        return None
    return Sample(least, most, Bet(most), Confidence(top, delta))


def _ratio(more: float, less: float) -> float:
    return more / less if less > 0 else math.inf


def _top(cell: Cell) -> float:
    """The largest value of the statistic."""
    family, alpha = cell.family, real(cell.inner_step)
    a, sigma_tilde, sigma_H = (
        alpha * real(family.constants.L),
        *(real(getattr(family.constants, name)) for name in ("sigma_tilde", "sigma_H")),
    )
    w = cell.point
    outer = np.linalg.norm(family.gradients_at(w - alpha * family.gradients(w)), axis=1)
    factor = {"fo_maml": 1.0, "hf_maml": 1 + a, "maml": 1 + a + alpha * sigma_H}[cell.judged]
    return float(family.probabilities @ (factor * (outer + (1 + a) * sigma_tilde)) ** 2) * (1 + 1e-9)


def _draws(cell: Cell, seed: int, block: int) -> Iterator[float]:
    family, alpha = cell.family, real(cell.inner_step)
    generator = np.random.Generator(np.random.Philox(key=[seed, block]))
    scale = real(family.constants.sigma_tilde) / math.sqrt(family.dim)
    inner = _means(generator, cell.samples("D_in"), scale, family.dim)
    outer = _means(generator, cell.samples("D_o"), scale, family.dim)
    hessian = _means(generator, cell.samples("D_h"), real(family.constants.sigma_H), 1)[:, 0]
    for k in range(BLOCK):
        noise = {"inner": inner[k], "outer": outer[k]}
        found = cell.estimator(Oracle(family, cell.point, alpha, noise, float(hessian[k]), real(cell.zeta)))
        yield float(family.probabilities @ (found * found).sum(axis=1))


def _means(generator: np.random.Generator, D: float, size: float, width: int) -> np.ndarray:
    """Means of D samples +-size, (BLOCK, width); nothing is drawn where there is no noise."""
    if math.isinf(D) or size == 0:
        return np.zeros((BLOCK, width))
    return size * (2 * generator.binomial(int(D), 0.5, (BLOCK, width)) - D) / D
