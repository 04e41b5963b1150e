"""How time grows with R, T, B and d: one number varied at a time, exponents by least squares on the logarithms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.cases import Case
from benchmarks.worker import Peer

BASE = Case(d=128, B=20, tasks=100, iterations=100, record_every=1000)
GRID = {
    "replicates": (16, 32, 64, 128, 256),
    "iterations": (50, 100, 200, 400, 800),
    "B": (20, 40, 80, 160, 320),
    "d": (128, 256, 512, 1024, 2048),
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
