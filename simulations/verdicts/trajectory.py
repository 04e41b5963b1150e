"""Claims on trajectories, held against runs of the engine on which nothing is sampled: full batches, exact oracles."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from flint import arb

from simulations import exact
from simulations.experiment import Experiment, run
from simulations.family import real
from simulations.guarded import ROUNDING, around
from simulations.methods import METHODS
from simulations.verdicts.cell import Cell
from simulations.verdicts.local import Unknown

QUANTITIES = ("F_drop", "F_drop_all", "T", "best_grad", "mean_grad_F")
_LONGEST = 100_000
_FLOORS = {"hf_maml": 3200}


def measured(cell: Cell, names: set[str]) -> Iterator[dict[str, arb]]:
    """The occasions the run of a cell gives to hold the claim against, those that say most against it, as quantities.

    Raises:
        Unknown: the cell is not one that is decided without sampling, or the run would be too long.
    """
    _decidable(cell)
    if not math.isfinite(exact.objective(cell.family, cell.point, real(cell.inner_step))):
        raise ArithmeticError("F is not a number at the start")
    gap = _gap(cell)
    if not gap.is_finite():
        raise ArithmeticError("the gap Delta is not a number")
    spoken = _length(cell, gap)
    norms, objectives = _run(cell)
    below = np.flatnonzero(norms <= cell.eps)
    if not below.size and spoken >= _LONGEST:
        raise Unknown(f"the run is not below eps after {_LONGEST} iterations, and the claim speaks of {spoken:.3g}")
    before = int(below[0]) if below.size else norms.size - 1
    if names & {"F_drop", "F_drop_all"}:
        yield from _drops(norms, objectives, before, names)
    elif "best_grad" in names:
        yield {"Delta": gap, "T": arb(spoken), "best_grad": _norm(float(norms[:spoken].min()))}
    else:
        yield {"Delta": gap, "T": arb(before) if below.size else arb("inf")}


def _drops(norms: np.ndarray, objectives: np.ndarray, before: int, names: set[str]) -> Iterator[dict[str, arb]]:
    """The smallest decrease in one iteration before the passage, or the length with the smallest decrease for it."""
    if not before:
        return
    room = 2 * ROUNDING * np.abs(objectives).max()
    if "F_drop" in names:
        drops = -np.diff(objectives[: before + 1])
        k = int(np.argmin(drops))
        yield {"F_drop": around(float(drops[k]), room), "mean_grad_F": _norm(float(norms[k]))}
    else:
        lengths = np.arange(1, before + 1)
        T = 1 + int(np.argmin((objectives[0] - objectives[1 : before + 1]) / lengths))
        lost = around(float(objectives[0] - objectives[T]), room)
        yield {"F_drop_all": lost, "T": arb(T), "best_grad": _norm(float(norms[:T].min()))}


def _decidable(cell: Cell) -> None:
    if cell.eps is None:
        raise Unknown("a claim on trajectories needs eps")
    if cell.sampled:
        raise Unknown("runs with sampled batches leave the mean over replicates uncertain: leave the batch sizes out")
    if cell.judged not in METHODS:
        raise Unknown(f"{cell.judged} is not a method of the engine")


def _norm(value: float) -> arb:
    return around(value, ROUNDING * value)


def _gap(cell: Cell) -> arb:
    """Delta: `exact.gap` is never below it but for rounding."""
    value = exact.gap(cell.family, real(cell.inner_step))
    return around(value, 1e-9 * abs(value))


def _length(cell: Cell, gap: arb) -> int:
    """How many iterations: as asked, or as many as the claim speaks of."""
    if cell.T is not None:
        return cell.T
    L, rho, sigma = (real(getattr(cell.family.constants, name)) for name in ("L", "rho", "sigma"))
    constants = cell.claim.versions[cell.version].constants
    K = float(constants["K"]) if "K" in constants else _FLOORS.get(cell.method, 1600)
    needed = K * float(gap.upper()) * (L + rho * real(cell.inner_step) * (sigma + cell.eps)) / cell.eps**2
    return max(1, math.ceil(needed))


def _run(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """||grad F(w_k)|| and F(w_k) for k = 0, 1, ... up to the passage below eps, with the published step and the
    exact mean norm."""
    experiment = Experiment(
        family=cell.family.started_at(cell.point),
        method=cell.judged,
        alpha=cell.inner_step,
        step="published",
        iterations=max(_LONGEST, cell.T or 0),
        eps=[cell.eps],
        until_passage=True,
        method_options={"zeta": real(cell.zeta)} if cell.judged == "hf_maml" else {},
    )
    if experiment.digest not in _RUNS:
        _RUNS.clear()
        found = run(experiment).frame
        _RUNS[experiment.digest] = found["grad_norm"].to_numpy(), found["objective"].to_numpy()
    norms, objectives = _RUNS[experiment.digest]
    lost = ~(np.isfinite(norms) & np.isfinite(objectives))
    if lost.any():
        raise ArithmeticError(f"F or its gradient is not a number at iteration {int(np.argmax(lost))}")
    return norms, objectives


_RUNS: dict[str, tuple[np.ndarray, np.ndarray]] = {}
"""The last run: the versions of a claim, and claims one after the other, are held against the same."""
