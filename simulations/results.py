"""What a run found, gathered chunk by chunk, and the small state from which it can go on."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from simulations.experiment import Experiment

GUARD = 3.0
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class State:
    """Where a run stands: enough to go on from, bit for bit.

    digest: of the experiment. iteration: the next one. points: (replicates, d). diverged: (replicates,), as in
    `engine_cpu.advance`. passage: (eps, replicates) and mean_passage: (eps,), first passages, -1 where none was yet.
    smallest, squares: (replicates,), least ||grad F|| so far and sum of its squares; counted: over how many iterations.
    """

    digest: str
    iteration: int
    points: np.ndarray
    diverged: np.ndarray
    passage: np.ndarray
    mean_passage: np.ndarray
    smallest: np.ndarray
    squares: np.ndarray
    counted: int

    def save(self, file: str | Path) -> None:
        """Write it to a file, in NumPy's format .npz; an older state there is replaced whole or not at all.

        Raises:
            OSError: the file cannot be written.
        """
        part = Path(f"{file}.part")
        try:
            with open(part, "wb") as stream:
                np.savez(stream, **{each.name: getattr(self, each.name) for each in fields(self)})
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, file: str | Path) -> State:
        """Read what `save` wrote.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no state.
        """
        try:
            with np.load(file, allow_pickle=False) as found:
                read = {each.name: found[each.name] for each in fields(cls)}
        except (KeyError, ValueError, EOFError) as error:
            raise ValueError(f"{file} holds no state of a run") from error
        whole = {name: read[name].item() for name in ("digest", "iteration", "counted")}
        return cls(**{**read, **whole})


@dataclass(frozen=True)
class Rows:
    """What was noted at some iterations, in order: points of the runs, and means over them.

    recorded: (rows,), iterations of the points. norms, objectives, steps: (rows, replicates) there.
    averaged: (means,), iterations of the means. means, errors: (means,), mean of ||grad F|| and its standard error.
    """

    recorded: np.ndarray
    norms: np.ndarray
    objectives: np.ndarray
    steps: np.ndarray
    averaged: np.ndarray
    means: np.ndarray
    errors: np.ndarray

    @classmethod
    def joined(cls, parts: list[Rows]) -> Rows:
        """All parts as one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


@dataclass(frozen=True)
class Result:
    """What a run found; each table is made when it is first asked for.

    experiment: what was run. rows: what was noted, as arrays. state: from which `run` can go on.
    reasons: (replicates,), the stop_reason of each.

    A diverged replicate has grad_norm and objective inf from then on, so every mean over it is inf, never a number.
    """

    experiment: Experiment
    rows: Rows
    reasons: np.ndarray
    state: State

    @cached_property
    def frame(self) -> pd.DataFrame:
        """replicate, iteration, grad_norm, objective, step; one row per recorded point; the step leads on from it."""
        rows = self.rows
        replicates, recorded = np.arange(self.experiment.replicates), rows.recorded
        columns = (rows.norms, rows.objectives, rows.steps)
        return _table(
            replicate=np.repeat(replicates, recorded.size),
            iteration=np.tile(recorded, replicates.size),
            **dict(zip(("grad_norm", "objective", "step"), (column.ravel("F") for column in columns), strict=True)),
        )

    @cached_property
    def first_passage(self) -> pd.DataFrame:
        """replicate, eps, T, censored; T is the first iteration with ||grad F(w_k)|| <= eps."""
        targets, replicates = self.state.passage.shape
        return _censored(
            replicate=np.tile(np.arange(replicates), targets),
            eps=np.repeat(_targets(self.experiment), replicates),
            T=self.state.passage.ravel(),
        )

    @cached_property
    def mean(self) -> pd.DataFrame:
        """iteration, grad_norm, standard_error; the mean over replicates wherever the norm was found."""
        return _table(iteration=self.rows.averaged, grad_norm=self.rows.means, standard_error=self.rows.errors)

    @cached_property
    def mean_passage(self) -> pd.DataFrame:
        """eps, T, censored; T is the first iteration at which the mean plus GUARD standard errors is <= eps."""
        return _censored(eps=_targets(self.experiment), T=self.state.mean_passage)

    @cached_property
    def replicates(self) -> pd.DataFrame:
        """replicate, stop_reason, iteration, smallest, mean_square; one row each.

        stop_reason is "iterations" (all were done), "passed" (every target, until_passage), "diverged" (`iteration` is
        the first whose point or ||grad F|| is not finite) or "stopped" (asked to); smallest and mean_square are the
        least ||grad F|| and the mean of its squares over the iterations where it was found.
        """
        state = self.state
        return _table(
            replicate=np.arange(state.diverged.size),
            stop_reason=self.reasons,
            iteration=np.where(state.diverged >= 0, state.diverged, state.iteration - 1),
            smallest=state.smallest,
            mean_square=state.squares / max(state.counted, 1),
        )


