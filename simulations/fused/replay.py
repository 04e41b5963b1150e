"""The engine of traced plans: programs for what iterations ask for, run again and again on blocks of replicates."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import numpy as np

from simulations.fused import trace
from simulations.fused.program import Program
from simulations.iteration import asked, in_blocks, noted
from simulations.kernels import Plan

_MEMORY, _WORK, _NOTES = 2**33, 2**35, 2**26


class Programs:
    """`advance` by programs of the GPU, one for each thing that iterations may ask for.

    Raises:
        Untraceable: the plan cannot be traced.
    """

    def __init__(self, xp: ModuleType, plan: Plan, kernels: Plan) -> None:
        self.xp, self.plan, self.kernels, self.programs = xp, plan, kernels, {}
        self.arrays = {name: xp.asarray(each) for name, each in trace.arrays(plan).items()}
        for k in (0, 1):
            self.program(k)

    def program(self, k: int) -> Program:
        """That of iteration k."""
        ask = asked(self.plan, k)
        if ask not in self.programs:
            self.programs[ask] = trace.traced(self.plan, self.kernels, ask)
        return self.programs[ask]

    def __call__(
        self, w: np.ndarray, scheduled: np.ndarray, start: int, threads: int, diverged: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """As `engine_array.advance`; blocks of replicates are as many as some memory holds."""
        used = {asked(self.plan, start + offset): self.program(start + offset) for offset in range(scheduled.size)}
        state = 8 * (2 * w.shape[1] + 3 + sum(map(len, noted(self.plan, start, scheduled.size).values())))
        block = _MEMORY // (state + sum(program.bytes for program in used.values()))
        most = min((program.most for program in used.values()), default=len(w))
        block = max(1, min(most, block))
        return in_blocks(self.xp, self.plan, block, partial(_Replay, self), w, scheduled, start, diverged)

    @staticmethod
    def chunk(work: int, replicates: int) -> int:
        """Points go home after each chunk: it should be long, and short enough for all that is noted in memory."""
        return min(_WORK // work, _NOTES // replicates)


class _Replay:
    """Iterations of some replicates: programs bound to arrays, of which points and lost alternate between two."""

    def __init__(self, programs: Programs, first: int, count: int) -> None:
        self.programs, self.count, self.bound, self.spare = programs, count, {}, {}
        self.scalars = {trace.SEED: np.uint64(programs.plan.seed), trace.FIRST: np.uint64(first)}
        self.unnoted = {"steps": programs.xp.empty(count)}

    def __call__(self, k: int, planned: float, point, lost, rows: dict) -> tuple:
        ask, xp = asked(self.programs.plan, k), self.programs.xp
        program = self.programs.program(k)
        if ask not in self.bound:
            self.bound[ask] = program.bound(xp, self.programs.arrays, self.scalars, self.count)
        if not self.spare:
            self.spare, lost = {"point": xp.empty_like(point), "lost": xp.empty(self.count)}, lost.astype(np.float64)
        time = {trace.ADDRESS: np.uint64(k), trace.NOTED: np.float64(k), trace.PLANNED: np.float64(planned)}
        before = {"point": point, "lost": lost}
        self.bound[ask]({trace.POINT: point, trace.LOST: lost, **self.spare, **self.unnoted, **rows, **time})
        for name in before.keys() & program.outputs:
            before[name], self.spare[name] = self.spare[name], before[name]
        return before["point"], before["lost"]
