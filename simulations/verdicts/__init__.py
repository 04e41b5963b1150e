"""Claims decided on instances: `check` gives a Verdict, `replay` reproduces one from its key."""

from __future__ import annotations

from simulations.family import Family, real
from simulations.verdicts import assumptions, local, suite, trajectory
from simulations.verdicts.cell import GIVEN, Cell
from simulations.verdicts.key import read
from simulations.verdicts.verdict import (
    Verdict,
    decided,
    outside,
    symbolic,
    symbols_of,
    undecided,
    unseen,
    worst,
)
from theory import Claim

__all__ = ["Cell", "Verdict", "check", "replay"]


def check(claim: str | Claim, family: Family, **options) -> Verdict:
    """Decide a claim on a family, without sampling.

    Args:
        claim: its id, one of A1-A5, or a Claim of the caller's own.
        family: the tasks.
        **options: the fields of `Cell`: version, w, u, alpha, batch sizes, eps, ...

    Returns:
        A Verdict; where the claim has many occasions on a trajectory, the one that says most against it.

    Raises:
        ValueError: there is no such claim or version, or an option is out of its range.
    """
    if isinstance(claim, str):
        (claim,) = suite.chosen_claims([claim])
    return judged(Cell(claim, family, **options))


def replay(key: str) -> Verdict:
    """Decide the cell of a key again.

    Raises:
        ValueError: it is no key.
    """
    return judged(read(key))


def judged(cell: Cell) -> Verdict:
    """Decide a cell."""
    if cell.claim.id in assumptions.ASSUMED:
        return assumptions.judged(cell)
    if cell.by == "certificate" or unseen(cell.claim, cell.version):
        return symbolic(cell)
    names = symbols_of(cell.claim, cell.version)
    if "eps" in names and cell.eps is None:
        return undecided(cell, f"{cell.claim.id} needs eps")
    if cell.judged == "hf_maml" and not (real(cell.family.constants.rho) and real(cell.inner_step)):
        return undecided(cell, "delta = zeta/(rho alpha ||h||) of HF-MAML needs positive rho alpha", "NOT_APPLICABLE")
    reason = outside(cell, {})
    if reason:
        return undecided(cell, reason, "NOT_APPLICABLE")
    try:
        return _measured(cell, names)
    except ValueError as reason:
        return undecided(cell, str(reason))
    except ArithmeticError as reason:
        return undecided(cell, str(reason), "ERROR")


def _measured(cell: Cell, names: set[str]) -> Verdict:
    if cell.sampled and names & set(trajectory.QUANTITIES) and names <= GIVEN | set(local.FIRST_STEP):
        point = local.Point(cell, {"F_step"})
        measured = {name: local.FIRST_STEP[name](point) for name in names - GIVEN}
        return decided(cell, point.constants, measured, point.evidence)
    if names & set(trajectory.QUANTITIES):
        found = [decided(cell, cell.balls, each, "exact") for each in trajectory.measured(cell, names)]
        return worst(found) if found else undecided(cell, "the run starts below eps", "NOT_APPLICABLE")
    asked = names - GIVEN
    point = local.Point(cell, asked)
    measured = {name: local.QUANTITIES[name](point) for name in asked}
    return decided(cell, point.constants, measured, point.evidence)
