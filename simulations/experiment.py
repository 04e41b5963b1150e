"""A frozen Experiment and its run: the only place that picks an engine and turns its numbers into tables."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd

from simulations import engine_cpu, steps
from simulations.family import Family, positive_integer, real
from simulations.kernels import Plan, Setting, StepRule
from simulations.method import Method
from simulations.methods import METHODS
from theory import CLAIMS
from theory.rationals import Number, exact

GUARD = 3.0
_CHUNK_WORK = 30_000_000
_LONGEST_CHUNK = 65_536
_ADDRESSES = 2**32

Step = str | float | Callable[[int], float]


@dataclass(frozen=True)
class Experiment:
    """Algorithm 1 of the survey on a family of tasks.

    Args:
        family: the tasks, their constants and the start.
        method: name of a file of `simulations.methods`.
        alpha: inner step; "1/6" and Fractions are understood.
        B: tasks in a batch, drawn independently; None for the exact expectation over tasks.
        D_in, D_o, D_h: samples of the inner gradient, outer gradient and Hessian; None for exact oracles.
        step: "published" 1/(c L~(w)) with the mean norm from a fresh batch, "exact" the same with the exact mean,
            "sharp" 1/L(w) with the sharp smoothness, a positive number, or a function of the iteration.
        B_step, D_step: tasks and samples a task of the step-size batch of "published"; None for the exact mean and for
            exact gradients.
        iterations: how many at most, up to 2**32, where noise addresses end.
        replicates: independent runs from the same start, up to 2**32.
        eps: targets; each replicate's first passage below each is found at every iteration.
        until_passage: stop once every replicate, and the guarded mean over replicates, is below the smallest eps.
        record_every: distance of the rows of `Result.frame`.
        seed: key of all noise.
        engine: "cpu".

    Raises:
        ValueError: a field is out of its range; one sentence says which and what would be right.
    """

    family: Family
    alpha: Number
    method: str = "maml"
    B: int | None = None
    D_in: float | None = None
    D_o: float | None = None
    D_h: float | None = None
    step: Step = "published"
    B_step: int | None = None
    D_step: float | None = None
    iterations: int = 1000
    replicates: int = 1
    eps: Sequence[float] = ()
    until_passage: bool = False
    record_every: int = 1
    seed: int = 0
    engine: str = "cpu"

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("engine", ENGINES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        for name in ("iterations", "replicates", "record_every"):
            if positive_integer(name, getattr(self, name)) > _ADDRESSES:
                raise ValueError(f"{name} must be at most 2**32, where noise would repeat, got {getattr(self, name)}")
        for name in ("B", "B_step"):
            if getattr(self, name) is not None:
                positive_integer(name, getattr(self, name))
        for name in ("D_in", "D_o", "D_h", "D_step"):
            samples = getattr(self, name)
            if samples is not None and not (isinstance(samples, Real) and samples >= 1):
                raise ValueError(f"{name} must be at least 1, or None for an exact oracle, got {samples!r}")
            self.family.noise.samples(name, samples)
        if self.D_step is not None and self.B_step is None:
            raise ValueError("D_step needs a B_step: without one the step size uses the exact mean over tasks")
        if not (0 <= exact(self.alpha, "alpha") < math.inf):
            raise ValueError(f"alpha must be finite and not negative, got {self.alpha}")
        for target in self.eps:
            if not (math.isfinite(target) and target > 0):
                raise ValueError(f"eps must be positive, got {target}")
        if self.until_passage and not self.eps:
            raise ValueError("until_passage needs at least one eps to pass")
        if not (isinstance(self.seed, Integral) and 0 <= self.seed < 2**64):
            raise ValueError(f"seed must be a whole number of [0, 2**64), got {self.seed!r}")
        number = isinstance(self.step, Real) and not isinstance(self.step, bool)
        if not (number or callable(self.step) or self.step in STEPS):
            raise ValueError(f"step must be one of {', '.join(STEPS)}, a number or a function, got {self.step!r}")
        if number and not 0 < self.step < math.inf:
            raise ValueError(f"step must be positive, got {self.step}")

    @property
    def full_batch(self) -> bool:
        """Whether the update direction is exact: all tasks by their probabilities, with exact oracles."""
        return not self.B and all(_samples(D) == math.inf for D in (self.D_in, self.D_o, self.D_h))

    @property
    def deterministic(self) -> bool:
        """Whether nothing is sampled, so that all replicates are one."""
        return self.full_batch and not (self.step == "published" and self.B_step)

    def plan(self) -> Plan:
        """The experiment as the engine sees it."""
        method, alpha = METHODS[self.method], real(self.alpha)
        kernel, base, slope = _step_rule(self.step, self.B_step, method, self.family, alpha)
        return Plan(
            direction=method.direction,
            gradient=method.gradient,
            objective=method.objective,
            step=kernel,
            oracle=self.family.oracle,
            law=self.family.law,
            setting=Setting(alpha, *(_samples(D) for D in (self.D_in, self.D_o, self.D_h))),
            rule=StepRule(base, slope, self.B_step or 0, _samples(self.D_step)),
            B=self.B or 0,
            reuse=int(method.direction is method.gradient and self.full_batch),
            last=self.iterations,
            norm_every=1 if self.eps else self.record_every,
            record_every=self.record_every,
            seed=np.uint64(self.seed),
        )


@dataclass(frozen=True)
class Result:
    """What a run found.

    frame: replicate, iteration, grad_norm, objective, step; one row per recorded point; the step leads on from it.
    first_passage: replicate, eps, T, censored; T is the first iteration with ||grad F(w_k)|| <= eps.
    mean: iteration, grad_norm, standard_error; the mean over replicates wherever the norm was found.
    mean_passage: eps, T, censored; T is the first iteration at which the mean plus GUARD standard errors is <= eps.
    """

    experiment: Experiment
    frame: pd.DataFrame
    first_passage: pd.DataFrame
    mean: pd.DataFrame
    mean_passage: pd.DataFrame


def run(
    experiment: Experiment, threads: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Result:
    """Run an experiment.

    Args:
        experiment: what to run.
        threads: how many to use, all cores by default; results do not depend on it.
        progress: called with (iterations done, iterations at most) after every chunk.

    Raises:
        ValueError: a step function gives a step that is not positive.
    """
    family, plan = experiment.family, experiment.plan()
    points = np.tile(family.start, (experiment.replicates, 1))
    log = _Log(experiment)
    rows = max(family.size, plan.B, plan.rule.B_step)
    chunk = int(np.clip(_CHUNK_WORK // (experiment.replicates * rows * family.dim), 1, _LONGEST_CHUNK))
    start, total = 0, experiment.iterations + 1
    while start < total and not log.settled:
        iterations = np.arange(start, min(start + chunk, total))
        scheduled = _scheduled(experiment.step, iterations)
        log.add(start, *ENGINES[experiment.engine](plan, points, scheduled, start, threads or os.cpu_count() or 1))
        start += iterations.size
        if progress:
            progress(min(start, experiment.iterations), experiment.iterations)
    return log.result()


class _Log:
    """Gathers chunks into the tables of a Result."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.eps = np.array(sorted(set(map(float, experiment.eps)), reverse=True))
        self.passage = np.full((self.eps.size, experiment.replicates), -1)
        self.mean_passage = np.full(self.eps.size, -1)
        self.records: list[pd.DataFrame] = []
        self.means: list[pd.DataFrame] = []

    @property
    def settled(self) -> bool:
        passed = min(self.passage.min(initial=0), self.mean_passage.min(initial=0)) >= 0
        return self.experiment.until_passage and passed

    def add(self, start: int, norms: np.ndarray, objectives: np.ndarray, steps: np.ndarray) -> None:
        replicates = self.experiment.replicates
        error = np.zeros(len(norms))
        if not self.experiment.deterministic:
            error = norms.std(axis=1, ddof=1) / math.sqrt(replicates) if replicates > 1 else error + math.inf
        mean = pd.DataFrame({"iteration": start + np.arange(len(norms)), "grad_norm": norms.mean(axis=1)})
        mean["standard_error"] = error
        self.means.append(mean[mean["grad_norm"].notna()])
        guarded = (mean["grad_norm"] + GUARD * error).to_numpy()
        for e, target in enumerate(self.eps):
            _first(self.passage[e], norms <= target, start)
            _first(self.mean_passage[e : e + 1], guarded[:, None] <= target, start)
        kept = np.flatnonzero((start + np.arange(len(norms))) % self.experiment.record_every == 0)
        shape = (kept.size, replicates)
        self.records.append(
            pd.DataFrame(
                {
                    "replicate": np.broadcast_to(np.arange(replicates), shape).ravel(),
                    "iteration": np.broadcast_to(start + kept[:, None], shape).ravel(),
                    "grad_norm": norms[kept].ravel(),
                    "objective": objectives[kept].ravel(),
                    "step": steps[kept].ravel(),
                }
            )
        )

    def result(self) -> Result:
        frame, mean = (pd.concat(parts, ignore_index=True) for parts in (self.records, self.means))
        if self.settled:
            last = max(self.passage.max(), self.mean_passage.max())
            frame, mean = frame[frame["iteration"] <= last], mean[mean["iteration"] <= last]
        shape = self.passage.shape
        first = pd.DataFrame(
            {
                "replicate": np.broadcast_to(np.arange(shape[1]), shape).ravel(),
                "eps": np.repeat(self.eps, shape[1]),
                "T": self.passage.ravel(),
            }
        )
        passage = pd.DataFrame({"eps": self.eps, "T": self.mean_passage})
        return Result(
            self.experiment,
            frame.sort_values(["replicate", "iteration"], ignore_index=True),
            _censored(first),
            mean,
            _censored(passage),
        )


