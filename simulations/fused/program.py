"""Traced outputs as kernels: built once, bound to the arrays of a block of replicates, run again and again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from types import ModuleType

import numpy as np

from simulations.fused.formulas import OPTIONS
from simulations.fused.schedule import Kernel, schedule
from simulations.fused.source import NAME, Source, written
from simulations.fused.values import REPLICATES, Untraceable, Value

THREADS = 128
"""In a block of the GPU."""
_MOST_THREADS = 2**32 - 1


class Program:
    """Kernels that find some outputs.

    Args:
        outputs: by name, each of which varies with the replicates.
        sizes: lengths of the axes but the replicates'.

    Raises:
        Untraceable: an output is not one of its own, or there are too many operations.
    """

    def __init__(self, outputs: Mapping[str, Value], sizes: Mapping[str, int]) -> None:
        if len(set(outputs.values())) < len(outputs):
            raise Untraceable("two outputs are the same value")
        self.kernels = schedule(list(outputs.values()))
        self.sources = [written(kernel, sizes) for kernel in self.kernels]
        self.outputs, self.names = frozenset(outputs), {v: name for name, v in outputs.items()}
        self.places, self.pools = _places(self.kernels, self.names, sizes)

    @property
    def bytes(self) -> int:
        """Scratch of one replicate."""
        return 8 * sum(size for size, each in self.pools if each)

    @property
    def most(self) -> int:
        """Replicates that fit into one call."""
        return _MOST_THREADS // max(source.threads for source in self.sources)

    def bound(self, xp: ModuleType, arrays: Mapping[str, object], scalars: Mapping[str, object], replicates: int):
        """The program for so many replicates: called with the arrays and scalars not given here, outputs included."""
        pools = [xp.empty(size * (replicates if each else 1)) for size, each in self.pools]
        return Bound([_Launch(self, source, xp, arrays, scalars, pools, replicates) for source in self.sources])


class Bound:
    """Kernels and their arrays, ready to run."""

    def __init__(self, launches: list[_Launch]) -> None:
        self.launches = launches

    def __call__(self, given: Mapping[str, object]) -> None:
        """given: arrays and scalars by name."""
        for launch in self.launches:
            launch(given)


class _Launch:
    def __init__(self, program: Program, source: Source, xp, arrays, scalars, pools, replicates: int) -> None:
        self.kernel = _built(xp, source.text)
        total = source.threads * (replicates if source.each else 1)
        self.grid, self.given, self.open = (-(-total // THREADS),), [np.uint32(total)], []
        for kind, what in source.arguments:
            name = program.names.get(what) if kind == "kept" else what
            if kind == "number":
                found = np.float64(what)
            elif kind == "kept" and name is None:
                found = pools[program.places[what]]
            else:
                found = (scalars if kind == "scalar" else arrays).get(name)
            if found is None:
                self.open.append((len(self.given), name))
            self.given.append(found)

    def __call__(self, given: Mapping[str, object]) -> None:
        for place, name in self.open:
            self.given[place] = given[name]
        self.kernel(self.grid, (THREADS,), tuple(self.given))


@cache
def _built(xp: ModuleType, text: str):
    return xp.RawKernel(text, NAME, options=OPTIONS)


def _places(
    kernels: list[Kernel], names: Mapping[Value, str], sizes: Mapping[str, int]
) -> tuple[dict[Value, int], list[tuple[int, bool]]]:
    """Which pool keeps which value, a pool being used again after the last kernel that reads it; the pools' lengths,
    and whether they are for each replicate."""
    last = {v: n for n, kernel in enumerate(kernels) for v in kernel.loads}
    places, pools, free = {}, [], {}
    for n, kernel in enumerate(kernels):
        for v in (*kernel.sums, *kernel.stores):
            if v in names:
                continue
            length = math.prod(sizes[axis] for axis in v.axes - {REPLICATES}) * (v.data if v.op == "parts" else 1)
            shape = length, REPLICATES in v.axes
            if not free.get(shape):
                pools.append(shape)
                free.setdefault(shape, []).append(len(pools) - 1)
            places[v] = free[shape].pop()
        for v in kernel.loads:
            if v in places and last[v] == n:
                free[pools[places[v]]].append(places[v])
    return places, pools
