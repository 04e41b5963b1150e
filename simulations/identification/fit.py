"""How well a candidate explains the answers: the best scale law, the free number, the residual.

Answers u_p and a candidate's directions v_p agree if u_p = c n^a alpha^b k^e v_p for all probes p, n the number of
tasks, with one constant c and whole exponents a, b, e. The residual is max_p ||u_p - c n^a alpha^b k^e v_p||/||u_p||:
a law is named, never absorbed, and one probe that disagrees is enough to refuse.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from simulations.identification.candidates import Candidate, short
from simulations.identification.probes import Batch, Probe

_POWERS = (0, 1, -1)
_GRID = 33
_ZOOMS = 14
_HOPELESS = 0.5
_FLAT = 0.5
_ROUNDING = 1e-13
_SAME = 1e-5


@dataclass(frozen=True)
class Law:
    """The factor c n^tasks alpha^alpha k^steps between an answer and the candidate's mean over the tasks."""

    constant: float
    tasks: int = 0
    alpha: int = 0
    steps: int = 0

    def factor(self, probe: Probe) -> float:
        """Its value on a probe."""
        powers = len(probe.tasks) ** float(self.tasks) * probe.alpha ** float(self.alpha)
        return self.constant * powers * max(probe.steps, 1) ** float(self.steps)

    def __str__(self) -> str:
        letters = (("n", self.tasks), ("alpha", self.alpha), ("k", self.steps))
        powers = [f"{name}^{power}" if power != 1 else name for name, power in letters if power]
        simple = round(self.constant, 6)
        return " ".join(powers if simple == 1 and powers else [f"{simple:.6g}", *powers])


@dataclass(frozen=True)
class Fit:
    """A candidate with its free number and law, the largest relative residual over the probes, and what it adds.

    unsolved: relative residual of the candidate's own linear solve, 0 where it has none.
    """

    candidate: Candidate
    number: float
    law: Law
    residual: float
    unsolved: float = 0.0

    @property
    def label(self) -> str:
        """The candidate's label with its free number."""
        solved = f", solved to {short(self.unsolved)}" if self.unsolved > _ROUNDING else ""
        return self.candidate.label(self.number) + solved


