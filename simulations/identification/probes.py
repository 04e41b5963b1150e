"""The questions put to a meta-gradient: points, tasks, inner steps and step sizes that tell the candidates apart.

Everything is a dyadic rational with few bits, so single precision holds it exactly. Probes that share a seed share
point and tasks, which shows what depends on k, alpha and the number of tasks and what ignores them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulations.identification.quartic import DIM, SIZE, Quartic, column

ROWS = 4
_SPREAD = {1: 16, 2: 16, 3: 16, 4: 10}
_CURVED = np.array([0.25, 0.5, 1.0, 2.0])
_LARGE = 64.0
_BENT = 32
_NEAR = 0.25


@dataclass(frozen=True, eq=False)
class Probe:
    """One question: what is the meta-gradient at w?

    w: (DIM,). tasks: pairs (support, query), each (ROWS, SIZE). alpha: inner step. steps: inner steps k.
    """

    name: str
    w: np.ndarray
    tasks: tuple[tuple[np.ndarray, np.ndarray], ...]
    alpha: float
    steps: int
    large: bool = False


class Batch:
    """The tasks of many probes side by side, T in all, so that a candidate answers every probe at once.

    w: (T, DIM). alpha: (T, 1). steps: (T,). losses: of the support and of the query data, T each.
    """

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.probes = tuple(probes)
        sizes = self._sizes = np.array([len(probe.tasks) for probe in probes])
        self.w = np.repeat([probe.w for probe in probes], sizes, axis=0)
        self.alpha = np.repeat([probe.alpha for probe in probes], sizes)[:, None]
        self.steps = np.repeat([probe.steps for probe in probes], sizes)
        tasks = [task for probe in probes for task in probe.tasks]
        self.losses = tuple(Quartic(np.array([task[kind].mean(axis=0) for task in tasks])) for kind in (0, 1))

    def mean(self, vectors: np.ndarray) -> np.ndarray:
        """From (..., T, DIM) to the mean over the tasks of each probe, (..., probes, DIM)."""
        firsts = np.cumsum(self._sizes) - self._sizes
        return np.add.reduceat(vectors, firsts, axis=-2) / self._sizes[:, None]


def _coefficients(generator: np.random.Generator) -> np.ndarray:
    """(ROWS, SIZE) small multiples of 1/32, one for each monomial, with a convex and uneven quadratic part."""
    rows = np.zeros((ROWS, SIZE))
    for degree, largest in _SPREAD.items():
        for entry in itertools.combinations_with_replacement(range(DIM), degree):
            rows[:, column(entry)] = generator.integers(-largest, largest + 1, ROWS) / 32
    squares = [column((j, j)) for j in range(DIM)]
    rows[:, squares] = np.abs(rows[:, squares]) + _CURVED
    return rows


def _bent(rows: np.ndarray) -> np.ndarray:
    """The same rows with larger coefficients of degree four, which alone tell HF-MAML with a small delta from MAML."""
    bent = rows.copy()
    bent[:, : DIM**4] *= _BENT
    return bent


@lru_cache(maxsize=16)
def make_probes(steps: tuple[int, ...], alphas: tuple[float, ...], sizes: tuple[int, ...] = (1, 3)) -> Batch:
    """Probes over inner steps, step sizes and numbers of tasks, and one with large gradients.

    Args:
        steps: numbers of inner steps to ask for.
        alphas: inner steps, dyadic.
        sizes: numbers of tasks.
    """
    probes = []
    for seed, size in enumerate(sizes):
        generator = np.random.Generator(np.random.Philox(1000 + seed))
        w = generator.integers(-6, 7, DIM) / 8 + 1 / 16
        tasks = tuple((_coefficients(generator), _coefficients(generator)) for _ in range(size))
        for alpha in alphas:
            for k in steps:
                probes.append(Probe(f"k = {k}, alpha = {alpha:g}, {size} task{'s' * (size > 1)}", w, tasks, alpha, k))
    first = probes[0]
    near, bent = _NEAR * first.w, tuple((_bent(support), query) for support, query in first.tasks)
    for alpha in alphas:
        probes.append(Probe(f"large fourth derivatives, alpha = {alpha:g}", near, bent, alpha, first.steps))
    grown = tuple((support, _LARGE * query) for support, query in first.tasks)
    probes.append(Probe(f"large gradients, {first.name}", first.w, grown, first.alpha, first.steps, large=True))
    return Batch(probes)
