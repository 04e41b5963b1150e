"""Planted faults, and which ordinary checks catch them: the code path of a fault is that of the real thing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from time import process_time

import numpy as np

from simulations import enumeration, families
from simulations.enumeration import Estimate, Oracle
from simulations.family import Family, real
from simulations.verdicts import judged
from simulations.verdicts.cell import Cell
from simulations.verdicts.cuts import cut
from simulations.verdicts.suite import HARD
from simulations.verdicts.worst import worst_cases
from theory import CLAIMS

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


def unequal() -> Family:
    """Two tasks, one likelier than the other."""
    return families.sinc_stall(sigma="3/10", sigma_tilde="1/10", sigma_H="1/10")


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


_NOISY = (("bias", "published"), ("first-moment", "published"), ("second-moment", "sharper"))


def cells(fault: Estimate | type[Cell] | None = None) -> Iterator[tuple[str, Cell]]:
    """The checks faults have to pass; without a fault those of MAML itself.

    Args:
        fault: an estimate to be judged as MAML, or a kind of cell.
    """
    kind, estimate = (fault, None) if isinstance(fault, type) else (Cell, fault)
    steep, flat = HARD["steep"]().family, HARD["flat"]().family
    for instance, family in {"cosine": families.cosine(dim=2, tasks=4), "unequal": unequal()}.items():
        yield instance, kind(CLAIMS["objective-gradient"], family, estimate=estimate)
    for instance, family in {"steep": steep, "flat": flat}.items():
        for sizes in ({"D_in": 1}, {"D_in": 1, "D_o": 1}):
            for claim_id, version in _NOISY:
                claim = CLAIMS[claim_id]
                given = {name: D for name, D in sizes.items() if name in claim.needs}
                yield instance, kind(claim, family, version, estimate=estimate, by="outcomes", **given)
    yield "steep", kind(CLAIMS["step-size-moments"], steep, B_step=2)