class Log:
    """Gathers chunks into a Result."""

    def __init__(self, experiment: Experiment, state: State | None = None) -> None:
        self.experiment, replicates = experiment, experiment.replicates
        self.digest = experiment.digest
        self.eps = _targets(experiment)
        self.norm_every = 1 if experiment.eps else experiment.record_every
        if state is None:
            fresh = np.full((self.eps.size, replicates), -1), np.full(self.eps.size, -1)
            points = np.tile(experiment.family.start, (replicates, 1))
            norms = np.full(replicates, math.inf), np.zeros(replicates)
            state = State(self.digest, 0, points, np.full(replicates, -1), *fresh, *norms, 0)
        elif state.digest != self.digest:
            raise ValueError("the state belongs to another experiment: resume with the one that was stopped")
        self.next, self.counted = state.iteration, state.counted
        self.points, self.diverged = state.points.copy(), state.diverged.copy()
        self.passage, self.mean_passage = state.passage.copy(), state.mean_passage.copy()
        self.smallest, self.squares = state.smallest.copy(), state.squares.copy()
        self.parts = [Rows(np.arange(0), *(np.empty((0, replicates)),) * 3, np.arange(0), *(np.empty(0),) * 2)]

    @property
    def last(self) -> int:
        """The iteration at which until_passage had nothing left to wait for, -1 while it has.

        A diverged replicate passes no more targets, and the mean over it passes none either.
        """
        if not self.experiment.until_passage:
            return -1
        lost = np.where(self.diverged >= 0, self.diverged, _NEVER)
        own = np.minimum(np.where(self.passage[-1] >= 0, self.passage[-1], _NEVER), lost)
        mean = min(self.mean_passage[-1] if self.mean_passage[-1] >= 0 else _NEVER, lost.min())
        last = max(own.max(), mean)
        return -1 if last == _NEVER else int(last)

    @property
    def settled(self) -> bool:
        """Whether the run is over because every target was passed, or never can be."""
        return self.last >= 0

    def add(self, norms: np.ndarray, objectives: np.ndarray, steps: np.ndarray) -> None:
        """Take in the next iterations, each argument (iterations, replicates); what lies beyond `last` is dropped."""
        iterations = self.next + np.arange(len(norms))
        asked = iterations % self.norm_every == 0
        if (self.diverged >= 0).any():
            lost = (self.diverged >= 0) & (iterations[:, None] >= self.diverged)
            norms[lost & asked[:, None]] = objectives[lost] = math.inf
        mean, error = self._mean(norms[asked])
        for e, target in enumerate(self.eps):
            _first(self.passage[e], norms <= target, self.next)
            _first(self.mean_passage[e : e + 1], (mean + GUARD * error)[:, None] <= target, self.next)
        if self.settled:
            self.diverged[self.diverged > self.last] = -1
            iterations = iterations[iterations <= self.last]
        recorded = np.flatnonzero(iterations % self.experiment.record_every == 0)
        points = norms[recorded], objectives[recorded], steps[recorded]
        rows = np.flatnonzero(iterations % self.norm_every == 0)
        means = mean[: rows.size], error[: rows.size]
        self.parts.append(Rows(self.next + recorded, *points, self.next + rows, *means))
        self.smallest = np.minimum(self.smallest, norms[rows].min(axis=0, initial=math.inf))
        self.squares = np.cumsum(np.vstack([self.squares, norms[rows] ** 2]), axis=0)[-1]
        self.counted += rows.size
        self.next += iterations.size

    def _mean(self, norms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean over replicates and its standard error; both inf where a replicate has diverged."""
        replicates = self.experiment.replicates
        lost = np.isinf(norms).any(axis=1)
        sound = np.where(lost[:, None], 0.0, norms)
        error = np.zeros(len(norms))
        if not self.experiment.deterministic:
            error = sound.std(axis=1, ddof=1) / math.sqrt(replicates) if replicates > 1 else error + math.inf
        return tuple(np.where(lost, math.inf, part) for part in (sound.mean(axis=1), error))

    def result(self) -> Result:
        """What was found so far."""
        done = "iterations" if self.next > self.experiment.iterations else "stopped"
        reasons = np.full(self.diverged.size, "passed" if self.settled else done, dtype=object)
        reasons[self.diverged >= 0] = "diverged"
        return Result(self.experiment, Rows.joined(self.parts), reasons, self._state())

    def _state(self) -> State:
        arrays = self.points, self.diverged, self.passage, self.mean_passage, self.smallest, self.squares
        return State(self.digest, self.next, *arrays, self.counted)


def _targets(experiment: Experiment) -> np.ndarray:
    """Each eps once, the largest first."""
    return np.array(sorted(set(map(float, experiment.eps)), reverse=True))


def _first(found: np.ndarray, below: np.ndarray, start: int) -> None:
    """Note in `found` the first row of `below` that is true, for the columns where none was noted yet."""
    news = (found < 0) & below.any(axis=0)
    found[news] = start + below.argmax(axis=0)[news]


def _table(**columns: np.ndarray) -> pd.DataFrame:
    import pandas as pd  # 0.3 s that a run without tables does not pay

    return pd.DataFrame(columns)


def _censored(**columns: np.ndarray) -> pd.DataFrame:
    """Rows that were never reached get no T and are flagged, not dropped."""
    table = _table(**columns)
    return table.assign(T=table["T"].where(table["T"] >= 0).astype("Int64"), censored=table["T"] < 0)
