"""NumPy, vectorised over replicates and tasks: one core."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.cases import Case
from benchmarks.peers._arrays import Noise, Tables, iteration, shapes, squared_norm


def _sincos(x):
    return np.sin(x), np.cos(x)


def _noise(p, merged: bool, generator: np.random.Generator) -> Noise:
    def picks(count: int) -> np.ndarray:
        everyone = np.broadcast_to(np.arange(len(p.shift)), (p.replicates, len(p.shift)))
        return generator.integers(0, len(p.shift), (p.replicates, count)) if count else everyone

    normals = {name: generator.standard_normal(shape) for name, shape in shapes(p, merged, p.replicates).items()}
    return Noise(picks(p.B), picks(p.B_step), **normals)


def _build(merged: bool, case: Case):
    p = case.problem()
    tables = Tables.of(p, np.asarray)
    quiet = Noise(*[np.broadcast_to(np.arange(len(p.shift)), (p.replicates, len(p.shift)))] * 2, 0.0, 0.0, 0.0, 0.0)

    def run():
        generator = np.random.Generator(np.random.Philox(p.seed))
        w, norms = np.tile(p.start, (p.replicates, 1)), []
        for k in range(p.iterations):
            if k % p.record_every == 0:
                norms.append(squared_norm(_sincos, tables, p, w))
            noise = _noise(p, merged, generator) if case.noisy else quiet
            w = iteration(np, _sincos, tables, p, merged, w, noise)
        return w, np.array([*norms, squared_norm(_sincos, tables, p, w)])

    return run


VARIANTS = {f"NumPy {draws}": (draws, partial(_build, draws == "merged")) for draws in ("all", "merged")}
