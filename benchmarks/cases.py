"""The work that is timed: MAML on cosine tasks with every source of noise, a fresh batch for the step, exact norms of
grad F every 50 iterations. Peers get it as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulations import Experiment, families
from simulations.family import Family


@dataclass(frozen=True)
class Case:
    """One size: dimension, tasks in a batch, tasks of the family, iterations and replicates.

    noisy = False turns all sampling off: every task weighted equally, exact oracles, the exact mean in the step.
    """

    d: int
    B: int
    tasks: int
    iterations: int
    replicates: int = 64
    record_every: int = 50
    seed: int = 0
    noisy: bool = True
    sigma_tilde: float = 0.3
    sigma_H: float = 0.2

    @property
    def count(self) -> int:
        """Task-coordinates of a run: R T B d of them."""
        return self.replicates * self.iterations * (self.B if self.noisy else self.tasks) * self.d

    def experiment(self, draws: str = "all") -> Experiment:
        noise = {"sigma_tilde": self.sigma_tilde, "sigma_H": self.sigma_H}
        family = families.cosine(self.d, self.tasks, sigma=0.1, **noise, seed=1)
        batches = {"B": self.B, "D_in": 10, "D_o": 10, "D_h": 10, "B_step": 1, "D_step": 1} if self.noisy else {}
        lengths = {"iterations": self.iterations, "replicates": self.replicates, "record_every": self.record_every}
        return Experiment(family, "1/6", **batches, **lengths, seed=self.seed, draws=draws)

    def problem(self) -> Problem:
        return Problem.of(self.experiment())


CASES = (Case(2, 20, 10, 2000), Case(16, 20, 32, 500), Case(128, 20, 100, 100), Case(1024, 40, 100, 50))
QUICK = tuple(replace(case, iterations=50, replicates=8) for case in CASES)


@dataclass(frozen=True)
class Problem:
    """The same work as numbers: f_i(w) = sum_j A (1 - cos(omega (w_j - shift_ij))) + tilt_i . w, tasks equally likely.

    shift, tilt: (tasks, d). inner, outer, hessian, step: standard deviations of the noise, a coordinate of a gradient
    or the scalar of a Hessian. base, slope: the step is 1/(base + slope mean ||g||). B, B_step: 0 for every task once.
    """

    shift: np.ndarray
    tilt: np.ndarray
    A: float
    omega: float
    alpha: float
    inner: float
    outer: float
    hessian: float
    step: float
    base: float
    slope: float
    B: int
    B_step: int
    start: np.ndarray
    iterations: int
    replicates: int
    record_every: int
    seed: int

    @staticmethod
    def of(experiment: Experiment) -> Problem:
        plan = experiment.plan()
        family: Family = experiment.family
        (A, omega), (shift, tilt) = family.shared, family.table
        gradient, hessian = plan.oracle.spread
        inner, outer, step = (
            gradient / np.sqrt(family.dim * D) for D in (plan.setting.D_in, plan.setting.D_o, plan.rule.D_step)
        )
        return Problem(
            shift, tilt, A, omega, plan.setting.alpha, inner, outer, hessian / np.sqrt(plan.setting.D_h), step,
            plan.rule.base, plan.rule.slope, plan.B, plan.rule.B_step, family.start,
            experiment.iterations, experiment.replicates, experiment.record_every, experiment.seed,
        )  # fmt: skip
