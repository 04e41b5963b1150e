"""How time grows with R, T, B and d: one number varied at a time, exponents by least squares on the logarithms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.cases import Case
from benchmarks.worker import Peer

BASE = Case(d=64, B=20, tasks=100, iterations=400, record_every=10_000)
"""Long enough for what a run costs besides its iterations not to show, which are all sampled ones but the first."""
GRID = {
    "replicates": (64, 128, 256, 512),
    "iterations": (400, 800, 1600, 3200),
    "B": (20, 40, 80, 160),
    "d": (64, 128, 256, 512),
}


def measure(peer: Peer, variant: str, repeats: int) -> dict[str, list[tuple[int, float]]]:
    """Of each number: (value, seconds of the fastest run), the sizes timed in turns."""
    found = {}
    for name, values in GRID.items():
        spent = {value: [] for value in values}
        for _ in range(repeats):
            for value in values:
                peer.prepare(variant, replace(BASE, **{name: value}))
                spent[value].append(peer.spend(variant)[0])
        found[name] = [(value, min(times)) for value, times in spent.items()]
    return found


def exponent(points: list[tuple[int, float]]) -> float:
    """The slope of log time against the log of the number."""
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])
