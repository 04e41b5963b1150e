"""A frozen Experiment and its run: the only place that picks an engine."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from numbers import Integral, Real

import numpy as np

from simulations import engine_array, engine_cpu, steps
from simulations.family import Family, positive_integer, real
from simulations.kernels import Plan, Setting, StepRule
from simulations.method import Case, Options
from simulations.methods import METHODS
from simulations.results import GUARD, Log, Result, State
from theory.rationals import Number, exact

__all__ = ["GUARD", "Experiment", "Result", "State", "run"]

_CHUNK_WORK = 30_000_000
_LONGEST_CHUNK = 65_536
_FIRST_CHUNK = 128
"""Of a run that may end at any iteration; its chunks double, so at most half of what is computed is thrown away."""
_ADDRESSES = 2**32

Step = str | float | Callable[[int], float]


@dataclass(frozen=True)
class Experiment:
    """One method on a family of tasks: Algorithm 1 of the survey, or one of its relatives.

    Args:
        family: the tasks, their constants and the start.
        method: name of a file of `simulations.methods`.
        method_options: the method's own numbers, such as inner_steps or zeta; its file says which.
        alpha: inner step; "1/6" and Fractions are understood.
        B: tasks in a batch, drawn independently; None for the exact expectation over tasks.
        D_in, D_o, D_h: samples of the inner gradient, outer gradient and Hessian; None for exact oracles. A method
            that has no use for one of them does not look at it.
        step: "published" 1/(c L~(w)) with the mean norm from a fresh batch, "exact" the same with the exact mean,
            "sharp" 1/L(w) with the sharp smoothness (these three for methods with a known smoothness), a positive
            number, or a function of the iteration.
        B_step, D_step: tasks and samples a task of the step-size batch of "published"; None for the exact mean and for
            exact gradients.
        iterations: how many at most, up to 2**32, where noise addresses end.
        replicates: independent runs from the same start, up to 2**32.
        eps: targets; each replicate's first passage below each is found at every iteration.
        until_passage: stop once every replicate, and the guarded mean over replicates, is below the smallest eps.
        record_every: distance of the rows of `Result.frame`.
        seed: key of all noise.
        draws: "all" draws every sample's noise; "merged" one normal vector for the outer noise of a whole batch, which
            has the same law where tasks and Hessian noise are diagonal (docs/performance.md says why), and costs less.
        engine: "cpu" (Numba), or arrays with all replicates as one axis: "numpy", or "cupy" on a GPU.

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
    draws: str = "all"
    engine: str = "cpu"
    method_options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("method", METHODS), ("engine", ENGINES), ("draws", DRAWS)):
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
        method = METHODS[self.method]
        if self.draws == "merged":
            self._check_merged()
        if isinstance(self.step, str) and (method.step_factor if self.step != "sharp" else method.smoothness) is None:
            raise ValueError(f"{self.method} has no {self.step!r} step: give a number or a function")
        self.options  # noqa: B018 refuses options its method does not understand

    def _check_merged(self) -> None:
        """Refuse merged draws where they would not have the law of all draws."""
        family, noise = self.family, self.family.noise
        if METHODS[self.method].merged is None:
            raise ValueError(f"draws must be 'all' for {self.method}, whose outer noise does not enter linearly")
        if not (noise.gradient.normal and noise.hessian.diagonal):
            found = f"{noise.gradient.name} and {noise.hessian.name}"
            raise ValueError(f"draws must be 'all' but for normal gradient and diagonal Hessian noise, got {found}")
        if family.formula is None or family.turned:
            raise ValueError(f"draws must be 'all' for {family.name} tasks, whose Hessians are not diagonal")

    @property
    def case(self) -> Case:
        """What a method may look at to understand its options."""
        return Case(self.family, self.alpha, _samples(self.D_in), _samples(self.D_o), tuple(map(float, self.eps)))

    @property
    def options(self) -> Options:
        """The method's options as it understands them, with what follows from them."""
        return METHODS[self.method].options(self.method_options, self.case)

    @property
    def digest(self) -> str:
        """A fingerprint of everything a run depends on but the engine and the values of a step function."""
        family = self.family
        noise = family.noise.gradient.name, family.noise.hessian.name
        digest = hashlib.sha256(repr((family.name, noise, family.constants, dict(self.options.shown))).encode())
        for array in (family.table, family.shared, family.probabilities, family.start, family.oracle.spread):
            digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        skipped = ("family", "engine", "method_options", *(("step",) if callable(self.step) else ()))
        for name in (each.name for each in fields(self) if each.name not in skipped):
            digest.update(f"{name}={getattr(self, name)!r};".encode())
        return digest.hexdigest()

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
        method, options, alpha = METHODS[self.method], self.options, real(self.alpha)
        kernel, base, slope = self._step_rule()
        samples = (_samples(D) for D in (self.D_in, self.D_o, self.D_h))
        same = method.direction is method.gradient and options.direction == options.objective
        merged = self.draws == "merged"
        lanes, tile = self._block()
        return Plan(
            direction=method.merged if merged else method.direction,
            gradient=method.gradient,
            objective=method.objective,
            step=kernel,
            oracle=self.family.oracle,
            law=self.family.law,
            setting=Setting(alpha, *samples, np.array(options.direction, dtype=float)),
            exact=Setting(alpha, *(math.inf,) * 3, np.array(options.objective, dtype=float)),
            rule=StepRule(base, slope, self.B_step or 0, _samples(self.D_step)),
            merge=int(merged),
            slots=options.slots,
            lanes=lanes,
            tile=tile,
            B=self.B or 0,
            reuse=int(same and self.full_batch),
            last=self.iterations,
            norm_every=1 if self.eps else self.record_every,
            record_every=self.record_every,
            seed=np.uint64(self.seed),
        )

    def _block(self) -> tuple[int, int]:
        """Lanes and tile of the CPU engine; noise that finds its numbers by rows of its own gets whole batches."""
        family, noise = self.family, self.family.noise
        if not (noise.gradient.in_blocks and noise.hessian.in_blocks):
            return 1, max(family.size, self.B or 0)
        return engine_cpu.block_shape(self.B or family.size, family.size, family.dim)

    def _step_rule(self):
        """The kernel of the step rule with its base and slope."""
        if not isinstance(self.step, str):
            return steps.schedule, 0.0, 0.0
        method, (which, sampled) = METHODS[self.method], STEPS[self.step]
        factor = method.step_factor if which == "published" else 1
        base, slope = method.smoothness(which, self.case, self.options)
        return (steps.sampled if sampled and self.B_step else steps.exact), factor * base, factor * slope


