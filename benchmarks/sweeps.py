"""What a sweep costs beside its cells: `python -m benchmarks.sweeps --help`. It writes sweeps.csv and prints it."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from simulations.sweep import coordinator
from simulations.sweep.configuration import read
from simulations.sweep.coordinator import Options, Progress, sweep
from simulations.sweep.evaluate import Outcome
from simulations.sweep.ledger import FILE, Ledger

TINY = """
[axes]
claim = ["smoothness"]
version = ["published", "sharp"]
rho = {{linspace = ["1/2", 2, 50]}}
a = {{linspace = ["1/60", "1/6", 20]}}
shift = {{linspace = [0, 1, {count}]}}
[fixed]
dim = 2
tasks = 4
"""
BUSY = """
[axes]
claim = ["smoothness"]
family = ["{file}"]
seed = {{range = [1, {count}]}}
"""
BUSY_FAMILY = """
from simulations.families import cosine


def busy(seed=0):
    total = 0
    for k in range({loops}):
        total += k * k
    return cosine(dim=2, tasks=4, seed=seed)
"""
CELL = 0.006
"""Seconds of busy work; with what else a cell takes, some 10 ms."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.sweeps", description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000, help="tiny cells, in steps of 2,000")
    parser.add_argument("--busy", type=int, default=2000, help="cells of 10 ms")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/bench"), help="folder of the results")
    return parser.parse_args()


class Watch:
    """Of a sweep: when which cell was done, and the memory of this process then, in MiB."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int, float]] = []

    def __call__(self, state: Progress) -> None:
        self.seen.append((time.perf_counter(), state.done, _resident()))

    @property
    def rate(self) -> float:
        """Cells a second between the first cell and the last."""
        (began, first, _), (ended, last, _) = next(each for each in self.seen if each[1]), self.seen[-1]
        return (last - first) / (ended - began)


class Instant:
    """A pool that has every outcome at once: what is left is the coordinator and the ledger."""

    size = 1

    def __init__(self, *_: object) -> None:
        self._given: list = []

    @property
    def busy(self) -> bool:
        return bool(self._given)

    @property
    def room(self) -> int:
        return 0 if self._given else 1

    def give(self, batch: list) -> None:
        self._given = batch

    def wait(self, timeout: float) -> Iterator:
        given, self._given = self._given, []
        yield from ((task, Outcome("HOLDS", "", "exact", 1.0, 2.0, 2.0), 1e-3) for task in given)

    def close(self) -> None:
        pass


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _tiny(cells: int, workers: int, folder: Path) -> dict[str, float]:
    watch = Watch()
    state, _ = sweep(read(TINY.format(count=max(1, cells // 2000))), folder, Options(workers=workers), watch)
    size = sum(file.stat().st_size for file in folder.glob(f"{FILE}*"))
    return {
        "tiny cells": state.done,
        "cells a second": watch.rate,
        "coordinator at the start, MiB": watch.seen[1][2],
        "coordinator at the end, MiB": watch.seen[-1][2],
        "ledger, bytes a cell": size / state.done,
    }


def _coordinator_alone(cells: int, folder: Path) -> dict[str, float]:
    made, coordinator._pool = coordinator._pool, Instant
    try:
        watch = Watch()
        sweep(read(TINY.format(count=max(1, cells // 2000))), folder, progress=watch)
        return {"cells a second, coordinator and ledger alone": watch.rate}
    finally:
        coordinator._pool = made


def _busy(cells: int, workers: int, folder: Path) -> dict[str, float]:
    """Cells of about 10 ms: how much of the workers' time is not spent in cells, and what the coordinator takes."""
    file = folder / "busy.py"
    file.write_text(BUSY_FAMILY.format(loops=_loops()))
    found = {}
    for number in sorted({1, workers}):
        watch, began = Watch(), time.process_time()
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        sweep(read(BUSY.format(file=file, count=cells)), folder / str(number), Options(workers=number), watch)
        spent = time.process_time() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        with Ledger(folder / str(number)) as ledger:
            each = ledger.base.execute("SELECT avg(seconds) FROM cells").fetchone()[0]
        found[f"busy cell, {number} workers, ms"] = 1000 * each
        found[f"wall beyond the cells, {number} workers, %"] = 100 * (number / (watch.rate * each) - 1)
        found[f"CPU of the coordinator over that of {number} workers, %"] = 100 * spent[0] / spent[1]
    return found


def _loops() -> int:
    count, taken = 100_000, 0.0
    while taken < CELL:
        start = time.perf_counter()
        sum_of = 0
        for k in range(count):
            sum_of += k * k
        taken = time.perf_counter() - start
        count = int(count * max(1.1, CELL / taken)) if taken < CELL else count
    return int(count * CELL / taken)


def main() -> None:
    """Measure and write."""
    asked = arguments()
    with tempfile.TemporaryDirectory() as place:
        folder, found = Path(place), {}
        for measure, given in (
            (_busy, (asked.busy, asked.workers, folder)),
            (_coordinator_alone, (asked.cells, folder / "alone")),
            (_tiny, (asked.cells, asked.workers, folder / "tiny")),
        ):
            found |= measure(*given)
            print(f"{len(found)} of 12 figures", file=sys.stderr)
    asked.output.mkdir(parents=True, exist_ok=True)
    table = pd.Series(found, name="value").rename_axis("figure")
    table.to_csv(asked.output / "sweeps.csv")
    print(table.to_string(float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()
