"""How long a sweep will take, from a few of its cells."""

from __future__ import annotations

import os
import time

import numpy as np

from simulations.sweep.configuration import Configuration
from simulations.sweep.evaluate import evaluated
from simulations.sweep.plan import Plan

_TIMED, _SECONDS = 24, 10.0


def estimate(configuration: Configuration, workers: int | None, part: tuple[int, int] = (1, 1)) -> dict[str, float]:
    """cells, timed, seconds_a_cell, workers, seconds: some cells drawn from the sweep are done twice, the second time
    counts, so that compilation does not.

    Args:
        configuration: of the sweep.
        workers: by default one a core.
        part: as in `coordinator.Options`.
    """
    plan = Plan(configuration)
    numbers = range(part[0] - 1, len(plan), part[1])
    drawn = np.random.Generator(np.random.Philox(0)).choice(len(numbers), min(_TIMED, len(numbers)), replace=False)
    taken, end = [], time.monotonic() + _SECONDS
    for place in drawn:
        cell = plan.content(numbers[place])
        evaluated(cell)
        start = time.perf_counter()
        evaluated(cell)
        taken.append(time.perf_counter() - start)
        if time.monotonic() > end:
            break
    each, used = sum(taken) / max(1, len(taken)), workers or os.cpu_count() or 1
    return {
        "cells": len(numbers),
        "timed": len(taken),
        "seconds_a_cell": each,
        "workers": used,
        "seconds": len(numbers) * each / used,
    }