def _first(found: np.ndarray, below: np.ndarray, start: int) -> None:
    """Note in `found` the first row of `below` that is true, for the columns where none was noted yet."""
    news = (found < 0) & below.any(axis=0)
    found[news] = start + below.argmax(axis=0)[news]


def _censored(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that were never reached get no T and are flagged, not dropped."""
    return table.assign(T=table["T"].where(table["T"] >= 0).astype("Int64"), censored=table["T"] < 0)


def _samples(asked: float | None) -> float:
    return math.inf if asked is None else float(asked)


def _scheduled(step: Step, iterations: np.ndarray) -> np.ndarray:
    if callable(step):
        planned = np.array([step(int(k)) for k in iterations], dtype=float)
        for k in np.flatnonzero(~((planned > 0) & (planned < math.inf)))[:1]:
            raise ValueError(f"step must be positive, got {planned[k]} at iteration {iterations[k]}")
        return planned
    return np.full(iterations.size, math.nan if isinstance(step, str) else float(step))


def _step_rule(step: Step, B_step: int | None, method: Method, family: Family, alpha: float):
    """The kernel of a step rule with its base and slope."""
    if not isinstance(step, str):
        return steps.schedule, 0.0, 0.0
    which, sampled = STEPS[step]
    a = exact(alpha) * exact(family.constants.L)
    constants = CLAIMS["smoothness"].constants(which, a=a)
    on_L, on_mean = float(constants["cL"]), float(constants["cg"])
    factor = method.step_factor if which == "published" else 1
    base = factor * on_L * real(family.constants.L)
    slope = factor * on_mean * real(family.constants.rho) * alpha
    return (steps.sampled if sampled and B_step else steps.exact), base, slope


ENGINES = {"cpu": engine_cpu.advance}
STEPS = {"published": ("published", True), "exact": ("published", False), "sharp": ("sharp", False)}