def run(
    experiment: Experiment,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    state: State | None = None,
    stop: int | None = None,
) -> Result:
    """Run an experiment.

    Args:
        experiment: what to run.
        threads: how many to use, all cores by default; results do not depend on it.
        progress: called with (iterations done, iterations at most) after every chunk.
        state: `Result.state` of the same experiment stopped earlier, to go on from there: bit for bit what one run
            would have found. `frame` and `mean` then hold the new rows alone.
        stop: iteration before which to stop; by default none.

    Raises:
        ValueError: threads is not positive, a step function gives a step that is not positive, the state is another
            experiment's, or the engine cannot run here or serve this family.
    """
    threads = positive_integer("threads", (os.cpu_count() or 1) if threads is None else threads)
    family, plan = experiment.family, experiment.plan()
    log = Log(experiment, state)
    advance = ENGINES[experiment.engine](family, plan)
    rows = max(family.size, plan.B, plan.rule.B_step)
    work = experiment.replicates * rows * family.dim
    chunk = advance.chunk(work, experiment.replicates) if hasattr(advance, "chunk") else _CHUNK_WORK // work
    chunk = int(np.clip(chunk, 1, _LONGEST_CHUNK))
    total = experiment.iterations + 1
    total = total if stop is None else min(total, positive_integer("stop", stop))
    while log.next < total and not log.settled:
        length = min(chunk, max(_FIRST_CHUNK, log.next)) if experiment.until_passage else chunk
        iterations = np.arange(log.next, min(log.next + length, total))
        scheduled = _scheduled(experiment.step, iterations)
        log.add(*advance(log.points, scheduled, log.next, threads, log.diverged))
        if progress:
            progress(min(int(iterations[-1]) + 1, experiment.iterations), experiment.iterations)
    return log.result()


def _samples(asked: float | None) -> float:
    return math.inf if asked is None else float(asked)


def _scheduled(step: Step, iterations: np.ndarray) -> np.ndarray:
    if callable(step):
        planned = np.array([step(int(k)) for k in iterations], dtype=float)
        for k in np.flatnonzero(~((planned > 0) & (planned < math.inf)))[:1]:
            raise ValueError(f"step must be positive, got {planned[k]} at iteration {iterations[k]}")
        return planned
    return np.full(iterations.size, math.nan if isinstance(step, str) else float(step))


def _cpu(family: Family, plan: Plan) -> Callable:
    engine_cpu.prepare(plan)
    return partial(engine_cpu.advance, plan)


DRAWS = ("all", "merged")
ENGINES = {"cpu": _cpu, **{name: partial(engine_array.engine, name) for name in ("numpy", "cupy")}}
STEPS = {"published": ("published", True), "exact": ("published", False), "sharp": ("sharp", False)}