class Matcher:
    """Fits candidates to the answers on some probes of a batch.

    Args:
        batch: the questions.
        rows: places of the probes that got an answer.
        answers: (rows, DIM), none of them 0.
    """

    def __init__(self, batch: Batch, rows: Sequence[int], answers: np.ndarray) -> None:
        self.batch, self.rows, self.answers = batch, list(rows), answers
        self.probes = [batch.probes[row] for row in self.rows]
        self.norms = np.linalg.norm(answers, axis=1, keepdims=True)
        self.laws = _laws(self.probes)
        self.shapes = np.array([[law.factor(probe) for probe in self.probes] for law in self.laws])[:, None, :]

    @property
    def equally_long(self) -> bool:
        """Whether all answers have the same norm, which no candidate's have."""
        return bool(np.ptp(self.norms) <= _SAME * self.norms.max())

    def fit(self, candidate: Candidate) -> Fit:
        """The candidate's best fit."""
        number, directions = self._number(candidate)
        worst, chosen, constants = self._scaled(directions)
        law = replace(self.laws[chosen[0]], constant=float(constants[0]))
        unsolved = candidate.unsolved(self.batch, number) if candidate.unsolved and worst[0] < _HOPELESS else 0.0
        return Fit(candidate, number, law, float(worst[0]), unsolved)

    def prediction(self, fit: Fit) -> np.ndarray:
        """What a fit expects as answer to every probe of the batch, (probes, DIM)."""
        factors = np.array([fit.law.factor(probe) for probe in self.batch.probes])
        return factors[:, None] * fit.candidate.direction(self.batch, np.array([fit.number]))[0]

    def _scaled(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For directions (G, rows, DIM): the residual under the best law (of those as good, the simplest), the law's
        place and its constant, each (G,)."""
        targets = self.answers / self.norms
        with np.errstate(all="ignore"):
            models = directions / self.norms
            lengths = np.linalg.norm(models, axis=2)
            units = models / np.where(lengths > 0, lengths, 1.0)[..., None]
            along = (targets * units).sum(axis=2)
            across = np.linalg.norm(targets - along[..., None] * units, axis=2)
            scaled = self.shapes * lengths
            constants = (along * scaled).sum(axis=2) / (scaled**2).sum(axis=2)
            worst = np.hypot(across, along - constants[..., None] * scaled).max(axis=2)
        worst[~np.isfinite(worst)] = np.inf
        chosen = (worst <= np.maximum(2 * worst.min(axis=0), _ROUNDING)).argmax(axis=0)
        each = np.arange(len(chosen))
        return worst[chosen, each], chosen, constants[chosen, each]

    def _number(self, candidate: Candidate) -> tuple[float, np.ndarray]:
        """The free number that fits best and the directions there, (1, rows, DIM).

        A grid is narrowed around its best point until the residual no longer depends on where in the grid it is taken.
        """
        grid, directions = _over_span(self.batch, candidate)
        directions = directions[:, self.rows]
        for _ in range(_ZOOMS if candidate.free else 0):
            worst = self._scaled(directions)[0]
            best = int(worst.argmin())
            near = [max(best - 1, 0), min(best + 1, len(grid) - 1)]
            if worst[best] > _HOPELESS or worst[best] >= _FLAT * worst[near].max():
                break
            narrower = np.geomspace(*grid[near], _GRID)
            if near == [best - 1, best + 1]:
                narrower[_GRID // 2] = grid[best]
            grid, directions = narrower, candidate.direction(self.batch, narrower)[:, self.rows]
        best = int(self._scaled(directions)[0].argmin())
        return float(grid[best]), directions[best : best + 1]

    def cut(self, candidate: Candidate) -> Fit:
        """The candidate with its norm cut down to the largest norm seen wherever it is larger; where all the answers
        have one norm, with that norm."""
        directions = candidate.direction(self.batch, np.ones(1))[0, self.rows]
        factors = self.norms.max() / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-300)
        shorter = directions * (factors if self.equally_long else np.minimum(1.0, factors))
        return Fit(candidate, 1.0, Law(1.0), _worst((self.answers - shorter) / self.norms))

    def remembering(self, candidate: Candidate) -> tuple[Fit, float]:
        """The candidate with a share of the answer before added to each answer, and that share."""
        models = self.shapes[:, 0, :, None] * candidate.direction(self.batch, np.ones(1))[0, self.rows]
        before = np.vstack([np.zeros(models.shape[-1]), self.answers[:-1]])
        first = models[:, 0]
        constants = (first @ self.answers[0]) / np.maximum((first**2).sum(axis=-1), 1e-300)
        rest = self.answers - constants[:, None, None] * models
        shares = (rest * before / self.norms**2).sum(axis=(1, 2)) / (before**2 / self.norms**2).sum()
        worst = [_worst((r - share * before) / self.norms) for r, share in zip(rest, shares, strict=True)]
        best = int(np.argmin(worst))
        law = replace(self.laws[best], constant=float(constants[best]))
        return Fit(candidate, 1.0, law, worst[best]), float(shares[best])


@lru_cache(maxsize=4096)
def _over_span(batch: Batch, candidate: Candidate) -> tuple[np.ndarray, np.ndarray]:
    """A grid of the candidate's number and its directions there: they do not depend on the code examined."""
    grid = np.geomspace(*candidate.span, candidate.points) if candidate.free else np.ones(1)
    return grid, candidate.direction(batch, grid)


def _laws(probes: Sequence[Probe]) -> list[Law]:
    """The laws that these probes can tell apart, the simplest first."""
    varied = [len(set(values)) > 1 for values in zip(*((len(p.tasks), p.alpha, p.steps) for p in probes), strict=True)]
    powers = itertools.product(*(_POWERS if differs else (0,) for differs in varied))
    return [Law(1.0, *power) for power in sorted(powers, key=lambda power: sum(map(abs, power)))]


def _worst(errors: np.ndarray) -> float:
    return float(np.linalg.norm(errors, axis=1).max())
