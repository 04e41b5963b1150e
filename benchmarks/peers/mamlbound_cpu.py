"""This engine, through its public face."""

from __future__ import annotations

from functools import partial

from benchmarks.cases import Case
from simulations import run as run_experiment


def _build(draws: str, case: Case):
    experiment = case.experiment(draws)

    def run():
        frame = run_experiment(experiment).frame
        return None, frame.pivot(index="iteration", columns="replicate", values="grad_norm").to_numpy() ** 2

    return run


VARIANTS = {f"mamlbound {draws}": (draws, partial(_build, draws)) for draws in ("all", "merged")}
