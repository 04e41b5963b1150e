"""How well a candidate explains the answers: the best scale law, the free number, the residual.

Answers u_p and a candidate's directions v_p agree if u_p = c n^a alpha^b k^e v_p for all probes p, n the number of
tasks, with one constant c and whole exponents a, b, e. The residual is max_p ||u_p - c n^a alpha^b k^e v_p||/||u_p||:
a law is named, never absorbed, and one probe that disagrees is enough to refuse.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from simulations.identification.candidates import Candidate
from simulations.identification.probes import Probe

_POWERS = (0, 1, -1)
_SIMPLER = 0.999
_GRID = 32
_SCREENED = 3
_HOPELESS = 0.5


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
    """A candidate with its free number and law, and the largest relative residual over the probes."""

    candidate: Candidate
    number: float
    law: Law
    residual: float

    @property
    def label(self) -> str:
        """The candidate's label with its free number."""
        head, *traits = (self.candidate.name, *self.candidate.traits)
        if self.candidate.free:
            head = f"{head}({self.candidate.free} = {self.number:.6g})"
        return ", ".join((head, *traits))

    def prediction(self, probe: Probe) -> np.ndarray:
        """The answer it expects on a probe, (DIM,)."""
        return self.law.factor(probe) * self.candidate.direction(probe, self.number)


class Matcher:
    """Fits candidates to the answers on some probes.

    Args:
        probes: the questions.
        answers: (probes, DIM), none of them 0.
    """

    def __init__(self, probes: Sequence[Probe], answers: np.ndarray) -> None:
        self.probes, self.norms = list(probes), np.linalg.norm(answers, axis=1, keepdims=True)
        self.targets = answers / self.norms
        self.laws = _laws(probes)
        self.shapes = np.array([[law.factor(probe) for probe in probes] for law in self.laws])
        chosen = np.unique(np.linspace(0, len(self.probes) - 1, min(_SCREENED, len(self.probes))).astype(int))
        everything = len(chosen) == len(self.probes)
        self.few = self if everything else Matcher([self.probes[p] for p in chosen], answers[chosen])

    def fit(self, candidate: Candidate) -> Fit:
        """The candidate's best fit."""
        number = self._number(candidate) if candidate.free else 0.0
        law, errors = self.scaled(candidate, number)
        return Fit(candidate, number, law, _worst(errors))

    def scaled(self, candidate: Candidate, number: float) -> tuple[Law, np.ndarray]:
        """The law with the smallest residual (of those as good, the simplest), and the relative errors."""
        directions = np.array([candidate.direction(probe, number) for probe in self.probes])
        if not np.isfinite(directions).all() or not directions.any():
            return self.laws[0], np.full_like(self.targets, np.inf)
        models = self.shapes[:, :, None] * directions / self.norms
        constants = (self.targets * models).sum(axis=(1, 2)) / (models**2).sum(axis=(1, 2))
        errors = self.targets - constants[:, None, None] * models
        worst = np.linalg.norm(errors, axis=2).max(axis=1)
        best = 0
        for i in range(1, len(self.laws)):
            if worst[i] < _SIMPLER * worst[best]:
                best = i
        law = self.laws[best]
        return Law(float(constants[best]), law.tasks, law.alpha, law.steps), errors[best]

    def cut(self, candidate: Candidate, limit: float) -> float:
        """The largest relative error of the candidate with its norm cut down to `limit` wherever it is larger."""
        directions = np.array([candidate.direction(probe, 0.0) for probe in self.probes])
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        return _worst(self.targets - directions * np.minimum(1.0, limit / (lengths + 1e-300)) / self.norms)

    def _number(self, candidate: Candidate) -> float:
        """The free number: a grid on a few probes, then least squares on them from the best point of the grid."""
        grid = np.geomspace(*candidate.span, _GRID)
        coarse = np.array([_worst(self.few.scaled(candidate, number)[1]) for number in grid])
        start = int(coarse.argmin())
        if not coarse[start] < _HOPELESS:
            return float(grid[start])
        return self.few._refined(candidate, float(grid[start]), np.log(grid[1] / grid[0]))

    def _refined(self, candidate: Candidate, start: float, width: float) -> float:
        def errors(point: np.ndarray) -> np.ndarray:
            found = self.scaled(candidate, float(np.exp(point[0])))[1]
            return np.nan_to_num(found, nan=1e3, posinf=1e3).ravel()

        at = np.log(start)
        near = (at - 2 * width, at + 2 * width)
        solved = least_squares(errors, [at], bounds=near, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=40)
        return float(np.exp(solved.x[0]))


def _laws(probes: Sequence[Probe]) -> list[Law]:
    """The laws that these probes can tell apart, the simplest first."""
    varied = [len(set(values)) > 1 for values in zip(*((len(p.tasks), p.alpha, p.steps) for p in probes), strict=True)]
    powers = itertools.product(*(_POWERS if differs else (0,) for differs in varied))
    return [Law(1.0, *power) for power in sorted(powers, key=lambda power: sum(map(abs, power)))]


def _worst(errors: np.ndarray) -> float:
    return float(np.linalg.norm(errors, axis=1).max())
