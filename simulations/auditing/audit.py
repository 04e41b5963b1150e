"""The steps of an audit, each by what decides the claims of the theory as well."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from simulations.auditing.report import Audit, Outcome, Seen, Used
from simulations.search import Beaten, Found, search
from simulations.verdicts import Cell, Verdict, judged, own, suite
from simulations.verdicts.faults import FAULTS
from simulations.verdicts.verdict import symbols_of, unseen
from simulations.verdicts.verdict import worst as least_room
from simulations.verdicts.worst import worst_cases
from theory import Claim

Step = Callable[[str], None]
_ESTIMATED = {"mean_G", "second_G", "bias_norm", "overlap", "exact_G", "F_step"}
_STEPS = {"step_mean", "step_second", "beta_mean", "beta_second", "F_step"}


def audit(claim: Claim | str | Path, budget: int = 200, seed: int = 0, progress: Step = lambda step: None) -> Audit:
    """Try to refute a claim of one's own, and say what its proof, its constants and its checks are worth.

    Args:
        claim: a Claim, such as `theory.stated` makes, or the file that states it: FILE.py or FILE.py:ID.
        budget: cells the search for the worst instance may decide, and as many again for the constants.
        seed: of the search.
        progress: called with the name of each step before it is taken.

    Raises:
        ValueError: the file cannot be read or states no claim.
    """
    claim = claim if isinstance(claim, Claim) else own.load(str(claim))
    progress("certificate")
    certificate = _certificate(claim)
    if unseen(claim, "published"):
        outcome = "proved" if certificate == "replays" else "undecided"
        return Audit(claim, outcome, certificate, (), None, 0, (), ())
    progress("exact checks")
    cells = [(name, judged(cell)) for name, cell in _cells(claim)]
    progress("search")
    found, beaten = _searched(claim, budget, seed)
    decided = [each for _, each in cells if each.status in ("HOLDS", "VIOLATED")]
    decided += [beaten] if beaten else [found.published] if found else []
    worst = least_room(decided) if decided else None
    outcome = _outcome(worst, certificate)
    progress("planted faults")
    faults = tuple(_faults(claim)) if outcome != "violated" else ()
    progress("constants")
    constants = tuple(_constants(claim, budget, seed)) if outcome != "violated" else ()
    return Audit(claim, outcome, certificate, tuple(cells), worst, found.tried if found else 0, faults, constants)


def _outcome(worst: Verdict | None, certificate: str) -> Outcome:
    if worst is not None and worst.status == "VIOLATED":
        return "violated"
    if certificate == "replays":
        return "proved"
    return "undecided" if worst is None else "not refuted"


def _certificate(claim: Claim) -> str:
    if claim.versions["published"].proof is None:
        return "none"
    try:
        return "replays" if claim.certificate("published").ok else "does not replay"
    except Exception as error:
        raise ValueError(f"the proof of {claim.id} raises {type(error).__name__}: {error}") from error


def _cells(claim: Claim) -> Iterator[tuple[str, Cell]]:
    """The default instances, those made for other claims too, and the worst on file, with this claim."""
    everywhere = [replace(each, claims=(), versions=()) for each in suite.instances()]
    for name, cell in suite.cells([claim], everywhere):
        if name != suite.BY_PROOF:
            yield name, cell
    for case in worst_cases():
        yield suite.WORST, replace(case.cell, claim=claim, version="published")


def _searched(claim: Claim, budget: int, seed: int) -> tuple[Found | None, Verdict | None]:
    """What the search ends with; the verdict that beats a proof."""
    try:
        return search(claim, budget, seed), None
    except Beaten as beaten:
        return None, beaten.found
    except ValueError:
        return None, None


def _faults(claim: Claim) -> Iterator[Seen]:
    """Which planted faults would be seen by this claim: it fails with them on an instance on which it holds."""
    names = symbols_of(claim, "published")
    for fault, kind in FAULTS.items():
        concerned = names & (_STEPS if isinstance(kind, type) else _ESTIMATED)
        yield next(_seen(claim, names, fault, kind), Seen(fault, "", None)) if concerned else Seen(fault, "", None)


def _seen(claim: Claim, names: set[str], fault: str, kind) -> Iterator[Seen]:
    for name in ("flat", "steep", "cosine", "unequal"):
        family = suite.instances([name])[0].family
        for sizes in ({}, {"D_in": 1}, {"D_in": 1, "D_o": 1}, {"B_step": 2}):
            asked = {name: size for name, size in sizes.items() if name in names}
            sound = {"by": "outcomes", **asked}
            if isinstance(kind, type):
                faulty, sound = kind(claim, family, **asked), asked
            else:
                faulty = Cell(claim, family, estimate=kind, **sound)
            found = judged(faulty)
            if found.status == "VIOLATED" and judged(Cell(claim, family, **sound)).status == "HOLDS":
                yield Seen(fault, name, found.ratio if math.isfinite(found.ratio) else None)


def _constants(claim: Claim, budget: int, seed: int) -> Iterator[Used]:
    for name, value in claim.published.items():
        try:
            found = search(claim, max(20, budget // len(claim.published)), seed, constant=name)
        except (ValueError, Beaten):
            found = None
        used = found if found and math.isfinite(found.ratio) and found.ratio > 0 else None
        yield Used(name, str(value), used and used.ratio, used and used.published.replayable)
