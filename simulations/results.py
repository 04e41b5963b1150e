"""What a run found, gathered chunk by chunk, and the small state from which it can go on."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
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
        """Write it to a file, in NumPy's format .npz.

        Raises:
            OSError: the file cannot be written.
        """
        with open(file, "wb") as stream:
            np.savez(stream, **{each.name: getattr(self, each.name) for each in fields(self)})

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
class Result:
    """What a run found.

    frame: replicate, iteration, grad_norm, objective, step; one row per recorded point; the step leads on from it.
    first_passage: replicate, eps, T, censored; T is the first iteration with ||grad F(w_k)|| <= eps.
    mean: iteration, grad_norm, standard_error; the mean over replicates wherever the norm was found.
    mean_passage: eps, T, censored; T is the first iteration at which the mean plus GUARD standard errors is <= eps.
    replicates: replicate, stop_reason, iteration, smallest, mean_square; one row each. stop_reason is "iterations" (all
        were done), "passed" (every target, until_passage), "diverged" (`iteration` is the first whose point or
        ||grad F|| is not finite) or "stopped" (asked to); smallest and mean_square are the least ||grad F|| and the
        mean of its squares over the iterations where it was found.
    state: from which `run` can go on.

    A diverged replicate has grad_norm and objective inf from then on, so every mean over it is inf, never a number.
    """

    experiment: Experiment
    frame: pd.DataFrame
    first_passage: pd.DataFrame
    mean: pd.DataFrame
    mean_passage: pd.DataFrame
    replicates: pd.DataFrame
    state: State


class Log:
    """Gathers chunks into the tables of a Result."""

    def __init__(self, experiment: Experiment, state: State | None = None) -> None:
        self.experiment, replicates = experiment, experiment.replicates
        self.digest = experiment.digest
        self.eps = np.array(sorted(set(map(float, experiment.eps)), reverse=True))
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
        self.records: list[pd.DataFrame] = [_records(*(np.empty((0, replicates)),) * 3, np.arange(0))]
        self.means: list[pd.DataFrame] = [_means(np.arange(0), np.empty(0), np.empty(0))]

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
        lost = (self.diverged >= 0) & (iterations[:, None] >= self.diverged)
        norms[lost & asked[:, None]] = objectives[lost] = math.inf
        mean, error = self._mean(norms[asked])
        for e, target in enumerate(self.eps):
            _first(self.passage[e], norms <= target, self.next)
            _first(self.mean_passage[e : e + 1], (mean + GUARD * error)[:, None] <= target, self.next)
        if self.settled:
            self.diverged[self.diverged > self.last] = -1
            iterations = iterations[iterations <= self.last]
        rows = np.flatnonzero(iterations % self.experiment.record_every == 0)
        self.records.append(_records(norms[rows], objectives[rows], steps[rows], self.next + rows))
        rows = np.flatnonzero(iterations % self.norm_every == 0)
        self.means.append(_means(self.next + rows, mean[: rows.size], error[: rows.size]))
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
        """The tables so far."""
        frame, mean = (pd.concat(parts[1:] or parts, ignore_index=True) for parts in (self.records, self.means))
        shape = self.passage.shape
        first = pd.DataFrame(
            {
                "replicate": np.broadcast_to(np.arange(shape[1]), shape).ravel(),
                "eps": np.repeat(self.eps, shape[1]),
                "T": self.passage.ravel(),
            }
        )
        return Result(
            self.experiment,
            frame.sort_values(["replicate", "iteration"], ignore_index=True),
            _censored(first),
            mean,
            _censored(pd.DataFrame({"eps": self.eps, "T": self.mean_passage})),
            self._replicates(),
            self._state(),
        )

    def _replicates(self) -> pd.DataFrame:
        done = "iterations" if self.next > self.experiment.iterations else "stopped"
        reason = np.full(self.diverged.size, "passed" if self.settled else done, dtype=object)
        reason[self.diverged >= 0] = "diverged"
        return pd.DataFrame(
            {
                "replicate": np.arange(self.diverged.size),
                "stop_reason": reason,
                "iteration": np.where(self.diverged >= 0, self.diverged, self.next - 1),
                "smallest": self.smallest,
                "mean_square": self.squares / max(self.counted, 1),
            }
        )

    def _state(self) -> State:
        arrays = self.points, self.diverged, self.passage, self.mean_passage, self.smallest, self.squares
        return State(self.digest, self.next, *arrays, self.counted)


def _records(norms: np.ndarray, objectives: np.ndarray, steps: np.ndarray, iterations: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "replicate": np.broadcast_to(np.arange(norms.shape[1]), norms.shape).ravel(),
            "iteration": np.broadcast_to(iterations[:, None], norms.shape).ravel(),
            "grad_norm": norms.ravel(),
            "objective": objectives.ravel(),
            "step": steps.ravel(),
        }
    )


def _means(iterations: np.ndarray, mean: np.ndarray, error: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"iteration": iterations, "grad_norm": mean, "standard_error": error})


def _first(found: np.ndarray, below: np.ndarray, start: int) -> None:
    """Note in `found` the first row of `below` that is true, for the columns where none was noted yet."""
    news = (found < 0) & below.any(axis=0)
    found[news] = start + below.argmax(axis=0)[news]


def _censored(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that were never reached get no T and are flagged, not dropped."""
    return table.assign(T=table["T"].where(table["T"] >= 0).astype("Int64"), censored=table["T"] < 0)
