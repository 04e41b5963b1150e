"""Planted faults, and which ordinary checks catch them: the code path of a fault is that of the real thing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from time import process_time

import numpy as np

from simulations import enumeration
from simulations.enumeration import Estimate, Oracle
from simulations.family import real
from simulations.verdicts import judged, suite
from simulations.verdicts.cell import Cell
from simulations.verdicts.cuts import cut
from simulations.verdicts.worst import worst_cases

CUT = Fraction(9, 10)


def flipped(oracle: Oracle) -> np.ndarray:
    """(I + alpha H~) h~: a sign."""
    outer = enumeration.fo_maml(oracle)
    return outer + oracle.alpha * oracle.products(outer)


def reused(oracle: Oracle) -> np.ndarray:
    """The inner batch is used for the outer gradient as well."""
    return enumeration.maml(replace(oracle, noise={**oracle.noise, "outer": oracle.noise["inner"]}))


def swapped(oracle: Oracle) -> np.ndarray:
    """D_in samples where D_o are due, and the reverse."""
    noise = {"inner": oracle.noise["outer"], "outer": oracle.noise["inner"]}
    return enumeration.maml(replace(oracle, noise=noise))


def mistaken(oracle: Oracle) -> np.ndarray:
    """Noise of size sigma instead of sigma_tilde."""
    constants = oracle.family.constants
    factor = real(constants.sigma) / real(constants.sigma_tilde)
    return enumeration.maml(replace(oracle, noise={role: factor * xi for role, xi in oracle.noise.items()}))


def unweighted(oracle: Oracle) -> np.ndarray:
    """Every task counts alike, whatever its probability."""
    shares = 1 / (oracle.family.size * oracle.family.probabilities)
    return shares[:, None] * enumeration.maml(oracle)


class ShortStep(Cell):
    """The random step without its rho term: 1/(4 L)."""

    @property
    def smoothness(self) -> tuple[float, float]:
        """(c, m) of L(w) = c + m E||g_i|| with m = 0."""
        return super().smoothness[0], 0.0


FAULTS: dict[str, Estimate | type[Cell]] = {
    "dropped Hessian, FO-MAML posing as MAML": enumeration.fo_maml,
    "sign of the Hessian": flipped,
    "inner batch reused outside": reused,
    "D_in for D_o": swapped,
    "sigma for sigma_tilde": mistaken,
    "wrong task weights": unweighted,
    "step without its rho term": ShortStep,
}


@dataclass(frozen=True)
class Caught:
    """By which check a fault is caught: claim, version, instance; after how many cells and seconds of CPU.

    excess: left over right; None where they are negative.
    """

    fault: str
    claim: str
    version: str
    instance: str
    cells: int
    seconds: float
    excess: float | None


def caught(name: str) -> list[Caught]:
    """Every check of `cells` that a fault fails; empty if it goes unseen."""
    return list(_failed(name, cells(FAULTS[name])))


def everything() -> Iterator[tuple[str, list[Caught]]]:
    """Every planted fault and every constant cut, with the checks that see it."""
    yield from ((name, caught(name)) for name in FAULTS)
    yield from cuts().items()


def cuts(factor: Fraction = CUT) -> dict[str, list[Caught]]:
    """Each published constant cut to so much of the worst case on file, and the check that it then fails."""
    found = {}
    for case in worst_cases():
        name = f"{case.constant} of {case.claim} at {float(factor):g} of its worst case"
        cell = cut(case.cell, case.constant, factor * Fraction(case.share))
        found[name] = list(_failed(name, [(case.cell.family.name, cell)]))
    return found


def _failed(name: str, asked: Iterable[tuple[str, Cell]]) -> Iterator[Caught]:
    start = process_time()
    for number, (instance, cell) in enumerate(asked, start=1):
        verdict = judged(cell)
        if verdict.status == "VIOLATED" and not verdict.expected:
            work = number, process_time() - start
            excess = None if math.isinf(verdict.slack) else verdict.ratio
            yield Caught(name, cell.claim.id, cell.version, instance, *work, excess)


def cells(fault: Estimate | type[Cell] | None = None) -> Iterator[tuple[str, Cell]]:
    """The cells of the ordinary check in which a fault of the method shows: those that visit every outcome, and those
    on the step size.

    Args:
        fault: an estimate to be judged as MAML, or a kind of cell; without one the cells as they are.
    """
    chosen = [claim for claim in suite.chosen_claims() if claim.id in (*suite.ESTIMATED, "step-size-moments")]
    for instance, cell in suite.cells(chosen, suite.instances(suite.HARD)):
        if cell.by == "outcomes" or cell.claim.id == "step-size-moments":
            yield instance, _with(fault, cell)


def _with(fault: Estimate | type[Cell] | None, cell: Cell) -> Cell:
    if isinstance(fault, type):
        return fault(cell.claim, cell.family, **cell.options())
    return replace(cell, estimate=fault)
